//! A persistent connection to an endpoint of an upstream.

use crate::idle::Idle;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::upstream_tls::UpstreamTls;

/// A connection to an endpoint. It carries one request after another.
pub(crate) struct UpstreamConnection {
    /// The TLS settings under which it was opened; none for cleartext.
    pub(crate) tls: Option<UpstreamTls>,
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
}

impl UpstreamConnection {
    /// What the endpoint has done on the connection since the last response.
    pub(crate) fn idle_state(&self) -> Idle {
        self.incoming.reader.idle_state()
    }

    /// Gives back the buffers, which an idle connection does not need.
    pub(crate) fn release_buffers(&mut self) {
        self.incoming.reader.release_buffer();
        self.outgoing.writer.release_buffer();
    }
}
