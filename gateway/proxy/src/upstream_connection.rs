//! A connection to an upstream.

use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::transport::Idle;

/// A connection to an endpoint, for one request after another.
pub(crate) struct UpstreamConnection {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
}

impl UpstreamConnection {
    /// What the endpoint has done since all that was asked for has come.
    pub(crate) fn look(&self) -> Idle {
        self.incoming.reader.look()
    }

    /// Gives back all memory that an idle connection does not need.
    pub(crate) fn rest(&mut self) {
        self.incoming.reader.rest();
        self.outgoing.writer.rest();
    }
}
