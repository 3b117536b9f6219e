//! Reads the configuration of a policy.
//!
//! The SDK has its own JSON reader. `serde_json` and `serde_path_to_error` add 70 KB to
//! a component, mostly for printing floating-point numbers, and their messages refer to
//! lines and columns of a JSON document, whereas the operator writes TOML.

mod error;
mod json;
mod node;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;

/// Reads a configuration, which is a JSON document. An empty document and `null` count
/// as `{}`. For a policy, [`crate::export!`] calls this function.
///
/// Numbers with a fraction are accepted only by fields of type `f64` or `f32`, and not
/// inside an untagged enum.
///
/// # Errors
/// A message that begins with the path to the field.
pub fn read<C: DeserializeOwned>(json: &str) -> Result<C, String> {
    let node = match json.trim() {
        "" | "null" => node::Node::Table(Vec::new()),
        json => json::parse(json)?,
    };
    C::deserialize(node).map_err(|error| error.to_string())
}
