//! A service of the operator's that changes a zone, called over HTTP.
//!
//! It is an adapter that the operator writes once for the API of a DNS provider,
//! of which there are hundreds. Its two requests and their responses are:
//!
//! ```text
//! POST {"action": "present", "domain": "example.com",
//!       "name": "_acme-challenge.example.com", "value": "…"}
//! 200  {"record": "whatever finds the record again"}     (or any 2xx)
//!
//! POST {"action": "cleanup", "domain": "example.com",
//!       "name": "_acme-challenge.example.com", "value": "…",
//!       "record": "whatever finds the record again"}     (or null)
//! 200                                                    (or any 2xx)
//! ```
//!
//! Calls block, as those of the webhooks that tell a CDN of a purge: `ureq` is
//! small, and serves both. Redirects are not followed, because the token is meant
//! for the configured host only.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Uri;

use crate::error::Error;

/// The most bytes of a response that are read. One with more counts as having no
/// record.
const ANSWER_BYTES: u64 = 64 * 1024;

/// The most characters of a refusal that are repeated in an error.
const REASON: usize = 200;

/// How long a call may take, in which the service may have to wait for the
/// provider.
const LIMIT: Duration = Duration::from_secs(60);

/// A service that adds and removes TXT records. It keeps connections open.
pub struct Webhook {
    url: String,
    token: Option<String>,
    limit: Duration,
    agent: OnceLock<Agent>,
}

impl Webhook {
    /// Opens no connection and reads no certificates before the first call. The
    /// URL is of `http` or `https`; the token is sent as `Authorization: Bearer`
    /// (RFC 6750).
    #[must_use]
    pub fn new(url: String, token: Option<String>) -> Self {
        Self {
            url,
            token,
            limit: LIMIT,
            agent: OnceLock::new(),
        }
    }

    /// With another time limit for a call than a minute.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self {
            limit,
            agent: OnceLock::new(),
            ..self
        }
    }

    /// Has a TXT record with this value added at the name, beside those that are
    /// there. Returns the member `record` of the response, if it is a JSON object
    /// that has one, for [`Webhook::cleanup`]. Blocks.
    ///
    /// # Errors
    /// If the service refuses or does not answer in time.
    pub fn present(&self, domain: &str, name: &str, value: &str) -> Result<Option<Value>, Error> {
        let body = json!({
            "action": "present",
            "domain": domain,
            "name": name,
            "value": value,
        });
        let answer = self.call(&body)?;
        let answer = serde_json::from_slice(&answer).unwrap_or_default();
        Ok(match answer {
            Value::Object(mut members) => members.remove("record"),
            _ => None,
        })
    }

    /// Has the TXT record removed. `record` is what [`Webhook::present`] returned.
    /// Blocks.
    ///
    /// # Errors
    /// If the service refuses or does not answer in time.
    pub fn cleanup(
        &self,
        domain: &str,
        name: &str,
        value: &str,
        record: Option<&Value>,
    ) -> Result<(), Error> {
        let body = json!({
            "action": "cleanup",
            "domain": domain,
            "name": name,
            "value": value,
            "record": record,
        });
        self.call(&body).map(drop)
    }

    /// The body of a response that accepts the call.
    fn call(&self, body: &Value) -> Result<Vec<u8>, Error> {
        let mut request = self
            .agent()
            .post(&self.url)
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let sent = request.send(body.to_string());
        let mut response =
            sent.map_err(|error| self.error(&format!("cannot be called: {error}")))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES);
        // If the body cannot be read, the status alone must do.
        let body = body.read_to_vec().unwrap_or_default();
        match status {
            200..=299 => Ok(body),
            300..=399 => {
                let status = format!("answered {status}, but redirects are not followed");
                Err(self.error(&status))
            }
            _ => {
                let reason = self.reason(&body);
                Err(self.error(&format!("answered {status}{reason}")))
            }
        }
    }

    /// What a refusal says, as the end of a sentence.
    fn reason(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let mut words = text.split_whitespace();
        let repeats_token = |token: &String| !token.is_empty() && text.contains(token);
        if self.token.as_ref().is_some_and(repeats_token) || words.next().is_none() {
            return String::new();
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let printable = { words.join(" ") }.replace(char::is_control, "");
        let reason: String = printable.chars().take(REASON).collect();
        format!(": {reason}")
    }

    /// An error that names the host alone, because the rest of a URL may be
    /// secret.
    fn error(&self, what: &str) -> Error {
        let uri = self.url.parse::<Uri>().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or("?");
        let end = if what.ends_with('.') { "" } else { "." };
        Error::new(format!("The service for DNS records at {host} {what}{end}"))
    }

    fn agent(&self) -> &Agent {
        self.agent.get_or_init(|| janua_webhook::agent(self.limit))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}
