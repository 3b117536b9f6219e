//! The configuration of a component: any TOML table, converted to JSON, with
//! the position of each key.

use serde_json::{Map, Number, Value};
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::units::integer;

/// The configuration of a policy. The gateway does not interpret it. If a
/// component refuses it and names a key, the error can be shown at the position
/// of that key.
#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// The table as JSON. Dates and times are strings of RFC 3339.
    pub value: Value,
    /// The position of the table, or of its header.
    pub span: Span,
    /// The directory to which relative paths refer.
    pub directory: PathBuf,
    pub(crate) places: Vec<KeyPlace>,
}

/// A key of the table and its position.
#[derive(Debug, Clone)]
pub(crate) struct KeyPlace {
    /// The keys from the outermost to this one; list elements are given by
    /// number.
    pub(crate) path: Vec<String>,
    /// The key.
    pub(crate) key: Span,
    /// Its value.
    pub(crate) value: Span,
}

impl PolicyConfig {
    /// The position of a key, given by its path (`request.set`,
    /// `rules[1].store`) or only by its name (`set`: the first key with that
    /// name). If the path does not exist, the position of its deepest existing
    /// part: a missing field is reported at its table.
    pub fn key_span(&self, key: &str) -> Option<Span> {
        let path: Vec<&str> = key
            .split(['.', '[', ']'])
            .filter(|part| !part.is_empty())
            .collect();
        let at = |path: &[&str]| self.places.iter().find(|place| place.path == path);
        let by_path = (1..=path.len())
            .rev()
            .find_map(|depth| at(path.get(..depth)?));
        let by_name = || {
            let named = |place: &&KeyPlace| place.path.last().is_some_and(|last| last == key);
            self.places.iter().find(named)
        };
        by_path.or_else(by_name).map(|place| place.key)
    }

    /// The keys of all references to files and environment variables:
    /// `keys_file`, `request.set.x_env`.
    pub fn references(&self) -> impl Iterator<Item = String> {
        let named = |key: &str| key.ends_with("_file") || key.ends_with("_env");
        self.texts(named).map(|(place, _)| place.path.join("."))
    }

    /// The files that the references name; they may not exist.
    pub(crate) fn referenced_files(&self) -> impl Iterator<Item = PathBuf> {
        self.texts(|key| key.ends_with("_file"))
            .map(|(_, path)| self.directory.join(path))
    }

    /// The strings whose key is of this kind.
    fn texts(&self, is_named: fn(&str) -> bool) -> impl Iterator<Item = (&KeyPlace, &str)> {
        self.places.iter().filter_map(move |place| {
            let key = place.path.last()?;
            let pointer: String = place
                .path
                .iter()
                .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
                .collect();
            let text = self.value.pointer(&pointer)?.as_str()?;
            is_named(key).then_some((place, text))
        })
    }

    /// The position of the value at this path.
    pub(crate) fn value_span(&self, path: &[String]) -> Span {
        let place = self.places.iter().find(|place| place.path == path);
        place.map_or(self.span, |place| place.value)
    }
}

impl Decode for PolicyConfig {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = node.get_ref() else {
            return decoder.mismatch(node, &Self::kind());
        };
        let mut walk = Walk {
            path: Vec::new(),
            places: Vec::new(),
            decoder,
        };
        let value = walk.table(table);
        let config = Self {
            value,
            places: walk.places,
            span: decoder.span(node),
            directory: decoder.directory.to_owned(),
        };
        decoder.policy_configs.push(config.clone());
        Some(config)
    }

    fn kind() -> String {
        "a table".to_owned()
    }
}

/// A traversal of the table. The parser limits its depth to 80.
struct Walk<'d, 's> {
    path: Vec<String>,
    places: Vec<KeyPlace>,
    decoder: &'d mut Decoder<'s>,
}

impl Walk<'_, '_> {
    fn table(&mut self, table: &DeTable<'_>) -> Value {
        let mut object = Map::new();
        for (key, node) in table.iter() {
            let name = key.get_ref().to_string();
            let key = self.decoder.span(key);
            let value = self.step(name.clone(), key, node);
            object.insert(name, value);
        }
        Value::Object(object)
    }

    fn step(&mut self, name: String, key: Span, node: &Node<'_>) -> Value {
        self.path.push(name);
        self.places.push(KeyPlace {
            path: self.path.clone(),
            key,
            value: self.decoder.span(node),
        });
        let value = self.value(node);
        self.path.pop();
        value
    }

    fn value(&mut self, node: &Node<'_>) -> Value {
        match node.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Table(table) => self.table(table),
            DeValue::Array(items) => Value::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| {
                        let span = self.decoder.span(item);
                        self.step(at.to_string(), span, item)
                    })
                    .collect(),
            ),
            DeValue::Integer(number) => self.number(
                node,
                integer(number).and_then(|number| {
                    let signed = i64::try_from(number).map(Number::from);
                    signed
                        .or_else(|_| u64::try_from(number).map(Number::from))
                        .ok()
                }),
            ),
            DeValue::Float(number) => {
                let number = number.as_str().parse().ok().and_then(Number::from_f64);
                self.number(node, number)
            }
        }
    }

    fn number(&mut self, node: &Node<'_>, number: Option<Number>) -> Value {
        if let Some(number) = number {
            return Value::Number(number);
        }
        let span = self.decoder.span(node);
        let fault = Diagnostic::error(span, "the number cannot be handed to a component")
            .help("write a finite number of at most 64 bits, or a string");
        self.decoder.push(fault);
        Value::Null
    }
}
