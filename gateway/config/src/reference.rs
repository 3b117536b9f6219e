//! Generates the reference of all fields from the definitions that decode them.

use std::fmt::Write;

use serde::Serialize;

use crate::decode::Decode;
use crate::document::Document;

/// One field of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDoc {
    /// Its path: `upstreams.<name>.keepalive`, `sites[].hosts`.
    pub path: String,
    /// The type of its value, in words.
    #[serde(rename = "type")]
    pub kind: String,
    /// The default as TOML, or what happens if the field is absent; none if the
    /// field is required.
    pub default: Option<String>,
    /// Its meaning, with its unit.
    pub doc: String,
}

/// Whether a field is required, and what applies if it is absent.
pub(crate) enum Presence {
    Required,
    Default(&'static str),
    Optional(&'static str),
}

impl Presence {
    pub(crate) fn required() -> Self {
        Self::Required
    }

    pub(crate) fn default(toml: &'static str) -> Self {
        Self::Default(toml)
    }

    pub(crate) fn optional(words: &'static str) -> Self {
        Self::Optional(words)
    }
}

impl FieldDoc {
    /// Adds a field, and the fields of its table.
    pub(crate) fn add<T: Decode>(
        fields: &mut Vec<Self>,
        table: &str,
        name: &str,
        presence: Presence,
        doc: &str,
    ) {
        let path = match table {
            "" => name.to_owned(),
            table => format!("{table}.{name}"),
        };
        fields.push(Self {
            path: path.clone(),
            kind: T::kind(),
            default: match presence {
                Presence::Required => None,
                Presence::Default(toml) => Some(format!("`{toml}`")),
                Presence::Optional(words) => Some(words.to_owned()),
            },
            doc: doc.split_whitespace().collect::<Vec<_>>().join(" "),
        });
        T::describe(&path, fields);
    }
}

/// All fields, in the order of their definition.
pub fn reference() -> Vec<FieldDoc> {
    let mut fields = Vec::new();
    Document::describe("", &mut fields);
    fields
}

/// The reference as a Markdown page: a section per table, a row per field.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Configuration reference\n\n\
         Durations are a whole number and a unit: `250ms`, `10s`, `5m`, `24h`, `7d`. \
         Sizes are `512B`, `64KiB`, `1MiB`, `1GiB`, or a plain number of bytes. \
         Shares are `1%` to `100%`. \
         Relative paths refer to the directory of the file that contains them. \
         How a route is chosen for a request: [routing.md](routing.md).\n",
    );
    let fields = reference();
    let mut tables: Vec<&str> = Vec::new();
    for field in &fields {
        let table = parent(&field.path);
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    for table in tables {
        let heading = match table {
            "" => "The file".to_owned(),
            table => format!("`{table}`"),
        };
        let _ = write!(
            page,
            "\n## {heading}\n\n| field | value | default | |\n|---|---|---|---|\n"
        );
        for field in fields.iter().filter(|field| parent(&field.path) == table) {
            let name = field.path.strip_prefix(table).unwrap_or(&field.path);
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                name.trim_start_matches('.'),
                cell(&field.kind),
                field
                    .default
                    .as_deref()
                    .map_or_else(|| "required".to_owned(), cell),
                cell(&field.doc),
            );
        }
    }
    page
}

/// The table that contains a field.
fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(table, _)| table)
}

/// Escapes text for a table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
