//! The client's end of one exchange: where its response goes.
//!
//! A response begins once. What begins it consumes the responder, so that no
//! second one can follow on its heels.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use janua_http::failure::Kind;
use janua_http::fields::{Known, write_field};
use janua_http::head::Version;
use janua_http::status::reason;
use janua_http::{Failure, Length, RequestHead, ResponseHead};

use crate::clock::{Clock, Moment};
use crate::deadline::Deadline;
use crate::outgoing::Outgoing;

/// How long a client may take for an interim response.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the response goes.
pub(crate) struct Responder<'c> {
    outgoing: &'c mut Outgoing,
    version: Version,
    /// The client has been told to send its request's body.
    has_continued: bool,
}

/// What becomes of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits for the next request.
    KeepAlive,
    /// It is closed in good order.
    Close,
    /// It is reset, so that the client cannot take a fragment for the whole:
    /// to HTTP/1.0 an orderly end of the connection is the end of the message.
    Abort,
}

impl<'c> Responder<'c> {
    /// For the request with this head.
    pub(crate) fn new(outgoing: &'c mut Outgoing, request: &RequestHead) -> Self {
        Self {
            outgoing,
            version: request.version,
            has_continued: false,
        }
    }

    /// True until the client has been told to send its request's body.
    pub(crate) fn may_continue(&self) -> bool {
        !self.has_continued
    }

    /// Tells the client to send its request's body (RFC 9110 §10.1.1).
    ///
    /// # Errors
    /// The client does not take it.
    pub(crate) async fn send_continue(&mut self, deadline: &mut Deadline) -> Result<(), Failure> {
        self.has_continued = true;
        let writer = &mut self.outgoing.writer;
        let line = b"HTTP/1.1 100 Continue\r\n\r\n";
        writer.pending().extend_from_slice(line);
        deadline.set(PATIENCE);
        match deadline.guard(writer.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Kind::ClientGone.into()),
        }
    }

    /// Makes an interim response pending, if the client knows them.
    pub(crate) fn interim(&mut self, head: &ResponseHead) -> bool {
        if self.version != Version::Http11 {
            return false;
        }
        let out = self.outgoing.writer.pending();
        write_status_line(head, out);
        head.fields.write_to(out);
        out.extend_from_slice(b"\r\n");
        true
    }

    /// Writes what is pending.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let flushed = ready!(self.outgoing.writer.poll_flush(context));
        Poll::Ready(
            flushed.map_err(|error| Failure::with(Kind::ClientGone, error.kind().to_string())),
        )
    }

    /// True if the client will know by itself where a response of this length
    /// ends. HTTP/1.0 knows no chunks: there the end of the connection is the end
    /// of a body whose length nobody knows.
    pub(crate) fn is_self_delimited(&self, length: Length) -> bool {
        length != Length::Open || self.version == Version::Http11
    }

    /// True if the body goes out in chunks, which trailers can stand behind.
    pub(crate) fn takes_trailers(&self, length: Length) -> bool {
        length == Length::Open && self.version == Version::Http11
    }

    /// Makes the response's head pending. Its body follows, of this length.
    pub(crate) fn begin(
        self,
        head: &ResponseHead,
        length: Length,
        fate: Fate,
        clock: (&Clock, Moment),
    ) -> &'c mut Outgoing {
        let is_chunked = self.takes_trailers(length);
        let outgoing = self.outgoing;
        outgoing.begin(is_chunked);
        let out = outgoing.writer.pending();
        write_status_line(head, out);
        head.fields.write_to(out);
        if head.fields.known(Known::Date).next().is_none() {
            out.extend_from_slice(b"Date: ");
            clock.0.write_date(clock.1, out);
            out.extend_from_slice(b"\r\n");
        }
        if is_chunked {
            write_field(out, b"Transfer-Encoding", b"chunked");
        }
        match (fate, self.version) {
            (Fate::KeepAlive, Version::Http11) => {}
            (Fate::KeepAlive, Version::Http10) => write_field(out, b"Connection", b"keep-alive"),
            (Fate::Close | Fate::Abort, _) => write_field(out, b"Connection", b"close"),
        }
        out.extend_from_slice(b"\r\n");
        outgoing
    }

    /// Makes a `101` pending, behind which the connection speaks another
    /// protocol.
    pub(crate) fn upgrade(self, head: &ResponseHead) -> &'c mut Outgoing {
        let out = self.outgoing.writer.pending();
        write_status_line(head, out);
        head.fields.write_to(out);
        out.extend_from_slice(b"\r\n");
        self.outgoing
    }
}

fn write_status_line(head: &ResponseHead, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(head.status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(if head.reason.is_empty() {
        reason(head.status).as_bytes()
    } else {
        &head.reason
    });
    out.extend_from_slice(b"\r\n");
}
