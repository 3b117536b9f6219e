//! The beginning of a request's body, which is kept until the response begins.
//!
//! An upstream that closes a connection in good order does not process the requests that it gets
//! last, and says so. Most of them are small, and their bodies have been read from the client by
//! then: without a copy they would be lost.

use bytes::Bytes;
use janua_http::Fields;

/// How many bytes are kept.
const KEPT: usize = 64 * 1024;

/// What was sent of a body. The bytes are shared with those that wait to be written.
#[derive(Default)]
pub(super) struct Sent {
    pieces: Vec<Bytes>,
    size: usize,
    /// The trailers, if the body was sent to its end.
    end: Option<Fields>,
    /// It was too large, or is not needed any more.
    is_forgotten: bool,
}

/// A body that can be sent again. It is boxed, so that other calls do not carry the room that it
/// takes.
pub(crate) struct Replay {
    pub(crate) body: Vec<u8>,
    /// The trailers, if this is the whole body.
    pub(crate) end: Option<Fields>,
}

impl Sent {
    pub(super) fn push(&mut self, bytes: Bytes) {
        if self.is_forgotten {
            return;
        }
        self.size += bytes.len();
        if self.size > KEPT {
            return self.forget();
        }
        self.pieces.push(bytes);
    }

    pub(super) fn end(&mut self, trailers: Fields) {
        self.end = Some(trailers);
    }

    pub(super) fn forget(&mut self) {
        self.pieces = Vec::new();
        self.is_forgotten = true;
    }

    /// What can be sent again. `announced` are the trailers of a body whose end was not sent yet.
    pub(super) fn replay(&mut self, announced: Option<Fields>) -> Option<Box<Replay>> {
        if self.is_forgotten {
            return None;
        }
        Some(Box::new(Replay {
            body: std::mem::take(&mut self.pieces).concat(),
            end: announced.or_else(|| self.end.take()),
        }))
    }
}
