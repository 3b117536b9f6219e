//! The cache tags of a response.

use janua_sdk::{Fetched, Phase, Template, Value, input_named};

use crate::at;

/// The largest number of tags in a verdict: the contract allows 16 effects, and the rule
/// is one of them.
const MOST: usize = 15;

/// The tags of a rule.
pub(crate) fn named(
    field: &str,
    tags: &[Template],
    phase: &mut Phase<Fetched>,
) -> Result<Vec<Value<Fetched>>, String> {
    let value = |tag: &Template| tag.value(phase).map_err(|message| at(field, &message));
    tags.iter().map(value).collect()
}

/// The tags in response fields of the upstream.
pub(crate) fn from_fields(
    names: &[String],
    phase: &mut Phase<Fetched>,
) -> Result<Vec<Value<Fetched>>, String> {
    let value = |name: &String| {
        let input = input_named(&["response_header:", name].concat())?;
        phase.refer(input).map(Value::from)
    };
    let values: Result<_, String> = names.iter().map(value).collect();
    values.map_err(|message| at("tags_from", &message))
}

/// Checks that the tags fit into a verdict.
pub(crate) fn fit(field: &str, count: usize) -> Result<(), String> {
    match count > MOST {
        true => Err(at(
            field,
            "with those of `tags_from`, a rule has at most 15 tags",
        )),
        false => Ok(()),
    }
}
