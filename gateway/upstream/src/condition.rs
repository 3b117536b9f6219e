//! Whether an endpoint is up, for the operator, and what is said when that changes.
//!
//! The gateway knows of an endpoint what its checks say ([`crate::check`]), whether requests
//! ejected it ([`crate::health`]), and whether all of its requests fail
//! ([`crate::failure_streak`]). [`Ill`] is the one conclusion, which status, metrics, log and
//! webhooks share. It is not the same as whether the endpoint gets requests: the only endpoint of
//! an upstream gets them although they all fail, and is not up.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::address::Address;
use crate::check::CheckFailing;
use crate::endpoint::Endpoint;
use crate::health::{Health, PassiveHealth};
use crate::upstream::{Member, Upstream};

/// The shortest time between two messages of the log that an endpoint is down, in milliseconds.
/// One that fails now and then would otherwise fill the log.
const QUIET_MS: u64 = 10_000;
/// The most endpoints whose failures are named if none is up.
const MOST_NAMED: usize = 8;

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

/// A change that is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The name of the upstream.
    pub upstream: Box<str>,
    /// The address of the endpoint, as configured.
    pub endpoint: Address,
    /// What it was.
    pub from: Shown,
    /// Why it is down now; none if it is up.
    pub ill: Option<Ill>,
    /// How long it was what it was before, in milliseconds.
    pub lasted_ms: u64,
    /// How long it has failed already, in milliseconds, if it is down.
    pub failing_ms: u64,
    /// A command has taken it out.
    pub is_draining: bool,
}

/// What operators have been told of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// It is new, and nothing is known of it.
    New,
    /// It is up.
    #[default]
    Up,
    /// It is down.
    Down,
}

impl Shown {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Ill {
    /// The conclusion about an endpoint. `rule` is what ejects it, if anything does.
    fn of(endpoint: &Endpoint, rule: Option<&PassiveHealth>) -> Option<Self> {
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

/// Who is told of changes, apart from the log. Called on any thread, workers included: it must
/// return at once.
pub type Observer = Box<dyn Fn(&Transition) + Send + Sync>;

/// The observer of all endpoints, once there is one.
#[derive(Default)]
pub(crate) struct Observed(OnceLock<Observer>);

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observed")
    }
}

impl Observed {
    /// Tells this one from now on, unless there is one already.
    pub(crate) fn set(&self, observer: Observer) {
        let _ = self.0.set(observer);
    }

    fn tell(&self, transition: &Transition) {
        if let Some(observer) = self.0.get() {
            observer(transition);
        }
    }
}

/// What has been said of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct ConditionCell(Mutex<Told>);

#[derive(Debug, Clone, Copy, Default)]
struct Told {
    shown: Shown,
    since_ms: u64,
    /// The log has a message that the endpoint is down.
    is_logged: bool,
    /// When it was last said to be down.
    logged_ms: Option<u64>,
}

impl ConditionCell {
    /// Nothing is known of the endpoint from now on.
    pub(crate) fn forget(&self) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.shown = Shown::New;
        told.is_logged = false;
    }
}

impl Told {
    /// What is said from now on. Returns none if that is what was said before.
    fn after(self, ill: Option<&Ill>, now_ms: u64) -> Option<Self> {
        let shown = match ill {
            // Nothing is known, or what is known is said by the resolver.
            Some(Ill::Unknown | Ill::Unresolved) => return None,
            Some(Ill::Checks(_) | Ill::Requests(_)) => Shown::Down,
            None => Shown::Up,
        };
        if shown == self.shown {
            return None;
        }
        let is_quiet = self
            .logged_ms
            .is_some_and(|logged_ms| now_ms < logged_ms.saturating_add(QUIET_MS));
        let is_logged = shown == Shown::Down && !is_quiet;
        Some(Self {
            shown,
            since_ms: now_ms,
            is_logged,
            logged_ms: if is_logged {
                Some(now_ms)
            } else {
                self.logged_ms
            },
        })
    }
}

/// Says what has changed about an endpoint, if anything has. `rule` is what ejects it.
pub(crate) fn review(endpoint: &Endpoint, rule: Option<&PassiveHealth>, now_ms: u64) {
    let cell = endpoint.condition_cell();
    let mut told = cell.0.lock().unwrap_or_else(PoisonError::into_inner);
    // Within the lock, so that of two changes the later one is said last.
    let ill = Ill::of(endpoint, rule);
    let Some(next) = told.after(ill.as_ref(), now_ms) else {
        return;
    };
    let before = std::mem::replace(&mut *told, next);
    let since_ms = ill.as_ref().and_then(Ill::since_ms);
    let transition = Transition {
        upstream: endpoint.upstream().into(),
        endpoint: endpoint.address().clone(),
        from: before.shown,
        lasted_ms: now_ms.saturating_sub(before.since_ms),
        failing_ms: since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms)),
        is_draining: endpoint.is_draining(),
        ill,
    };
    transition.log(next.is_logged || before.is_logged || before.shown == Shown::New);
    endpoint.group().observed().tell(&transition);
}

impl Transition {
    /// What it is now.
    pub fn to(&self) -> Shown {
        match self.ill {
            Some(_) => Shown::Down,
            None => Shown::Up,
        }
    }

    /// Writes it to the log. What is not worth a message can still be found by who looks for it.
    fn log(&self, is_worth_it: bool) {
        let (upstream, endpoint) = (&*self.upstream, &self.endpoint);
        let from = self.from.word();
        let seconds = |ms: u64| ms / 1000;
        let Some(ill) = &self.ill else {
            let lasted_s = seconds(self.lasted_ms);
            match self.from {
                Shown::New => tracing::info!(upstream, %endpoint, from, "endpoint is up"),
                _ if is_worth_it => {
                    tracing::info!(upstream, %endpoint, from, lasted_s, "endpoint is back");
                }
                _ => tracing::debug!(upstream, %endpoint, from, lasted_s, "endpoint is back"),
            }
            return;
        };
        let (failed, failure) = (ill.source(), ill.word());
        let (status, detail) = (ill.status(), Some(ill.detail()).filter(|it| !it.is_empty()));
        let (count, failing_s) = (ill.count(), seconds(self.failing_ms));
        let message = match ill.is_tried() {
            true => "endpoint is down; requests are still sent to it",
            false => "endpoint is down",
        };
        if is_worth_it {
            tracing::warn!(
                upstream, %endpoint, from, failed, failure, status, detail, count, failing_s,
                "{message}"
            );
        } else {
            tracing::debug!(
                upstream, %endpoint, from, failed, failure, status, detail, count, failing_s,
                "{message}"
            );
        }
    }
}

impl Upstream {
    /// Why an endpoint of this upstream is not up; none if it is.
    pub fn ill(&self, member: &Member) -> Option<Ill> {
        Ill::of(&member.endpoint, self.rule())
    }

    /// Whether an endpoint of this upstream is up.
    pub fn is_up(&self, member: &Member) -> bool {
        self.ill(member).is_none()
    }

    /// Says what has changed about an endpoint, if anything has.
    pub(crate) fn review(&self, member: &Member, now_ms: u64) {
        review(&member.endpoint, self.rule(), now_ms);
    }

    /// What is wrong with each endpoint, in the order of the configuration. Without addresses,
    /// since clients may read it; at most a few of many.
    pub fn why_none_is_up(&self) -> String {
        use fmt::Write as _;
        let members = self.members();
        let several = members.len() > 1;
        let mut words = String::new();
        let mut named = 0;
        let mut more = 0;
        for (index, member) in members.iter().enumerate() {
            let Some(ill) = self.ill(member) else {
                continue;
            };
            if named == MOST_NAMED {
                more += 1;
                continue;
            }
            let separator = if named > 0 { "; " } else { "" };
            let _ = match several {
                true => write!(words, "{separator}endpoint {}: {ill}", index + 1),
                false => write!(words, "{ill}"),
            };
            named += 1;
        }
        if more > 0 {
            let _ = write!(words, "; and {more} more");
        }
        words
    }
}

#[cfg(test)]
mod tests;
