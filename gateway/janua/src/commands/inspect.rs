//! `janua policy inspect`: what a component is, before anybody trusts it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use janua_wasm::{Component, Runtime, RuntimeOptions};
use serde_json::{Value, json};

use super::table::{Table, counted, size};
use super::{Answer, Outcome, printable};
use crate::bundled;

pub(super) fn inspect(file: &Path) -> Outcome {
    let shown = file.display();
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => file
            .to_str()
            .and_then(bundled::component)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| Answer::failure(format!("cannot read {shown}: {error}")))?,
    };
    let component = load(&bytes).map_err(|why| Answer::failure(format!("{shown}: {why}")))?;
    Ok(Answer {
        person: person(&component),
        json: json(&component),
    })
}

/// Compiles a component and asks it to describe itself. Nothing is kept.
pub(super) fn load(bytes: &[u8]) -> Result<Arc<Component>, String> {
    let runtime = Runtime::new(RuntimeOptions::default()).map_err(|error| error.to_string())?;
    runtime.load(bytes).map_err(|error| error.to_string())
}

/// The JSON Schema of its configuration; none if it has none that is JSON.
pub(super) fn schema(component: &Component) -> Option<Value> {
    let schema = component.description().config_schema.as_deref()?;
    serde_json::from_str(schema).ok()
}

fn json(component: &Component) -> Value {
    let description = component.description();
    json!({
        "name": description.name,
        "version": description.version,
        "summary": description.summary,
        "contract": component.contract(),
        "hash": hash(component),
        "bytes": component.size(),
        "imports": component.imports(),
        "config_schema": schema(component),
    })
}

fn person(component: &Component) -> String {
    let description = component.description();
    let mut page = format!(
        "{} {}: {}\n\n  contract  janua:policy@{}\n  size      {}\n  sha256    {}\n",
        description.name,
        description.version,
        description.summary,
        component.contract(),
        size(component.size() as u64),
        hash(component),
    );
    page.push_str("\nimports\n");
    // What a language's standard library drags along is inert unless granted,
    // and would bury the one line that matters. `--json` has all of it.
    let (wasi, own): (Vec<&String>, Vec<&String>) = component
        .imports()
        .iter()
        .partition(|import| import.starts_with("wasi:cli/") || import.starts_with("wasi:io/"));
    for import in own {
        page.extend(["  ", import, "\n"]);
    }
    match wasi.len() {
        0 => {}
        n => page.push_str(&format!(
            "  {} of wasi:cli and wasi:io, inert\n",
            counted(n as u64, "interface")
        )),
    }
    page.push_str("\nconfiguration\n");
    page.push_str(&match schema(component) {
        Some(schema) => fields(&schema),
        None => "  it does not say\n".to_owned(),
    });
    printable(page.trim_end())
}

/// The schema's properties; what is nested is in `--json`.
fn fields(schema: &Value) -> String {
    let empty = serde_json::Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    if properties.is_empty() {
        return "  none\n".to_owned();
    }
    let mut table = Table::new(["field", "value", "default", "meaning"]);
    for (name, field) in properties {
        table.row([
            name.clone(),
            kind(field),
            default(schema, name, field),
            field["description"].as_str().unwrap_or_default().to_owned(),
        ]);
    }
    table.render()
}

/// A property's type in words.
pub(super) fn kind(field: &Value) -> String {
    let listed = |words: &Vec<Value>, between: &str| {
        let words: Vec<String> = words
            .iter()
            .map(|word| {
                word.as_str()
                    .map_or_else(|| word.to_string(), str::to_owned)
            })
            .collect();
        words.join(between)
    };
    match (&field["enum"], &field["type"]) {
        (Value::Array(values), _) => listed(values, " | "),
        (_, Value::String(kind)) => kind.clone(),
        (_, Value::Array(kinds)) => listed(kinds, " | "),
        _ => "-".to_owned(),
    }
}

/// A property's default, `required`, or nothing.
pub(super) fn default(schema: &Value, name: &str, field: &Value) -> String {
    let required = schema["required"].as_array();
    match &field["default"] {
        Value::Null if required.is_some_and(|names| names.iter().any(|n| n == name)) => {
            "required".to_owned()
        }
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

pub(super) fn hash(component: &Component) -> String {
    component
        .hash()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{fields, inspect};
    use crate::bundled;

    #[test]
    fn a_bundled_policy_by_its_name() {
        for name in bundled::NAMES {
            let answer = inspect(Path::new(name)).unwrap();
            assert_eq!(answer.json["name"], name);
            assert_eq!(answer.json["hash"].as_str().unwrap().len(), 64);
            assert!(answer.json["config_schema"]["properties"].is_object());
            assert!(answer.person.starts_with(name), "{}", answer.person);
        }
    }

    #[test]
    fn what_is_no_component_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.wasm");
        let missing = inspect(&file).unwrap_err();
        assert!(missing.person.contains("cannot read") && missing.person.contains("notes.wasm"));
        std::fs::write(&file, "notes").unwrap();
        let refused = inspect(&file).unwrap_err();
        assert!(
            refused.person.contains("not a WebAssembly file"),
            "{}",
            refused.person
        );
        assert_eq!(refused.json["error"], refused.person["janua: ".len()..]);
    }

    #[test]
    fn a_schema_as_a_table() {
        let schema = serde_json::json!({
            "required": ["rate"],
            "properties": {
                "rate": { "type": "string", "description": "The rate." },
                "burst": { "type": "integer", "default": 0, "description": "At once." },
                "absent": { "enum": ["share", "skip"] },
                "odd": true,
            },
        });
        let table = fields(&schema);
        for line in [
            "  rate    string        required  The rate.",
            "  burst   integer       0         At once.",
            "  absent  share | skip",
            "  odd     -",
        ] {
            assert!(
                table.lines().any(|found| found == line),
                "{line:?} is not in\n{table}"
            );
        }
        assert_eq!(fields(&serde_json::json!(7)), "  none\n");
    }
}
