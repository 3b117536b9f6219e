//! What the clients have seen, and which of their failures are explained.
//!
//! An upstream that dies may fail three kinds of requests, and no others:
//!
//! 1. **A POST that was in progress when an endpoint died** gets 502 with
//!    `connection_terminated`: a byte of it was sent, so that the application may have carried
//!    it out, and it is never repeated (RFC 9110, section 9.2.2).
//! 2. **A response whose body was in progress when its own endpoint died** ends early, with the
//!    connection: a part of it is sent, and cannot be taken back. `X-Endpoint` in its head says
//!    which endpoint that was.
//! 3. **A call of gRPC that was in progress when its endpoint died** ends with the status 14,
//!    UNAVAILABLE: in the head if the server had sent none, otherwise in the trailers. A call of
//!    gRPC-Web of which a part of a message was sent is one of the second kind.
//!
//! Such a failure is explained only if the request overlaps the time in which the endpoint was
//! dying: from the moment when it was told to until its last socket was closed. An endpoint that
//! has died refuses connections, which fails no request, since there is another endpoint.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

/// Everything that is counted. All counters are by a word.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
}

/// The counters, and what went wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    /// Response heads by route and status.
    pub(crate) answers: BTreeMap<(&'static str, u16), u64>,
    /// Connections by listener.
    pub(crate) connections: BTreeMap<&'static str, u64>,
    /// Handshakes by version, and whether they resumed a session.
    pub(crate) handshakes: BTreeMap<(String, bool), u64>,
    /// Completed visits by kind.
    pub(crate) visits: BTreeMap<&'static str, u64>,
    /// Events by name: turns, refused reloads, clients that left, and so on.
    pub(crate) events: BTreeMap<&'static str, u64>,
    /// What should not have happened.
    pub(crate) violations: Vec<String>,
    deaths: Vec<Death>,
}

/// The time in which an endpoint was dying.
#[derive(Clone, Debug)]
struct Death {
    endpoint: &'static str,
    end: Option<Instant>,
}

/// The number of violations after which a soak ends.
const ENOUGH: usize = 10;

impl Ledger {
    /// Counts the head of a response.
    pub(crate) fn answered(&self, route: &'static str, status: u16) {
        *self.lock().answers.entry((route, status)).or_default() += 1;
    }

    /// Counts a connection to a listener.
    pub(crate) fn connected(&self, listener: &'static str) {
        *self.lock().connections.entry(listener).or_default() += 1;
    }

    /// Counts a handshake.
    pub(crate) fn shook_hands(&self, version: &str, is_resumed: bool) {
        let key = (version.to_owned(), is_resumed);
        *self.lock().handshakes.entry(key).or_default() += 1;
    }

    /// Counts a visit.
    pub(crate) fn visited(&self, kind: &'static str) {
        *self.lock().visits.entry(kind).or_default() += 1;
    }

    /// Counts an event.
    pub(crate) fn noted(&self, event: &'static str) {
        *self.lock().events.entry(event).or_default() += 1;
    }

    /// Records what should not have happened.
    pub(crate) fn violated(&self, what: impl Into<String>) {
        let what = what.into();
        eprintln!("soak: violated: {what}");
        self.lock().violations.push(what);
    }

    /// Whether so much went wrong that more of it says nothing new.
    pub(crate) fn has_enough(&self) -> bool {
        self.lock().violations.len() >= ENOUGH
    }

    /// An endpoint begins to die.
    pub(crate) fn dies(&self, endpoint: &'static str) {
        let death = Death {
            endpoint,
            end: None,
        };
        self.lock().deaths.push(death);
    }

    /// The last socket of the endpoint that dies is closed.
    pub(crate) fn has_died(&self) {
        if let Some(death) = self.lock().deaths.last_mut() {
            death.end = Some(Instant::now());
        }
    }

    /// Whether an endpoint, or the one with this name, was dying at some time since then.
    pub(crate) fn was_dying_since(&self, endpoint: Option<&str>, since: Instant) -> bool {
        let pages = self.lock();
        let mut deaths = pages.deaths.iter();
        deaths.any(|death| {
            endpoint.is_none_or(|name| name == death.endpoint)
                && death.end.is_none_or(|end| end >= since)
        })
    }

    /// All counters so far.
    pub(crate) fn read(&self) -> Pages {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().expect("no panic while it is held")
    }
}

impl Pages {
    /// The number of an event.
    pub(crate) fn event(&self, name: &str) -> u64 {
        self.events.get(name).copied().unwrap_or_default()
    }

    /// Failures that an outage explains.
    pub(crate) fn explained(&self) -> u64 {
        let events = [
            "cut with their endpoint",
            "not repeated",
            "calls that failed with their endpoint",
        ];
        events.iter().map(|name| self.event(name)).sum()
    }

    /// All responses.
    pub(crate) fn requests(&self) -> u64 {
        self.answers.values().sum()
    }
}
