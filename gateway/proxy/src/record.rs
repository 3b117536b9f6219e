//! What the access log and the metrics say of an exchange. Filled in on the
//! way, written once at its end.

use crate::attempts::Attempts;
use crate::caching::Report;
use crate::facts::AnsweredBy;
use janua_http::Failure;
use janua_http::failure::Kind;

/// What is known of an exchange so far.
#[derive(Default)]
pub(crate) struct Record {
    /// The status that went to the client.
    pub(crate) status: Option<u16>,
    pub(crate) failure: Option<Kind>,
    pub(crate) answered_by: Option<AnsweredBy>,
    /// Policies and what they want said.
    pub(crate) notes: Vec<(Box<str>, Box<str>)>,
    /// What was tried to have the request answered by an upstream.
    pub(crate) attempts: Attempts,
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
}
