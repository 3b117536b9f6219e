//! When certificates are to be renewed (RFC 9773).

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::json;
use time::OffsetDateTime;

use super::asked::RENEWAL_INFO;
use crate::message::Reply;

/// The renewal information of a certificate.
#[derive(Clone, Debug)]
pub struct Renewal {
    start: SystemTime,
    end: SystemTime,
    explanation: Option<String>,
    retry_after: String,
}

impl Renewal {
    /// It is to be renewed between these times, and to be asked for again in six hours.
    #[must_use]
    pub fn between(start: SystemTime, end: SystemTime) -> Self {
        Self {
            start,
            end,
            explanation: None,
            retry_after: "21600".to_owned(),
        }
    }

    /// It was to be renewed an hour ago.
    #[must_use]
    pub fn overdue() -> Self {
        let now = SystemTime::now();
        Self::between(now - 2 * HOUR, now - HOUR)
    }

    /// It is to be renewed after so long, within an hour.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        let start = SystemTime::now() + time;
        Self::between(start, start + HOUR)
    }

    /// With a page that says why.
    #[must_use]
    pub fn explained(mut self, url: &str) -> Self {
        self.explanation = Some(url.to_owned());
        self
    }

    /// With another `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, value: &str) -> Self {
        value.clone_into(&mut self.retry_after);
        self
    }

    fn reply(&self) -> Reply {
        let window = json!({ "start": timestamp(self.start), "end": timestamp(self.end) });
        let mut body = json!({ "suggestedWindow": window });
        if let Some(url) = &self.explanation {
            body["explanationURL"] = json!(url);
        }
        Reply::ok(body.to_string())
            .header("Content-Type", "application/json")
            .header("Retry-After", &self.retry_after)
    }
}

/// The renewal information of all certificates.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    default: Option<Renewal>,
    own: HashMap<String, Renewal>,
}

impl Renewals {
    pub(super) fn set_default(&mut self, renewal: Renewal) {
        self.default = Some(renewal);
    }

    pub(super) fn set(&mut self, identifier: &str, renewal: Renewal) {
        self.own.insert(identifier.to_owned(), renewal);
    }

    /// Whether the directory offers any.
    pub(super) fn are_offered(&self) -> bool {
        self.default.is_some() || !self.own.is_empty()
    }

    pub(super) fn answer(&self, path: &str) -> Reply {
        let identifier = path.strip_prefix(RENEWAL_INFO).unwrap_or_default();
        let identifier = identifier.trim_start_matches('/');
        let found = self.own.get(identifier).or(self.default.as_ref());
        let unknown = || {
            let problem = json!({
                "type": "urn:ietf:params:acme:error:malformed",
                "detail": "the certificate was not found",
                "status": 404,
            });
            Reply::new(404)
                .header("Content-Type", "application/problem+json")
                .body(problem.to_string())
        };
        found.map_or_else(unknown, Renewal::reply)
    }
}

const HOUR: Duration = Duration::from_secs(3600);

/// As in RFC 3339.
fn timestamp(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
