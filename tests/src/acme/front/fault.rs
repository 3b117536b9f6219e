//! What goes wrong with requests to an authority.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

use super::Asked;

/// What happens instead of the answer of the authority, which does not see the request, except
/// with [`Self::Processing`].
#[derive(Clone, Debug)]
pub enum Fault {
    /// A problem document (RFC 7807), with a `Retry-After`.
    Problem {
        /// The status.
        status: u16,
        /// The document.
        problem: Value,
        /// The value of the field.
        retry_after: Option<String>,
    },
    /// A status whose body is not JSON, as of a server before the authority.
    Page(u16),
    /// The connection is reset.
    Reset,
    /// There is no answer, until the client closes the connection.
    Hang,
    /// The authority answers, but the order is said to be in work, with this `Retry-After` in
    /// seconds. For [`Asked::Finalize`] and [`Asked::Order`].
    Processing {
        /// The value of the field.
        retry_after: u64,
    },
}

impl Fault {
    /// 429 with a `Retry-After` in seconds.
    #[must_use]
    pub fn rate_limited(seconds: u64) -> Self {
        Self::rate_limited_until(&seconds.to_string())
    }

    /// 429 with a `Retry-After` as it is written, such as a date.
    #[must_use]
    pub fn rate_limited_until(retry_after: &str) -> Self {
        Self::Problem {
            status: 429,
            problem: json!({
                "type": "urn:ietf:params:acme:error:rateLimited",
                "detail": "too many certificates (5) already issued for this set of names",
                "status": 429,
            }),
            retry_after: Some(retry_after.to_owned()),
        }
    }

    /// 400, because the nonce is not valid any more.
    #[must_use]
    pub fn bad_nonce() -> Self {
        Self::problem(400, "badNonce", "the nonce is not valid")
    }

    /// 500.
    #[must_use]
    pub fn internal() -> Self {
        Self::problem(500, "serverInternal", "the database is busy")
    }

    /// 400, because of these names, each of which has a subproblem (RFC 8555, section 6.7.1).
    #[must_use]
    pub fn rejected(names: &[&str]) -> Self {
        let mut document = document(400, "rejectedIdentifier", "some names are not allowed");
        let subproblem = |name: &&str| {
            json!({
                "type": "urn:ietf:params:acme:error:rejectedIdentifier",
                "detail": format!("the policy forbids issuing for {name}"),
                "identifier": { "type": "dns", "value": name },
            })
        };
        document["subproblems"] = names.iter().map(subproblem).collect();
        Self::Problem {
            status: 400,
            problem: document,
            retry_after: None,
        }
    }

    /// A problem of a type of ACME, by its last part.
    #[must_use]
    pub fn problem(status: u16, kind: &str, detail: &str) -> Self {
        Self::Problem {
            status,
            problem: document(status, kind, detail),
            retry_after: None,
        }
    }
}

fn document(status: u16, kind: &str, detail: &str) -> Value {
    json!({
        "type": format!("urn:ietf:params:acme:error:{kind}"),
        "detail": detail,
        "status": status,
    })
}

/// The faults that wait for requests.
#[derive(Debug, Default)]
pub(super) struct Faults(HashMap<Asked, VecDeque<(usize, Fault)>>);

impl Faults {
    pub(super) fn add(&mut self, asked: Asked, times: usize, fault: Fault) {
        let waiting = self.0.entry(asked).or_default();
        waiting.push_back((times, fault));
    }

    pub(super) fn clear(&mut self, asked: Asked) {
        self.0.remove(&asked);
    }

    /// The fault of the next request of this kind, which is used up by that.
    pub(super) fn take(&mut self, asked: Asked) -> Option<Fault> {
        let waiting = self.0.get_mut(&asked)?;
        while waiting.front().is_some_and(|(times, _)| *times == 0) {
            waiting.pop_front();
        }
        let (times, fault) = waiting.front_mut()?;
        *times -= 1;
        Some(fault.clone())
    }
}
