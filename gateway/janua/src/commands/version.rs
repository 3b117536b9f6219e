//! `janua version`.

use serde_json::json;

use super::Answer;

/// The contract with policies that this version speaks.
const CONTRACT: &str = "janua:policy@0.1";

pub(super) fn version() -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    Answer {
        person: format!("janua {version}, policies of {CONTRACT}"),
        json: json!({ "version": version, "contract": CONTRACT }),
    }
}
