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
}

/// All attempts, in their order. The last one is stored inline, so that the single
/// attempt of most requests needs no allocation.
#[derive(Default)]
pub(crate) struct Attempts {
    earlier: Vec<Attempt>,
    last: Option<Attempt>,
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
        });
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
