//! The configuration document, read strictly.
//!
//! A JSON reader of our own rather than `serde_json` and
//! `serde_path_to_error`: those were 70 KB of a component, much of it the
//! printing of floating-point numbers, and their messages speak of lines and
//! columns of a document that the operator, who writes TOML, never sees.

mod error;
mod json;
mod node;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;

/// Reads a configuration, which is one JSON document; [`crate::export!`] does
/// it for a policy. Nothing at all counts as `{}`.
///
/// Numbers with a fraction are read by fields of type `f64` or `f32` only,
/// not inside of an untagged enum.
///
/// # Errors
/// The path to the field and what is wrong there.
pub fn read<C: DeserializeOwned>(json: &str) -> Result<C, String> {
    let node = match json.trim() {
        "" | "null" => node::Node::Table(Vec::new()),
        json => json::parse(json)?,
    };
    C::deserialize(node).map_err(|error| error.to_string())
}
