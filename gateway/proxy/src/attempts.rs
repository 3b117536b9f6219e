//! The attempts at endpoints that were made for one request.

use std::rc::Rc;
use std::time::Duration;

use janua_http::failure::Kind;
use tokio::time::Instant;

use crate::snapshot::LocalUpstream;

/// One attempt at an endpoint.
pub(crate) struct Attempt {
    pub(crate) upstream: Rc<LocalUpstream>,
    /// The index of the endpoint in its upstream.
    pub(crate) endpoint: usize,
    /// How long it took to connect; none for a connection from the pool.
    pub(crate) connect: Option<Duration>,
    /// When the gateway began to send the request.
    pub(crate) begin: Option<Instant>,
    /// How long it took from then until the head of the response was received.
    pub(crate) head: Option<Duration>,
    /// When the response was complete.
    pub(crate) end: Option<Instant>,
    /// Why the attempt failed.
    pub(crate) failure: Option<Kind>,
    /// What came of it, if it did not fail and its response was not used.
    unused: Option<Unused>,
}

/// Why a response was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unused {
    /// It had this status, after which the request is sent again.
    Status(u16),
    /// Another endpoint was faster.
    Overtaken,
}

/// All attempts, in their order. The last one is stored inline, so that the single
/// attempt of most requests needs no allocation.
#[derive(Default)]
pub(crate) struct Attempts {
    earlier: Vec<Attempt>,
    last: Option<Attempt>,
    /// How long the request has waited because no endpoint could be reached.
    held: Option<Duration>,
    /// The request was not sent again, because too many were.
    is_over_budget: bool,
}

impl Attempts {
    /// Begins another attempt.
    pub(crate) fn begin(&mut self, upstream: &Rc<LocalUpstream>, endpoint: usize, now: Instant) {
        self.earlier.extend(self.last.take());
        self.last = Some(Attempt {
            upstream: Rc::clone(upstream),
            endpoint,
            connect: None,
            begin: Some(now),
            head: None,
            end: None,
            failure: None,
            unused: None,
        });
    }

    /// Forgets the latest attempt: it only has shown that there is still no endpoint.
    pub(crate) fn retract(&mut self) {
        self.last = self.earlier.pop();
    }

    /// Adds attempts that were made at the same time as the latest one. They come after it if
    /// their response is used, otherwise before it.
    pub(crate) fn merge(&mut self, others: Self, are_used: bool) {
        let own = match are_used {
            true => None,
            false => self.last.take(),
        };
        self.earlier.extend(self.last.take());
        self.earlier.extend(others.earlier);
        self.earlier.extend(others.last);
        self.last = own.or_else(|| self.earlier.pop());
    }

    /// The latest attempt.
    pub(crate) fn last(&self) -> Option<&Attempt> {
        self.last.as_ref()
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.earlier.len() + usize::from(self.last.is_some())
    }

    /// All attempts, in their order.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.earlier.iter().chain(&self.last)
    }

    /// Records that the request is about to be sent, and returns when.
    pub(crate) fn sending(&mut self) -> Instant {
        let begin = self.last.as_ref().and_then(|last| last.begin);
        begin.unwrap_or_else(|| {
            let now = Instant::now();
            self.update(|last| last.begin = Some(now));
            now
        })
    }

    /// Records that something else took its time before the request was sent.
    pub(crate) fn restart(&mut self) {
        self.update(|last| last.begin = None);
    }

    /// Records that the head of the response was received, and returns how long it
    /// took since the request was sent.
    pub(crate) fn head_received(&mut self) -> Duration {
        let begin = self.last.as_ref().and_then(|last| last.begin);
        let took = begin.map_or(Duration::ZERO, |begin| begin.elapsed());
        self.update(|last| last.head = Some(took));
        took
    }

    /// Records that the whole response was received.
    pub(crate) fn complete(&mut self, now: Instant) {
        self.update(|last| last.end = Some(now));
    }

    /// Records that the response of the latest attempt is not used because of its status.
    pub(crate) fn rejected(&mut self, status: u16) {
        self.update(|last| last.unused = Some(Unused::Status(status)));
    }

    /// Records that the latest attempt was given up because another endpoint has answered.
    pub(crate) fn overtaken(&mut self) {
        self.update(|last| last.unused = Some(Unused::Overtaken));
    }

    /// Records how long the request has waited for an endpoint.
    pub(crate) fn held(&mut self, waited: Duration) {
        self.held = Some(self.held.unwrap_or_default() + waited);
    }

    /// Records that the request was not sent again because too many were.
    pub(crate) fn over_budget(&mut self) {
        self.is_over_budget = true;
    }

    /// What the access log says of them beyond the latest one. Nothing for a request that was sent
    /// once.
    pub(crate) fn notes(&self) -> Vec<(&'static str, String)> {
        let mut notes = Vec::new();
        if self.count() > 1 {
            let all = self.earlier.iter().chain(&self.last);
            let all: Vec<String> = all.map(Attempt::words).collect();
            notes.push(("attempts", all.join(", ")));
        }
        if let Some(held) = self.held {
            notes.push(("hold", format!("{} ms", held.as_millis())));
        }
        if self.is_over_budget {
            notes.push(("retries", "budget".to_owned()));
        }
        notes
    }

    /// Records that the latest attempt failed.
    pub(crate) fn failed(&mut self, kind: Kind) {
        self.update(|last| last.failure = Some(kind));
    }

    /// Records how long it took to connect.
    pub(crate) fn connected(&mut self, took: Duration) {
        self.update(|last| {
            last.connect = Some(took);
            last.begin = None;
        });
    }

    fn update(&mut self, update: impl FnOnce(&mut Attempt)) {
        if let Some(last) = &mut self.last {
            update(last);
        }
    }
}

impl Attempt {
    /// Its endpoint, and what became of it.
    fn words(&self) -> String {
        let endpoint = self.upstream.forwarding.stats.endpoint(self.endpoint);
        match (self.failure, self.unused) {
            (Some(kind), _) => format!("{endpoint} {}", kind.word()),
            (None, Some(Unused::Status(status))) => format!("{endpoint} {status}"),
            (None, Some(Unused::Overtaken)) => format!("{endpoint} overtaken"),
            (None, None) => endpoint.to_owned(),
        }
    }
}
