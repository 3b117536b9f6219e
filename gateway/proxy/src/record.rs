//! What the access log and the metrics say of an exchange. Filled in on the
//! way, written once at its end.

use std::rc::Rc;
use std::time::Duration;

use janua_http::Failure;
use janua_http::failure::Kind;
use tokio::time::Instant;

use crate::caching::Report;
use crate::facts::AnsweredBy;
use crate::snapshot::LocalUpstream;

/// What is known of an exchange so far.
#[derive(Default)]
pub(crate) struct Record {
    /// The status that went to the client.
    pub(crate) status: Option<u16>,
    pub(crate) failure: Option<Kind>,
    pub(crate) answered_by: Option<AnsweredBy>,
    /// Policies and what they want said.
    pub(crate) notes: Vec<(Box<str>, Box<str>)>,
    /// The upstream and the place of the endpoint that was asked last.
    pub(crate) endpoint: Option<(Rc<LocalUpstream>, usize)>,
    pub(crate) connect: Option<Duration>,
    pub(crate) head: Option<Duration>,
    /// When the request was sent to the endpoint, and when its response was complete.
    pub(crate) upstream_begin: Option<Instant>,
    pub(crate) upstream_end: Option<Instant>,
    /// Bytes of body from the client.
    pub(crate) bytes_in: u64,
    /// Bytes of body to the client.
    pub(crate) bytes_out: u64,
}

/// What the log says about the asking.
pub(crate) struct Fetched {
    pub(crate) record: Record,
    pub(crate) report: Report,
}

impl Record {
    /// Keeps the first failure: what follows is its consequence.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        if self.failure.is_none() {
            self.failure = Some(failure.kind);
            if !failure.detail.is_empty() {
                self.notes
                    .push((failure.kind.word().into(), failure.detail.as_ref().into()));
            }
        }
    }

    /// The request goes to an endpoint.
    pub(crate) fn begin_upstream(&mut self) {
        self.upstream_begin = Some(Instant::now());
    }

    /// How long ago that was.
    pub(crate) fn since_begin(&self) -> Duration {
        self.upstream_begin
            .map_or(Duration::ZERO, |begin| begin.elapsed())
    }

    /// The upstream's response has come to its end.
    pub(crate) fn end_upstream(&mut self) {
        self.upstream_end = Some(Instant::now());
    }
}
