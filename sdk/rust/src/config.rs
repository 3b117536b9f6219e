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

/// Reads a configuration. Nothing at all counts as `{}`.
///
/// # Errors
/// The path to the field and what is wrong there.
pub(crate) fn read<C: DeserializeOwned>(json: &str) -> Result<C, String> {
    let node = match json.trim() {
        "" | "null" => node::Node::Table(Vec::new()),
        json => json::parse(json)?,
    };
    C::deserialize(node).map_err(|error| error.to_string())
}
