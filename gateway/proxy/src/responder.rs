//! Writes the response of one exchange to the client.
//!
//! Methods that begin the response consume the responder, so that no second
//! response can be sent.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use janua_http::failure::Kind;
use janua_http::fields::{Known, write_field};
use janua_http::head::Version;
use janua_http::status::{has_no_body, reason};
use janua_http::{Failure, Fields, Length, RequestHead, ResponseHead};

use crate::body::client_gone;
use crate::clock::{Clock, Moment};
use crate::deadline::Deadline;
use crate::outgoing::Outgoing;

/// How long the client may take to read an interim response.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the response to the client.
pub(crate) struct Responder<'c> {
    outgoing: &'c mut Outgoing,
    version: Version,
    /// The request's method is `HEAD`: its response has no body.
    answers_head: bool,
    /// The client has been told to send its request's body.
    has_continued: bool,
    /// Interim responses carry no fields but those that announce what else to fetch.
    only_links: bool,
}

/// What happens to the client's connection after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits for the next request.
    KeepAlive,
    /// It is closed in an orderly way.
    Close,
    /// It is reset, so that the client cannot take an incomplete body for the whole:
    /// in HTTP/1.0 an orderly close marks the end of the body.
    Abort,
}

impl<'c> Responder<'c> {
    /// A responder for the request with this head.
    pub(crate) fn new(outgoing: &'c mut Outgoing, request: &RequestHead) -> Self {
        Self {
            outgoing,
            version: request.version,
            answers_head: request.method == b"HEAD",
            has_continued: false,
            only_links: false,
        }
    }

    /// Lets nothing but the `Link` fields of early hints pass in interim responses. No policy
    /// sees these, and they must not carry what the policies of the route remove.
    pub(crate) fn restrict_interim(&mut self) {
        self.only_links = true;
    }

    /// True until the client has been told to send its request's body.
    pub(crate) fn may_continue(&self) -> bool {
        !self.has_continued
    }

    /// Tells the client to send its request's body (RFC 9110 §10.1.1).
    ///
    /// # Errors
    /// The client does not read it.
    pub(crate) async fn send_continue(&mut self, deadline: &mut Deadline) -> Result<(), Failure> {
        self.has_continued = true;
        let writer = &mut self.outgoing.writer;
        if let Some(stream) = writer.http2() {
            stream.send_interim(100, &Fields::default());
            return Ok(());
        }
        let line = b"HTTP/1.1 100 Continue\r\n\r\n";
        writer.pending().extend_from_slice(line);
        deadline.set(PATIENCE);
        match deadline.guard(writer.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Kind::ClientGone.into()),
        }
    }

    /// Queues an interim response; false if the client's version has none.
    pub(crate) fn interim(&mut self, head: &mut ResponseHead) -> bool {
        if self.version == Version::Http10 {
            return false;
        }
        if self.only_links {
            let has_links = head.status == 103;
            head.fields
                .retain(|_, name, _| has_links && name.eq_ignore_ascii_case(b"link"));
        }
        if let Some(stream) = self.outgoing.writer.http2() {
            stream.send_interim(head.status, &head.fields);
            return true;
        }
        let out = self.outgoing.writer.pending();
        write_status_line(head, out);
        head.fields.write_to(out);
        out.extend_from_slice(b"\r\n");
        true
    }

    /// Writes all queued bytes.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let flushed = ready!(self.outgoing.writer.poll_flush(context));
        Poll::Ready(flushed.map_err(client_gone))
    }

    /// True if the framing tells the client where a response of this length ends.
    /// HTTP/1.0 has no chunked coding: there a body of unknown length ends with the
    /// connection.
    pub(crate) fn is_self_delimited(&self, length: Length) -> bool {
        length != Length::Open || self.version != Version::Http10
    }

    /// True if trailers can follow the body: in HTTP/1.1 in the chunked coding only.
    pub(crate) fn takes_trailers(&self, length: Length) -> bool {
        length == Length::Open && self.version != Version::Http10
    }

    /// Queues the head of the response. A body of this length follows.
    pub(crate) fn begin(
        self,
        head: &ResponseHead,
        length: Length,
        fate: Fate,
        clock: (&Clock, Moment),
    ) -> &'c mut Outgoing {
        let is_chunked = self.version == Version::Http11 && length == Length::Open;
        let outgoing = self.outgoing;
        outgoing.begin(is_chunked);
        if let Some(stream) = outgoing.writer.http2() {
            let length = match self.answers_head {
                true => Length::None,
                false => length,
            };
            stream.send_head(head, length, clock);
            return outgoing;
        }
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
        // In HTTP/2 a response without a body needs no length.
        if length == Length::None
            && !self.answers_head
            && !has_no_body(head.status)
            && head.fields.known(Known::ContentLength).next().is_none()
        {
            write_field(out, b"Content-Length", b"0");
        }
        match (fate, self.version) {
            (Fate::KeepAlive, Version::Http11 | Version::Http2) => {}
            (Fate::KeepAlive, Version::Http10) => write_field(out, b"Connection", b"keep-alive"),
            (Fate::Close | Fate::Abort, _) => write_field(out, b"Connection", b"close"),
        }
        out.extend_from_slice(b"\r\n");
        outgoing
    }

    /// Queues the response after which the connection, or the stream, uses another protocol: in
    /// HTTP/1 a `101` (RFC 9110 §15.2.2), in HTTP/2 a `200` (RFC 8441 §5). Its status is stored in
    /// the head.
    pub(crate) fn upgrade(
        self,
        head: &mut ResponseHead,
        protocol: &[u8],
        clock: (&Clock, Moment),
    ) -> &'c mut Outgoing {
        if let Some(stream) = self.outgoing.writer.http2() {
            head.status = 200;
            // It confirms the key in the handshake of HTTP/1.1, which the gateway has made up.
            head.fields.remove(b"sec-websocket-accept");
            stream.send_head(head, Length::Open, clock);
            return self.outgoing;
        }
        // `Connection` and `Upgrade` are hop-by-hop fields, so they are generated here, and
        // policies cannot edit them.
        head.status = 101;
        head.fields.append(b"Connection", b"upgrade");
        head.fields.append(b"Upgrade", protocol);
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
