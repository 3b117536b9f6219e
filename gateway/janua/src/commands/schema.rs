//! Reads the fields of a policy's configuration from its JSON Schema.

use serde_json::Value;

/// A field, described in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its path: `rules[].store`.
    pub(super) path: String,
    /// The type of its value: `string | list of strings`.
    pub(super) kind: String,
    /// The default as JSON, or `required`; empty if there is neither.
    pub(super) default: String,
    /// Its meaning.
    pub(super) meaning: String,
}

impl Field {
    /// Whether the field is required.
    pub(super) fn is_required(&self) -> bool {
        self.default == "required"
    }
}

/// The depth at which a recursive schema is cut off.
const DEPTH: usize = 4;

/// All fields; those of nested tables and of lists of tables follow their own
/// field.
pub(super) fn fields(schema: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    add(&mut fields, "", schema, schema);
    fields
}

fn add(fields: &mut Vec<Field>, prefix: &str, root: &Value, schema: &Value) {
    let properties = schema["properties"].as_object().into_iter().flatten();
    for (name, field) in properties {
        let field = resolved(root, field);
        let path = format!("{prefix}{name}");
        fields.push(Field {
            kind: kind(root, field, DEPTH),
            default: default(schema, name, field),
            meaning: field["description"].as_str().unwrap_or_default().to_owned(),
            path: path.clone(),
        });
        if path.matches('.').count() < DEPTH {
            add(fields, &format!("{path}."), root, field);
            let entry = resolved(root, &field["items"]);
            add(fields, &format!("{path}[]."), root, entry);
        }
    }
}

fn resolved<'s>(root: &'s Value, field: &'s Value) -> &'s Value {
    let target = field["$ref"]
        .as_str()
        .and_then(|target| target.strip_prefix('#'));
    target
        .and_then(|target| root.pointer(target))
        .unwrap_or(field)
}

/// The type of a value in the terms of TOML; `-` if the schema does not state
/// it.
fn kind(root: &Value, field: &Value, depth: usize) -> String {
    let Some(deeper) = depth.checked_sub(1) else {
        return "-".to_owned();
    };
    let field = resolved(root, field);
    let mut kinds: Vec<String> = Vec::new();
    let mut push = |kind: String| {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    };
    let choices = ["oneOf", "anyOf"]
        .into_iter()
        .find_map(|key| field[key].as_array());
    match (&field["enum"], &field["type"], choices) {
        (Value::Array(values), _, _) => values.iter().for_each(|value| push(value.to_string())),
        (_, Value::String(word), _) => push(typed(root, field, word, deeper)),
        (_, Value::Array(words), _) => words
            .iter()
            .filter_map(Value::as_str)
            .for_each(|word| push(typed(root, field, word, deeper))),
        (_, _, Some(choices)) => choices
            .iter()
            .for_each(|choice| push(kind(root, choice, deeper))),
        _ => push("-".to_owned()),
    }
    kinds.join(" | ")
}

fn typed(root: &Value, field: &Value, word: &str, depth: usize) -> String {
    match word {
        "object" => "table".to_owned(),
        "array" => match kind(root, &field["items"], depth).as_str() {
            "-" => "list".to_owned(),
            // `list of strings`, `list of strings or integers`.
            kinds => format!("list of {}s", kinds.replace(" | ", "s or ")),
        },
        other => other.to_owned(),
    }
}

/// A property's default, `required`, or nothing.
fn default(schema: &Value, name: &str, field: &Value) -> String {
    let required = schema["required"].as_array();
    match &field["default"] {
        Value::Null if required.is_some_and(|names| names.iter().any(|n| n == name)) => {
            "required".to_owned()
        }
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::fields;

    #[test]
    fn what_a_schema_says() {
        let schema = json!({
            "required": ["rate"],
            "properties": {
                "rate": { "type": "string", "description": "The rate." },
                "burst": { "type": "integer", "default": 0 },
                "absent": { "enum": ["share", "skip"] },
                "odd": true,
                "names": { "type": ["string", "array"], "items": { "type": "string" } },
                "mixed": { "type": "array", "items": { "type": ["string", "integer"] } },
                "any": { "type": "array" },
                "when": { "oneOf": [{ "type": "boolean" }, { "type": "array", "items": { "type": "integer" } }] },
                "rules": { "type": "array", "items": { "$ref": "#/$defs/rule" } },
                "table": { "type": "object", "properties": { "x": { "$ref": "#/$defs/round" } } },
            },
            "$defs": {
                "rule": { "type": "object", "properties": { "store": { "type": "string" } } },
                "round": { "type": "object", "properties": { "x": { "$ref": "#/$defs/round" } } },
            },
        });
        let found = fields(&schema);
        let row = |path: &str| {
            let field = found.iter().find(|field| field.path == path).unwrap();
            (field.kind.as_str(), field.default.as_str())
        };
        for (path, kind, default) in [
            ("rate", "string", "required"),
            ("burst", "integer", "0"),
            ("absent", "\"share\" | \"skip\"", ""),
            ("odd", "-", ""),
            ("names", "string | list of strings", ""),
            ("mixed", "list of strings or integers", ""),
            ("any", "list", ""),
            ("when", "boolean | list of integers", ""),
            ("rules", "list of tables", ""),
            ("rules[].store", "string", ""),
            ("table.x.x", "table", ""),
        ] {
            assert_eq!(row(path), (kind, default), "{path}");
        }
        assert!(fields(&json!(7)).is_empty());
    }
}
