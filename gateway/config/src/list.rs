//! Lists, and single values that are short for a list.

use std::ops::Deref;

use toml::de::{DeArray, DeValue};

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::reference::FieldDoc;

/// One value, or a list of them: `"*:80"` or `["*:80", "*:8080"]`. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Deref for OneOrMany<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Decode> Decode for OneOrMany<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let values = match node.get_ref() {
            DeValue::Array(items) if items.is_empty() => {
                let span = decoder.span(node);
                return decoder.refuse(
                    Diagnostic::error(span, "the list is empty")
                        .help(format!("write at least {}", T::kind())),
                );
            }
            DeValue::Array(items) => elements(items, decoder),
            _ => vec![T::decode(node, decoder)?],
        };
        (!values.is_empty()).then_some(Self(values))
    }

    fn kind() -> String {
        format!("{}, or a list of them", T::kind())
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        T::describe(&format!("{path}[]"), fields);
    }
}

/// A list of at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonEmpty<T>(pub Vec<T>);

impl<T> Deref for NonEmpty<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Decode> Decode for NonEmpty<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.get_ref() {
            DeValue::Array(_) => OneOrMany::decode(node, decoder).map(|many| Self(many.0)),
            _ => not_a_list::<T, Self>(node, decoder),
        }
    }

    fn kind() -> String {
        format!("a list of at least one, each {}", T::kind())
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        T::describe(&format!("{path}[]"), fields);
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.get_ref() {
            DeValue::Array(items) => Some(elements(items, decoder)),
            _ => not_a_list::<T, Self>(node, decoder),
        }
    }

    fn kind() -> String {
        format!("a list, each {}", T::kind())
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        T::describe(&format!("{path}[]"), fields);
    }
}

/// Refuses a value where a list of `T` is expected. If it is a string or a
/// table, perhaps only the brackets are missing.
fn not_a_list<T: Decode, List: Decode>(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<List> {
    let expected = List::kind();
    let (found, help) = match node.get_ref() {
        DeValue::String(text) => ("a string", format!("write `[{text:?}]`")),
        DeValue::Table(_) if is_table::<T>() => {
            let help = match decoder.written(node).starts_with('{') {
                true => "write `[{ … }]`: a list of tables".to_owned(),
                // `[sites]` instead of `[[sites]]`.
                false => format!(
                    "an element of a list is written with two brackets: `[[{}]]`",
                    decoder.path()
                ),
            };
            ("a table", help)
        }
        _ => return decoder.mismatch(node, &expected),
    };
    let span = decoder.span(node);
    decoder
        .refuse(Diagnostic::error(span, format!("expected {expected}, found {found}")).help(help))
}

/// Whether a value of this type is written as a table: only tables have fields.
fn is_table<T: Decode>() -> bool {
    let mut fields = Vec::new();
    T::describe("", &mut fields);
    !fields.is_empty()
}

/// Every element that can be decoded; errors in the others are recorded.
fn elements<T: Decode>(items: &DeArray<'_>, decoder: &mut Decoder<'_>) -> Vec<T> {
    items
        .iter()
        .filter_map(|item| T::decode(item, decoder))
        .collect()
}
