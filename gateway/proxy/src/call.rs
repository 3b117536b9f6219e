//! A call: sends a request to an upstream and receives the head of the
//! response. The body of the response is left for the caller to read.
//!
//! Calls are made both for clients' requests and for fetches of the cache. The
//! code here does not distinguish them: all it needs is a [`Caller`].

mod connect;
mod establish;
mod head;
mod message;
pub(crate) mod request_head;
mod response;
mod search;
mod shared;
mod websocket;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, ready};

use janua_http::failure::Kind;
use janua_http::{Failure, RequestHead, ResponseHead};

use crate::affinity::Tie;
use crate::attempts::Attempts;
use crate::body::{Receiver as _, Trailers};
use crate::clean::Hop;
use crate::client::Peer;
use crate::course::Course;
use crate::deadline::Deadline;
use crate::incoming::{BodyState, Incoming};
use crate::race::{self, Pace, Progress, Raced};
use crate::responder::Responder;
use crate::upload::{Upload, UploadState};
use crate::upstream_http2::Protocol;
use crate::upstream_stream::{Replay, StreamError};
use crate::worker::Worker;
use head::FinalHead;
pub(crate) use response::UpstreamResponse;
use search::{EndpointConnection, FailedAttempt, Search};

/// The request to send and the upstream to send it to.
pub(crate) struct Call<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) course: &'a Course,
    pub(crate) head: &'a RequestHead,
    pub(crate) hop: &'a Hop,
    /// The client that the request comes from; none for a fetch of the cache.
    pub(crate) client: Option<&'a Rc<Peer>>,
    /// What ties the request to an endpoint.
    pub(crate) tie: Tie,
    /// When the request arrived, in milliseconds of the worker's monotonic clock.
    pub(crate) now_ms: u64,
}

/// The client side of a call, as far as there is a client.
pub(crate) struct Caller<'a, 'c> {
    /// Supplies the request body, and afterwards tells whether the client has
    /// closed its connection. None for a fetch, which has no body and no client.
    pub(crate) incoming: Option<&'a mut Incoming>,
    /// Forwards interim responses to the client.
    pub(crate) responder: Option<&'a mut Responder<'c>>,
    pub(crate) deadline: &'a mut Deadline,
}

/// Makes a call and stores the head of the response in `response`.
///
/// # Errors
/// The failure of the last attempt, or a failure on the client's side.
pub(crate) async fn call(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    response: &mut ResponseHead,
    attempts: &mut Attempts,
) -> Result<UpstreamResponse, Failure> {
    let mut search = Search::new(call.course);
    let mut replay = None;
    loop {
        let mut open = search.next_connection(call, attempts).await?;
        let received = open.connection.incoming.reader.received();
        let sent = open.connection.outgoing.writer.sent();
        caller.deadline.begin_attempt(call.course.try_timeout);
        let failure = match exchange_heads(
            call,
            caller,
            &mut open,
            replay.take(),
            response,
            attempts,
        )
        .await
        {
            Ok((upload, protocol)) => {
                open.head_received(call, response, attempts);
                return Ok(UpstreamResponse::new(open, call, upload, protocol));
            }
            Err(failure) => failure,
        };
        let incoming = caller.incoming.as_deref();
        let body = incoming.map_or(BodyState::Read, |incoming| incoming.state());
        let is_bodyless = incoming.is_none_or(|incoming| incoming.length().is_empty());
        let is_untouched = is_bodyless || body == BodyState::Untouched;
        let stream = open.connection.stream();
        let has_received = stream.is_some_and(|stream| stream.has_received());
        let has_sent = stream.is_some_and(|stream| stream.has_sent());
        let error = stream.and_then(|stream| stream.error());
        if !is_untouched && error.is_some_and(StreamError::is_unprocessed) {
            replay = open.connection.take_replay();
        }
        let connection = &open.connection;
        let attempt = FailedAttempt {
            nothing_received: connection.incoming.reader.received() == received && !has_received,
            nothing_sent: connection.outgoing.writer.sent() == sent && !has_sent && is_untouched,
            is_bodyless,
            has_whole_body: is_untouched || replay.is_some(),
            stream: error,
        };
        attempts.failed(failure.kind);
        search.check_retry(call, open, failure, &attempt)?;
    }
}

impl Call<'_> {
    /// The protocol that the endpoint is spoken to in. One that may choose is asked for HTTP/1.1 if
    /// the client wants to switch to another protocol: few servers of WebSockets support them over
    /// HTTP/2, and other protocols have nothing like it.
    fn protocol(&self) -> Protocol {
        match self.course.forwarding().protocol {
            Protocol::Auto if self.hop.upgrade.is_some() => Protocol::Http11,
            protocol => protocol,
        }
    }
}

/// Sends the request and receives the head of the response, which may arrive
/// while the request body is still being sent. Returns the state of that upload
/// and, after a `101`, the new protocol. `replay` is what was read of the body for an
/// endpoint that has not processed it.
async fn exchange_heads(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    open: &mut EndpointConnection,
    replay: Option<Box<Replay>>,
    response: &mut ResponseHead,
    attempts: &mut Attempts,
) -> Result<(UploadState, Option<Vec<u8>>), Failure> {
    let forwarding = call.course.forwarding();
    if let (Some(incoming), Some(responder)) = (&caller.incoming, &mut caller.responder)
        && call.head.expects_continue
        && !incoming.length().is_empty()
        && responder.may_continue()
    {
        responder.send_continue(caller.deadline).await?;
        // The connection was not watched while `100 Continue` was being written.
        connect::check_idle(call, &open.picked, &open.connection)?;
        attempts.restart();
    }
    let length = caller
        .incoming
        .as_ref()
        .map_or_else(Default::default, |incoming| incoming.length());
    let trailers = caller
        .incoming
        .as_ref()
        .map_or(&Trailers::Drop, |incoming| incoming.trailers());
    let connection = &mut open.connection;
    let endpoint = forwarding.stats.endpoint(open.picked.index);
    if let Some(stream) = connection.stream() {
        let mut request = message::request(call, endpoint, trailers)?;
        let opens_websocket = websocket::is_asked_for(call);
        if opens_websocket {
            websocket::translate(&mut request, stream)?;
        }
        let ends = length.is_empty() && !opens_websocket;
        let sent = stream.send_head(request, ends);
        sent.map_err(StreamError::failure)?;
        connection.outgoing.begin(false);
    } else {
        let out = connection.outgoing.writer.pending();
        request_head::write(call, endpoint, length, trailers, out);
        connection
            .outgoing
            .begin(length == janua_http::Length::Open);
    }
    if let Some(replay) = replay {
        // An empty chunk would end the body.
        if !replay.body.is_empty() {
            connection.outgoing.push(&replay.body);
        }
        if let Some(trailers) = &replay.end {
            connection.outgoing.end(trailers);
        }
    }
    caller
        .deadline
        .set_from(attempts.sending(), forwarding.response_head_timeout);
    let mut state = UploadState::Sending;
    let mut upload = Upload::new(
        caller.incoming.as_deref_mut(),
        &mut connection.outgoing,
        &mut state,
    );
    let pace = Pace::until_head(forwarding.response_head_timeout);
    let progress = Progress::default();
    let incoming = &mut connection.incoming;
    let mut head = FinalHead::default();
    let receiving = poll_fn(|context| {
        if pace.awaits_head.get() {
            let responder = caller.responder.as_deref_mut();
            let polled = head.poll(context, call, incoming, response, responder);
            progress.set(incoming.reader.received());
            ready!(polled)?;
            pace.awaits_head.set(false);
            pace.patience.set(call.course.idle_timeout);
        }
        // An upstream may send `101` before it has the whole request, but the new
        // protocol begins only after the request body (RFC 9110 §7.8). `race` polls
        // the upload before it polls this future again.
        if response.status == 101 && !pace.is_uploaded.get() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    });
    let raced = race::race(caller.deadline, &pace, &mut upload, &progress, receiving).await;
    let is_uploading = !upload.is_done() && !upload.is_stalled();
    match raced {
        Raced::Finished(Ok(())) => Ok((state, head.protocol.take())),
        Raced::Finished(Err(failure)) | Raced::UploadFailed(failure) => Err(failure),
        Raced::Elapsed { capped: true } => Err(Kind::WholeTimeout.into()),
        Raced::Elapsed { .. } if caller.deadline.ends_attempt() => Err(attempt_over()),
        Raced::Elapsed { .. } if is_uploading => Err(Failure::with(
            Kind::RequestTimeout,
            "no progress with the request body",
        )),
        Raced::Elapsed { .. } => Err(Kind::ResponseTimeout.into()),
    }
}

/// The failure of an attempt that has taken too long.
pub(crate) fn attempt_over() -> Failure {
    let words = "the attempt took longer than `upstream_timeout`";
    Failure::with(Kind::ResponseTimeout, words)
}

#[cfg(test)]
mod tests;
