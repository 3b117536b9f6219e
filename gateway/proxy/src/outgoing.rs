//! A body that goes out over a connection of HTTP/1.

use std::io;
use std::task::Context;

use janua_http::{Fields, chunked};

use crate::body::Receiver;
use crate::wire::Writer;

/// The side of a connection that is written, and how the body there is framed.
pub(crate) struct Outgoing {
    pub(crate) writer: Writer,
    is_chunked: bool,
}

impl Outgoing {
    /// A connection on which no body has been announced yet.
    pub(crate) fn new(writer: Writer) -> Self {
        Self {
            writer,
            is_chunked: false,
        }
    }

    /// A body follows the head that is pending: chunked, or as the bytes
    /// themselves.
    pub(crate) fn begin(&mut self, is_chunked: bool) {
        self.is_chunked = is_chunked;
    }

    /// Makes some bytes of the body pending.
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.begin_data(data.len());
        self.writer.pending().extend_from_slice(data);
        self.end_data();
    }

    /// Makes pending what stands before so many bytes of the body.
    pub(crate) fn begin_data(&mut self, length: usize) {
        if self.is_chunked {
            chunked::write_size(self.writer.pending(), length);
        }
    }

    /// Makes pending what stands behind those bytes.
    pub(crate) fn end_data(&mut self) {
        if self.is_chunked {
            self.writer.pending().extend_from_slice(b"\r\n");
        }
    }
}

impl Receiver for Outgoing {
    fn data(&mut self, context: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        if !self.is_chunked {
            return self.writer.send(context, data);
        }
        self.push(data);
        Ok(())
    }

    fn end(&mut self, trailers: &Fields) {
        if self.is_chunked {
            chunked::write_end(self.writer.pending(), trailers);
        }
    }
}
