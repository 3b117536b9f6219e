//! The attempts at endpoints that one request led to.

use std::rc::Rc;
use std::time::Duration;

use janua_http::failure::Kind;
use tokio::time::Instant;

use crate::snapshot::LocalUpstream;

/// One attempt at an endpoint.
pub(crate) struct Attempt {
    pub(crate) upstream: Rc<LocalUpstream>,
    /// The endpoint's place in its upstream.
    pub(crate) endpoint: usize,
    /// How long it took to connect; none for a kept connection.
    pub(crate) connect: Option<Duration>,
    /// When the request was sent, how long its response's head took from then
    /// on, and when the response was complete.
    pub(crate) begin: Option<Instant>,
    pub(crate) head: Option<Duration>,
    pub(crate) end: Option<Instant>,
    /// Why another one followed, or none could.
    pub(crate) failure: Option<Kind>,
}

/// All attempts, in their order. A single one, as most requests have, costs no
/// memory beyond the record.
#[derive(Default)]
pub(crate) struct Attempts {
    earlier: Vec<Attempt>,
    last: Option<Attempt>,
}

impl Attempts {
    /// Another one begins.
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

    /// The last one so far.
    pub(crate) fn last(&self) -> Option<&Attempt> {
        self.last.as_ref()
    }

    /// All of them.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.earlier.iter().chain(&self.last)
    }

    /// The request is about to be sent: since when.
    pub(crate) fn sending(&mut self) -> Instant {
        let begin = self.last.as_ref().and_then(|last| last.begin);
        begin.unwrap_or_else(|| {
            let now = Instant::now();
            self.update(|last| last.begin = Some(now));
            now
        })
    }

    /// Something else took its time before the request is sent.
    pub(crate) fn restart(&mut self) {
        self.update(|last| last.begin = None);
    }

    /// The head of the response has come; after how long.
    pub(crate) fn head_came(&mut self) -> Duration {
        let begin = self.last.as_ref().and_then(|last| last.begin);
        let took = begin.map_or(Duration::ZERO, |begin| begin.elapsed());
        self.update(|last| last.head = Some(took));
        took
    }

    /// The whole response has come.
    pub(crate) fn complete(&mut self, now: Instant) {
        self.update(|last| last.end = Some(now));
    }

    /// It has failed.
    pub(crate) fn failed(&mut self, kind: Kind) {
        self.update(|last| last.failure = Some(kind));
    }

    /// It took so long to connect.
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
