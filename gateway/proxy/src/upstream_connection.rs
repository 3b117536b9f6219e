//! A persistent connection to an endpoint of an upstream.

use janua_upstream::Place;

use crate::idle::Idle;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::replay::Replay;
use crate::transport::{ReadHalf, WriteHalf};
use crate::upstream_stream::UpstreamStream;
use crate::upstream_tls::UpstreamTls;
use crate::wire::{Reader, Writer};

/// A connection to an endpoint, which carries one request after another; or a stream of an HTTP/2
/// connection, which carries one.
pub(crate) struct UpstreamConnection {
    /// The TLS settings under which it was opened; none for cleartext.
    pub(crate) tls: Option<UpstreamTls>,
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    /// Counts it among the connections of its upstream; none for a stream, whose connection is
    /// counted.
    _place: Option<Place>,
}

impl UpstreamConnection {
    /// A connection with these halves, and with the TLS settings under which it was opened.
    pub(crate) fn new((read, write): (ReadHalf, WriteHalf), tls: Option<UpstreamTls>) -> Self {
        Self {
            tls,
            incoming: Incoming::new(Reader::new(read)),
            outgoing: Outgoing::new(Writer::new(write)),
            _place: None,
        }
    }

    /// The same, counted among the connections of its upstream.
    pub(crate) fn counted(self, place: Place) -> Self {
        Self {
            _place: Some(place),
            ..self
        }
    }

    /// The HTTP/2 stream, if it is one.
    pub(crate) fn stream(&self) -> Option<&UpstreamStream> {
        self.incoming.reader.upstream()
    }

    /// Keeps what is read of the request's body up to this limit. `replay` is what was read before,
    /// for a connection of HTTP/1: a stream keeps what it sends.
    pub(crate) fn keep_request(&mut self, limit: usize, replay: Option<Box<Replay>>) {
        match self.stream() {
            Some(stream) => stream.keep(limit),
            None => self.outgoing.keep(limit, replay),
        }
    }

    /// The request is not sent again: what was kept of its body is not needed any more.
    pub(crate) fn forget_request(&mut self) {
        match self.stream() {
            Some(stream) => stream.forget(),
            None => self.outgoing.forget(),
        }
    }

    /// Whether what was read of the request's body can be sent again.
    pub(crate) fn can_replay(&self) -> bool {
        match self.stream() {
            Some(stream) => stream.can_replay(),
            None => self.outgoing.can_replay(),
        }
    }

    /// The body of the request as far as it was read, so that it can be sent again.
    pub(crate) fn take_replay(&mut self) -> Option<Box<Replay>> {
        let Some(stream) = self.stream() else {
            return self.outgoing.take_replay();
        };
        let mut replay = stream.take_replay()?;
        let backlog = self.outgoing.writer.take_backlog();
        replay.body.extend_from_slice(&backlog);
        Some(replay)
    }

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
