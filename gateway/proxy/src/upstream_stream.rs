//! A stream of an upstream's HTTP/2 connection, which carries one request and its response.
//!
//! It is the two halves of a byte stream, as a connection of HTTP/1 is, so that bodies pass through
//! the same code. What it has beyond one are heads, and ends with trailers. Bytes that are not read
//! are not acknowledged to the upstream either, which is the backpressure in one direction; in the
//! other nothing is accepted for which the upstream's window has no room.

mod error;
mod usage;

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use janua_http::head::Limits;
use janua_http::response::ResponseSection;
use janua_http::section::TrailerSection;
use janua_http::{Fields, ResponseHead};

use crate::idle::Idle;
use crate::replay::{Replay, Sent};
pub(crate) use error::StreamError;
pub(crate) use usage::{StreamShare, Usage};

/// How many bytes of a request are passed on at once.
const CHUNK: usize = 64 * 1024;

/// A stream. Dropping it resets whatever is unfinished.
pub(crate) struct UpstreamStream {
    requests: SendRequest<Bytes>,
    sending: RefCell<Sending>,
    receiving: RefCell<Receiving>,
    /// Some head of a response was received.
    has_received: Cell<bool>,
    /// Why the stream has failed.
    error: Cell<Option<StreamError>>,
    /// Counts it among the streams of its connection.
    _share: StreamShare,
}

/// The direction of the request.
#[derive(Default)]
struct Sending {
    /// None until the head is sent.
    stream: Option<SendStream<Bytes>>,
    /// The trailers of the request, once all of its body has been passed on.
    trailers: Option<Fields>,
    has_ended: bool,
    /// What was sent of the body, in case that the upstream does not process it.
    sent: Sent,
}

/// The direction of the response.
#[derive(Default)]
struct Receiving {
    head: Option<ResponseFuture>,
    body: Option<RecvStream>,
    /// Bytes of the body that have arrived and are not read yet.
    arrived: Bytes,
    trailers: Fields,
}

impl UpstreamStream {
    /// A stream of the connection that `requests` belongs to.
    pub(crate) fn new(requests: SendRequest<Bytes>, share: StreamShare) -> Self {
        Self {
            requests,
            sending: RefCell::default(),
            receiving: RefCell::default(),
            has_received: Cell::new(false),
            error: Cell::new(None),
            _share: share,
        }
    }

    /// Sends the head of the request; `ends` says that no body follows.
    ///
    /// # Errors
    /// The connection takes no more requests, and has not taken this one.
    pub(crate) fn send_head(&self, request: Request<()>, ends: bool) -> Result<(), StreamError> {
        let sent = self.requests.clone().send_request(request, ends);
        let (head, stream) = sent.map_err(|error| self.failed(&error))?;
        self.receiving.borrow_mut().head = Some(head);
        let mut sending = self.sending.borrow_mut();
        sending.stream = Some(stream);
        sending.has_ended = ends;
        Ok(())
    }

    /// Whether the upstream accepts a CONNECT for another protocol (RFC 8441 §3).
    pub(crate) fn supports_extended_connect(&self) -> bool {
        self.requests.is_extended_connect_protocol_enabled()
    }

    /// Receives the next head of the response: an interim one, or the final one.
    /// `answers_head` tells whether the request was a `HEAD`.
    pub(crate) fn poll_head(
        &self,
        context: &mut Context<'_>,
        response: &mut ResponseHead,
        limits: Limits,
        answers_head: bool,
    ) -> Poll<Result<(), StreamError>> {
        let mut receiving = self.receiving.borrow_mut();
        let Some(head) = &mut receiving.head else {
            return Poll::Ready(Err(StreamError::Lost));
        };
        if let Some(interim) = ready!(head.poll_informational(context)) {
            let interim = interim.map_err(|error| self.failed(&error))?;
            self.has_received.set(true);
            let taken = take_head(response, &interim, limits, (false, false));
            return Poll::Ready(taken);
        }
        let received = ready!(Pin::new(head).poll(context));
        let (parts, body) = received.map_err(|error| self.failed(&error))?.into_parts();
        self.has_received.set(true);
        let ends = body.is_end_stream();
        receiving.head = None;
        receiving.body = Some(body);
        let received = http::Response::from_parts(parts, ());
        Poll::Ready(take_head(response, &received, limits, (answers_head, ends)))
    }

    /// Reads some bytes of the response's body; 0 at its end.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut receiving = self.receiving.borrow_mut();
        let Receiving {
            body,
            arrived,
            trailers,
            ..
        } = &mut *receiving;
        let Some(stream) = body else {
            return Poll::Ready(Ok(0));
        };
        while arrived.is_empty() {
            match ready!(stream.poll_data(context)) {
                Some(Ok(bytes)) => *arrived = bytes,
                Some(Err(error)) => return Poll::Ready(Err(self.failed(&error).into())),
                None => {
                    let received = ready!(stream.poll_trailers(context));
                    let received = received.map_err(|error| self.failed(&error))?;
                    if let Some(received) = received {
                        take_trailers(trailers, &received)?;
                    }
                    *body = None;
                    return Poll::Ready(Ok(0));
                }
            }
        }
        let count = arrived.len().min(buffer.len());
        let (Some(to), Some(from)) = (buffer.get_mut(..count), arrived.get(..count)) else {
            return Poll::Ready(Ok(0));
        };
        to.copy_from_slice(from);
        arrived.advance(count);
        // An error means that the stream has ended, and its bytes have been released.
        let _ = stream.flow_control().release_capacity(count);
        Poll::Ready(Ok(count))
    }

    /// The trailers of the response, after the end of its body.
    pub(crate) fn take_trailers(&self) -> Fields {
        std::mem::take(&mut self.receiving.borrow_mut().trailers)
    }

    /// Sends some bytes of the request's body, the second slice after the first.
    pub(crate) fn poll_write(
        &self,
        context: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut sending = self.sending.borrow_mut();
        let Sending {
            stream: Some(stream),
            trailers,
            has_ended,
            sent: kept,
        } = &mut *sending
        else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let wanted = (first.len() + second.len()).min(CHUNK);
        if wanted == 0 {
            return Poll::Ready(Ok(0));
        }
        stream.reserve_capacity(wanted);
        let mut room = stream.capacity();
        while room == 0 {
            room = match ready!(stream.poll_capacity(context)) {
                Some(Ok(room)) => room,
                Some(Err(error)) => return Poll::Ready(Err(StreamError::of(&error).into())),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let count = room.min(wanted);
        let mut bytes = Vec::with_capacity(count);
        let of_first = first.len().min(count);
        bytes.extend_from_slice(first.get(..of_first).unwrap_or_default());
        bytes.extend_from_slice(second.get(..count - of_first).unwrap_or_default());
        // Once the end is announced, the last bytes carry it.
        let is_all = count == first.len() + second.len();
        let is_last = is_all && trailers.as_ref().is_some_and(Fields::is_empty);
        let bytes = Bytes::from(bytes);
        let sent = stream.send_data(bytes.clone(), is_last);
        sent.map_err(|error| StreamError::of(&error))?;
        kept.push(bytes);
        if is_last {
            kept.end(trailers.take().unwrap_or_default());
            *has_ended = true;
        }
        Poll::Ready(Ok(count))
    }

    /// All of the request's body has been passed on; these trailers follow.
    pub(crate) fn end(&self, trailers: &Fields) {
        self.sending.borrow_mut().trailers = Some(trailers.clone());
    }

    /// Ends the request, if its end has been announced by [`Self::end`].
    pub(crate) fn flush(&self) -> io::Result<()> {
        let mut sending = self.sending.borrow_mut();
        match sending.trailers.take() {
            Some(trailers) => sending.finish(&trailers),
            None => Ok(()),
        }
    }

    /// Ends the request.
    pub(crate) fn shutdown(&self) -> io::Result<()> {
        self.sending.borrow_mut().finish(&Fields::default())
    }

    /// Keeps no more than this of the request's body, so that it can be sent again.
    pub(crate) fn keep(&self, limit: usize) {
        self.sending.borrow_mut().sent.set_limit(limit);
    }

    /// The request is not sent again.
    pub(crate) fn forget(&self) {
        self.sending.borrow_mut().sent.forget();
    }

    /// True if all of the request's body that was passed on is known.
    pub(crate) fn can_replay(&self) -> bool {
        self.sending.borrow().sent.is_whole()
    }

    /// The body of the request as far as it was passed on, so that it can be sent again; none if it
    /// was too large to be kept.
    pub(crate) fn take_replay(&self) -> Option<Box<Replay>> {
        let sending = &mut *self.sending.borrow_mut();
        sending.sent.replay(sending.trailers.take())
    }

    /// Resets the stream.
    pub(crate) fn reset(&self) {
        if let Some(stream) = &mut self.sending.borrow_mut().stream {
            stream.send_reset(Reason::CANCEL);
        }
    }

    /// Whether a request can be sent on the stream.
    pub(crate) fn idle_state(&self) -> Idle {
        let mut context = Context::from_waker(Waker::noop());
        match self.requests.clone().poll_ready(&mut context) {
            Poll::Ready(Ok(())) => Idle::Quiet,
            Poll::Ready(Err(_)) | Poll::Pending => Idle::Closed,
        }
    }

    /// True once some head of a response was received.
    pub(crate) fn has_received(&self) -> bool {
        self.has_received.get()
    }

    /// True once the head of the request was sent.
    pub(crate) fn has_sent(&self) -> bool {
        self.sending.borrow().stream.is_some()
    }

    /// Why the stream has failed, if it has.
    pub(crate) fn error(&self) -> Option<StreamError> {
        self.error.get()
    }

    fn failed(&self, error: &h2::Error) -> StreamError {
        let error = StreamError::of(error);
        self.error.set(Some(error));
        error
    }
}

impl Sending {
    fn finish(&mut self, trailers: &Fields) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut().filter(|_| !self.has_ended) else {
            return Ok(());
        };
        self.has_ended = true;
        self.sent.end(trailers.clone());
        let sent = match trailers.is_empty() {
            true => stream.send_data(Bytes::new(), true),
            false => stream.send_trailers(header_map(trailers)),
        };
        sent.map_err(|error| StreamError::of(&error).into())
    }
}

/// Takes the head of a response. `form` tells whether it answers a `HEAD`, and whether it ends
/// the stream.
fn take_head(
    response: &mut ResponseHead,
    received: &http::Response<()>,
    limits: Limits,
    form: (bool, bool),
) -> Result<(), StreamError> {
    let mut section = ResponseSection::new(response, received.status().as_u16(), limits);
    for (name, value) in received.headers() {
        section.field(name.as_str().as_bytes(), value.as_bytes());
    }
    section.finish(form.0, form.1).map_err(StreamError::Head)
}

fn take_trailers(trailers: &mut Fields, received: &HeaderMap) -> io::Result<()> {
    let mut section = TrailerSection::new(trailers);
    for (name, value) in received {
        section.field(name.as_str().as_bytes(), value.as_bytes());
    }
    section
        .finish()
        .map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Trailers for the upstream. They came from a client, whose parser has checked them.
fn header_map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.len());
    for (_, name, value) in fields.iter().filter(|(known, ..)| !known.is_hop_by_hop()) {
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    map
}
