//! What the access log and the metrics report about an exchange: collected during the
//! exchange and written once at its end.

use janua_http::Failure;
use janua_http::failure::Kind;
use tokio::time::Instant;

use crate::attempts::Attempts;
use crate::caching::Report;
use crate::facts::AnsweredBy;
use crate::variables::Variables;

/// What is known of an exchange so far.
#[derive(Default)]
pub(crate) struct Record {
    /// The status that was sent to the client.
    pub(crate) status: Option<u16>,
    pub(crate) failure: Option<Kind>,
    pub(crate) answered_by: Option<AnsweredBy>,
    /// Names of policies, or of kinds of failure, with a message for the log.
    pub(crate) notes: Vec<(Box<str>, Box<str>)>,
    /// Words of policies for the log, each with its name, as `policy.name`.
    pub(crate) annotations: Vec<(Box<str>, Box<[u8]>)>,
    /// When the head of the response was sent, if a policy will be told.
    pub(crate) began: Option<Instant>,
    /// When the response was complete, if the clock was read then.
    pub(crate) ended: Option<Instant>,
    /// The attempts at endpoints of an upstream.
    pub(crate) attempts: Attempts,
    /// Bytes of the request body.
    pub(crate) bytes_in: u64,
    /// Bytes of the response body.
    pub(crate) bytes_out: u64,
}

/// What a fetch of the cache leaves to the exchange that started it.
pub(crate) struct Fetched {
    pub(crate) record: Record,
    pub(crate) report: Report,
    /// With those that policies of the phase `fetched` have set.
    pub(crate) variables: Variables,
}

impl Record {
    /// Records a word for the log. A later one replaces an earlier one of the same name.
    pub(crate) fn annotate(&mut self, name: Box<str>, value: Box<[u8]>) {
        let mut known = self.annotations.iter_mut();
        match known.find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.annotations.push((name, value)),
        }
    }

    /// Records a failure, unless there is one already: later ones are its consequences.
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
