//! `janua version`.

use serde_json::json;

use super::Output;

/// The policy contract that this version implements.
const CONTRACT: &str = "janua:policy@0.1";

pub(super) fn version() -> Output {
    let version = env!("CARGO_PKG_VERSION");
    Output {
        person: format!("janua {version}, policies of {CONTRACT}"),
        json: json!({ "version": version, "contract": CONTRACT }),
    }
}
