//! The configuration, which `schema.json` describes too.

use std::collections::BTreeMap;
use std::fmt;

use janua_sdk::Template;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::always::Always;
use crate::fields::fields;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Edits of the request before it is forwarded.
    pub request: Option<Fields>,
    /// Edits of the response before it is delivered.
    pub response: Option<ResponseFields>,
}

/// Edits, applied in the order `remove`, `set`, `append`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// Fields to remove.
    pub remove: Vec<String>,
    /// Fields to replace, or to remove where the value is absent.
    #[serde(deserialize_with = "fields")]
    pub set: BTreeMap<String, Template>,
    /// Lines to add.
    #[serde(deserialize_with = "fields")]
    pub append: BTreeMap<String, Lines>,
}

/// [`Fields`] and the statuses for which they apply. Not flattened, because serde would
/// then accept unknown fields.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseFields {
    /// Fields to remove.
    pub remove: Vec<String>,
    /// Fields to replace, or to remove where the value is absent.
    #[serde(deserialize_with = "fields")]
    pub set: BTreeMap<String, Template>,
    /// Lines to add.
    #[serde(deserialize_with = "fields")]
    pub append: BTreeMap<String, Lines>,
    /// Which responses are edited.
    pub always: Always,
}

impl ResponseFields {
    /// Separates the edits from the statuses.
    #[must_use]
    pub fn split(self) -> (Fields, Always) {
        let fields = Fields {
            remove: self.remove,
            set: self.set,
            append: self.append,
        };
        (fields, self.always)
    }
}

/// One value, or a list of them.
#[derive(Debug, PartialEq)]
pub struct Lines(pub Vec<Template>);

impl From<Template> for Lines {
    fn from(line: Template) -> Self {
        Self(vec![line])
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMore)
    }
}

struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Lines;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Lines, E> {
        let line = Template::parse(text).map_err(E::custom)?;
        Ok(Lines(vec![line]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Lines, A::Error> {
        let mut lines = Vec::new();
        while let Some(line) = list.next_element()? {
            lines.push(line);
        }
        Ok(Lines(lines))
    }
}
