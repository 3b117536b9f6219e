//! The writing direction of a connection of HTTP/1, or of a stream of HTTP/2.

use std::borrow::Cow;
use std::io;
use std::task::Context;

use janua_http::grpc_web::Encoder;
use janua_http::{Fields, chunked};

use crate::body::Receiver;
use crate::min_rate::{Meter, MinRate};
use crate::replay::{Kept, Replay};
use crate::wire::Writer;

/// The writing direction of a connection, and the framing of the body that is being sent.
pub(crate) struct Outgoing {
    pub(crate) writer: Writer,
    is_chunked: bool,
    /// Makes the body one of gRPC-Web, if its client expects that.
    encoder: Option<Box<Encoder>>,
    /// Measures how fast the peer reads.
    meter: Meter,
    /// Writing the body had to wait for the peer.
    has_waited: bool,
    /// What was read of the body, if it may have to be sent again.
    kept: Option<Box<Kept>>,
    /// Why the connection takes no more, although what was read for it is kept.
    broken: Option<io::Error>,
}

impl Outgoing {
    /// A connection on which no head has announced a body yet.
    pub(crate) fn new(writer: Writer) -> Self {
        Self {
            writer,
            is_chunked: false,
            encoder: None,
            meter: Meter::new(None),
            has_waited: false,
            kept: None,
            broken: None,
        }
    }

    /// Sets the minimum rate at which the peer must read from now on.
    pub(crate) fn limit_rate(&mut self, minimum: Option<MinRate>) {
        self.meter = Meter::new(minimum);
    }

    /// Records whether writing waits for the peer from now on. True if the peer reads more
    /// slowly than the minimum rate.
    pub(crate) fn is_read_too_slowly(&mut self, awaits_peer: bool) -> bool {
        self.has_waited |= awaits_peer;
        self.meter.is_too_slow(self.writer.sent(), awaits_peer)
    }

    /// Whether writing the body has ever waited for the peer, as far as that was recorded.
    pub(crate) fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// Begins a body after the pending head, in the chunked coding or without.
    pub(crate) fn begin(&mut self, is_chunked: bool) {
        self.is_chunked = is_chunked;
        self.encoder = None;
        self.has_waited = false;
        self.kept = None;
        self.broken = None;
    }

    /// Keeps the body that has begun up to this limit, after what was kept of it before.
    pub(crate) fn keep(&mut self, limit: usize, replay: Option<Box<Replay>>) {
        self.kept = Some(match replay {
            Some(replay) => Kept::from_replay(*replay, limit),
            None => Kept::new(limit),
        });
    }

    /// Keeps nothing any more.
    pub(crate) fn forget(&mut self) {
        self.kept = None;
    }

    /// Whether what was read of the body is known.
    pub(crate) fn can_replay(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.is_whole())
    }

    /// What was read of the body.
    pub(crate) fn take_replay(&mut self) -> Option<Box<Replay>> {
        self.kept.take().and_then(|kept| kept.into_replay())
    }

    /// Fails if the connection takes no more, so that nothing more is read for it. What was read
    /// until then counts as sent, and is kept.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        self.broken.take().map_or(Ok(()), Err)
    }

    fn send(&mut self, context: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        if self.is_chunked {
            self.push(data);
            return Ok(());
        }
        match self.writer.send(context, data) {
            Err(error) if self.can_replay() => {
                self.broken = Some(error);
                Ok(())
            }
            // A stream keeps what it has sent, and this is behind it.
            Err(error) if self.writer.is_upstream() => {
                self.writer.pending().extend_from_slice(data);
                self.broken = Some(error);
                Ok(())
            }
            sent => sent,
        }
    }

    /// Makes the body that has begun one of gRPC-Web.
    pub(crate) fn encode(&mut self, encoder: Option<Box<Encoder>>) {
        self.encoder = encoder;
    }

    /// What makes the body one of gRPC-Web, if it is to be one.
    pub(crate) fn encoder(&self) -> Option<&Encoder> {
        self.encoder.as_deref()
    }

    /// Queues bytes of the body.
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.begin_data(data.len());
        self.writer.pending().extend_from_slice(data);
        self.end_data();
    }

    /// Queues the framing before `length` bytes of the body.
    pub(crate) fn begin_data(&mut self, length: usize) {
        if self.is_chunked {
            chunked::write_size(self.writer.pending(), length);
        }
    }

    /// Queues the framing after those bytes.
    pub(crate) fn end_data(&mut self) {
        if self.is_chunked {
            self.writer.pending().extend_from_slice(b"\r\n");
        }
    }

    /// Queues the end of the body, and its trailers.
    fn end_with(&mut self, trailers: &Fields) {
        if self.is_chunked {
            chunked::write_end(self.writer.pending(), trailers);
        } else {
            self.writer.end(trailers);
        }
    }
}

/// How much of a body is read for an HTTP/2 stream at once: what its window has no room for is
/// buffered, and a connection has many streams.
const STREAM_APPETITE: usize = 32 * 1024;

impl Receiver for Outgoing {
    fn appetite(&self) -> usize {
        match self.writer.is_stream() {
            true => STREAM_APPETITE,
            false => usize::MAX,
        }
    }

    fn data(&mut self, context: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        if let Some(kept) = &mut self.kept {
            kept.push(data);
        }
        let data = match &mut self.encoder {
            Some(encoder) => encoder.data(data),
            None => Cow::Borrowed(data),
        };
        self.send(context, &data)
    }

    fn end(&mut self, trailers: &Fields) {
        if let Some(kept) = &mut self.kept {
            kept.end(trailers);
        }
        let Some(encoder) = &mut self.encoder else {
            return self.end_with(trailers);
        };
        // A body that is cut is not ended, so that its client notices.
        if let Some(rest) = encoder.end(trailers) {
            // An empty chunk would end the body.
            if !rest.is_empty() {
                self.push(&rest);
            }
            self.end_with(&Fields::default());
        }
    }
}
