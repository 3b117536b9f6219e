//! JSON text with placeholders, the body of a call that the operator writes: each
//! placeholder is replaced by a JSON value.

use serde_json::Value;

use crate::decode::{Decoder, Node};
use crate::diagnostic::Diagnostic;

/// A placeholder, without its braces, and a value of the kind that replaces it.
pub(crate) type Place = (&'static str, fn() -> Value);

/// The text with the placeholders replaced. Inserted values are not searched for
/// placeholders.
pub(crate) fn fill(text: &str, places: &[Place], value: impl Fn(&str) -> Value) -> String {
    let is_place = |name: &str| places.iter().any(|(place, _)| *place == name);
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let place = after.split_once('}');
        rest = match place.filter(|(name, _)| is_place(name)) {
            Some((name, after)) => {
                filled.push_str(&value(name).to_string());
                after
            }
            None => {
                filled.push('{');
                after
            }
        };
    }
    filled + rest
}

/// Reads a text that is JSON once its placeholders are replaced. The help shows
/// `example`.
pub(crate) fn decode(
    node: &Node<'_>,
    decoder: &mut Decoder<'_>,
    kind: &str,
    places: &[Place],
    example: &str,
) -> Option<String> {
    let text = decoder.text(node, kind)?;
    let filled = fill(text, places, |name| {
        let place = places.iter().find(|(place, _)| *place == name);
        place.map_or(Value::Null, |(_, value)| value())
    });
    let Err(why) = serde_json::from_str::<serde::de::IgnoredAny>(&filled) else {
        return Some(text.to_owned());
    };
    let span = decoder.span(node);
    let why = why.to_string();
    // The line and column refer to the filled-in text, which the operator never
    // sees.
    let why = why.split(" at line ").next().unwrap_or_default();
    let names: Vec<String> = places
        .iter()
        .map(|(name, _)| format!("`{{{name}}}`"))
        .collect();
    let names = match names.split_last() {
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    };
    decoder.refuse(
        Diagnostic::error(span, format!("the body is not JSON: {why}")).help(format!(
            "the places are {names}, without quotes: `{example}`"
        )),
    )
}
