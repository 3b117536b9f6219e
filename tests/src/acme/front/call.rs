//! One request to an authority.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Asked;
use crate::message::Received;

/// A request as it arrived, and how it was answered.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was asked.
    pub asked: Asked,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The field `User-Agent`.
    pub user_agent: Option<String>,
    /// The protected header of the JWS; null if it is none.
    pub protected: Value,
    /// The payload of the JWS; null if it is none, or a POST-as-GET (RFC 8555, section 6.3).
    pub payload: Value,
    /// The status of the response; none before there is one, and if there never is.
    pub status: Option<u16>,
    /// The body of the response if it is JSON, otherwise null.
    pub answer: Value,
}

impl Call {
    pub(super) fn of(request: &Received) -> Self {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        Self {
            asked: Asked::at(&request.target),
            method: request.method.clone(),
            path: request.target.clone(),
            user_agent: request.header("user-agent").map(ToOwned::to_owned),
            protected: decoded(&body["protected"]),
            payload: decoded(&body["payload"]),
            status: None,
            answer: Value::Null,
        }
    }

    /// Whether the authority did what was asked.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }

    /// The names of a new order, in the order sent.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let identifiers = self.payload["identifiers"].as_array();
        let values = identifiers.into_iter().flatten();
        values
            .filter_map(|identifier| identifier["value"].as_str())
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The protected header of the external account binding of a new account (RFC 8555, section
    /// 7.3.4); null without one.
    #[must_use]
    pub fn binding(&self) -> Value {
        decoded(&self.payload["externalAccountBinding"]["protected"])
    }
}

/// A part of a JWS in its JSON serialization.
fn decoded(part: &Value) -> Value {
    let bytes = part.as_str().map(|text| URL_SAFE_NO_PAD.decode(text));
    let bytes = bytes.and_then(Result::ok).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
