//! Why an endpoint is not up: the one conclusion from all that is known of it.

use std::fmt;

use crate::check::CheckFailing;
use crate::endpoint::Endpoint;
use crate::health::{Health, PassiveHealth};

/// Why an endpoint is not up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ill {
    /// Its name has no address.
    Unresolved,
    /// It is new, and its first check has no result yet.
    Unknown,
    /// Its checks fail.
    Checks(CheckFailing),
    /// Its requests fail.
    Requests(FailingRequests),
}

/// Requests that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailingRequests {
    /// The word of the last failure.
    pub word: &'static str,
    /// Failures without a success in between. 0 if there was one since; the endpoint was ejected
    /// before.
    pub count: u32,
    /// When the first of them happened.
    pub since_ms: Option<u64>,
    /// It gets no requests for a while.
    pub is_ejected: bool,
}

impl Ill {
    /// The conclusion about an endpoint. `rule` is what ejects it, if anything does.
    pub(super) fn of(endpoint: &Endpoint, rule: Option<&PassiveHealth>) -> Option<Self> {
        if !endpoint.is_resolved() {
            return Some(Self::Unresolved);
        }
        let state = endpoint.check_cell().state();
        if !state.admits() {
            let failing = endpoint.checks().failing;
            return Some(failing.map_or(Self::Unknown, Self::Checks));
        }
        let outlier = endpoint.ejection();
        let is_ejected = outlier.is_some()
            || rule.is_some() && !matches!(endpoint.health(), Health::Healthy { .. });
        let failures = endpoint.failures_in_a_row();
        // An endpoint whose requests all fail is not up, although they are too few in a time for
        // it to be ejected.
        let least = match rule {
            Some(rule) => rule.max_fails,
            None => endpoint.group().sweep.failures().unwrap_or(1),
        };
        let is_failing = failures > 0 && failures >= least;
        (is_ejected || is_failing).then(|| {
            let failing = endpoint.failing();
            Self::Requests(FailingRequests {
                word: match outlier {
                    Some(ejection) => ejection.why.word(),
                    None => endpoint.last_failure().unwrap_or("unknown"),
                },
                count: failing.map_or(0, |failing| failing.count),
                since_ms: failing
                    .map(|failing| failing.since_ms)
                    .or_else(|| outlier.map(|ejection| ejection.since_ms)),
                is_ejected,
            })
        })
    }

    /// The word of the last failure.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unresolved => "dns",
            Self::Unknown => "unchecked",
            Self::Checks(failing) => failing.failure.word,
            Self::Requests(failing) => failing.word,
        }
    }

    /// What failed: `check` or `requests`; or `name`.
    pub fn source(&self) -> &'static str {
        match self {
            Self::Unresolved => "name",
            Self::Unknown | Self::Checks(_) => "check",
            Self::Requests(_) => "requests",
        }
    }

    /// How often in a row.
    pub fn count(&self) -> u32 {
        match self {
            Self::Unresolved | Self::Unknown => 0,
            Self::Checks(failing) => failing.count,
            Self::Requests(failing) => failing.count,
        }
    }

    /// Since when, in milliseconds on the caller's clock.
    pub fn since_ms(&self) -> Option<u64> {
        match self {
            Self::Unresolved | Self::Unknown => None,
            Self::Checks(failing) => Some(failing.since_ms),
            Self::Requests(failing) => failing.since_ms,
        }
    }

    /// What is known of the last failure beyond its word.
    pub fn detail(&self) -> &str {
        match self {
            Self::Checks(failing) => &failing.failure.detail,
            _ => "",
        }
    }

    /// The status that failed a check.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Checks(failing) => failing.failure.status,
            _ => None,
        }
    }

    /// Whether requests are sent to it nevertheless.
    pub fn is_tried(&self) -> bool {
        matches!(self, Self::Requests(failing) if !failing.is_ejected)
    }
}

/// What failed, in a few words without anything that names the endpoint.
impl fmt::Display for Ill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved => f.write_str("no address"),
            Self::Unknown => f.write_str("not checked yet"),
            Self::Checks(_) | Self::Requests(_) => {
                write!(f, "{} {}", self.source(), self.word())?;
                self.status()
                    .map_or(Ok(()), |status| write!(f, " {status}"))
            }
        }
    }
}
