//! The configuration document, read strictly.

use serde::de::DeserializeOwned;

/// Reads a configuration. Nothing at all counts as `{}`.
///
/// # Errors
/// The path to the field and what is wrong there, without the position in
/// the document: the operator wrote TOML, not this JSON.
pub(crate) fn read<C: DeserializeOwned>(json: &str) -> Result<C, String> {
    let json = match json.trim() {
        "" | "null" => "{}",
        json => json,
    };
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        match path.as_str() {
            "." => message.to_owned(),
            path => format!("`{path}`: {message}"),
        }
    })
}
