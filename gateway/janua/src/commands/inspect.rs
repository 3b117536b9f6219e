//! `janua policy inspect`: describes a component before it is trusted.

use std::sync::Arc;

use janua_wasm::{Component, ConfigureError};
use serde_json::{Value, json};

use super::candidate::{self, Candidate, Configured};
use super::schema::fields;
use super::table::{counted, size, wrapped};
use super::{CommandResult, Output, declaration, printable};
use crate::cli::Inspect;

pub(super) fn inspect(inspect: &Inspect) -> CommandResult {
    let config = candidate::config(inspect.config.as_deref()).map_err(Output::failure)?;
    let candidate = Candidate::load(&inspect.file).map_err(Output::failure)?;
    let configured = candidate.configure(&config, &[]);
    let component = &candidate.component;
    let mut answer = Output {
        person: person(component),
        json: json(component),
    };
    let (declares, key, value) = match &configured {
        Ok(Configured { policy, .. }) => (
            declaration::person(policy, candidate.is_bundled()),
            "declaration",
            declaration::json(policy, candidate.is_bundled()),
        ),
        Err(error) if inspect.config.is_some() => {
            return Err(Output::failure(printable(&candidate::refusal(error))));
        }
        Err(error) => (undeclared(error), "refused", json!(error.to_string())),
    };
    answer.person.push_str("\n\ndeclaration\n");
    answer.person.push_str(printable(&declares).trim_end());
    if let Some(fields) = answer.json.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
    Ok(answer)
}

/// What is said in the place of a declaration if the component needs a configuration.
fn undeclared(error: &ConfigureError) -> String {
    wrapped(
        &format!(
            "not known: it depends on the configuration, and without one the component cannot be \
             configured ({error}); give one with --config JSON or --config @FILE"
        ),
        2,
        2,
    )
}

/// Compiles a component and runs its `describe`. Nothing is kept.
pub(super) fn load(bytes: &[u8]) -> Result<Arc<Component>, String> {
    let runtime = candidate::runtime()?;
    runtime.load(bytes).map_err(|error| error.to_string())
}

/// The JSON Schema of its configuration; none if it has none or the schema is
/// not JSON.
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
        "{}\n  contract  janua:policy@{}\n  size      {}\n  sha256    {}\n",
        wrapped(
            &format!(
                "{} {}: {}",
                description.name, description.version, description.summary
            ),
            0,
            2
        ),
        component.contract(),
        size(component.size() as u64),
        hash(component),
    );
    page.push_str("\nimports\n");
    // What a language's standard library imports has no effect unless granted,
    // and would hide the lines that matter. `--json` shows all imports.
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
        Some(schema) => configuration(&schema),
        None => "  it does not say\n".to_owned(),
    });
    printable(page.trim_end())
}

/// The fields of the schema, each with its meaning below it.
fn configuration(schema: &Value) -> String {
    let mut page = String::new();
    for field in fields(schema) {
        let mut facts = field.kind.clone();
        match field.default.as_str() {
            "" => {}
            default if field.is_required() => facts.extend(["; ", default]),
            default => facts.extend(["; default ", default]),
        }
        page.push_str(&wrapped(&format!("{}  {facts}", field.path), 2, 6));
        page.push_str(&wrapped(&field.meaning, 6, 6));
    }
    match page.is_empty() {
        true => "  none\n".to_owned(),
        false => page,
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

    use super::configuration;
    use crate::bundled;
    use crate::cli::Inspect;
    use crate::commands::CommandResult;

    fn inspect(file: &Path) -> CommandResult {
        super::inspect(&Inspect {
            file: file.to_owned(),
            config: None,
            json: false,
        })
    }

    #[test]
    fn a_bundled_policy_by_its_name() {
        for name in bundled::names() {
            let answer = inspect(Path::new(name)).unwrap();
            assert_eq!(answer.json["name"], name);
            assert_eq!(answer.json["hash"].as_str().unwrap().len(), 64);
            assert!(answer.json["config_schema"]["properties"].is_object());
            assert!(answer.person.starts_with(name), "{}", answer.person);
        }
    }

    #[test]
    fn a_file_that_is_no_component_is_an_error() {
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
    fn fields_with_their_meaning_below_them() {
        let schema = serde_json::json!({
            "required": ["rate"],
            "properties": {
                "rate": { "type": "string", "description": "The rate." },
                "burst": { "type": "integer", "default": 0, "description": "Requests at once beyond the rate, none of which is delayed. The bucket holds one more." },
                "absent": { "enum": ["share", "skip"] },
            },
        });
        let expected = [
            "  absent  \"share\" | \"skip\"",
            "  burst  integer; default 0",
            "      Requests at once beyond the rate, none of which is delayed. The bucket",
            "      holds one more.",
            "  rate  string; required",
            "      The rate.",
        ];
        let found = configuration(&schema);
        assert_eq!(found.lines().collect::<Vec<_>>(), expected);
        assert_eq!(configuration(&serde_json::json!(7)), "  none\n");
    }

    #[test]
    fn every_bundled_policy_fits_a_terminal() {
        for name in bundled::names() {
            let page = inspect(Path::new(name)).unwrap().person;
            for line in page.lines() {
                assert!(line.chars().count() <= 80, "{name}: {line}");
            }
        }
        let rules = inspect(Path::new("cache-rules")).unwrap().person;
        assert!(
            rules.contains("  rules  list of tables; default []\n"),
            "{rules}"
        );
        assert!(
            rules.contains("  rules[].store  string | integer; default \"fields\"\n"),
            "{rules}"
        );
    }
}
