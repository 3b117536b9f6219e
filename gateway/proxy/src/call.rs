//! A call: sends a request to an upstream and receives the head of the
//! response. The body of the response is left for the caller to read.
//!
//! Calls are made both for clients' requests and for fetches of the cache. The
//! code here does not distinguish them: all it needs is a [`Caller`].

mod connect;
mod discard;
mod establish;
mod head;
mod hedge;
mod hold;
mod message;
mod outliers;
mod place;
pub(crate) mod request_head;
mod response;
mod search;
mod shared;
mod websocket;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, ready};

use janua_http::failure::Kind;
use janua_http::{Failure, RequestHead, ResponseHead, grpc, method};
use tokio::time::Instant;

use crate::affinity::Tie;
use crate::attempts::Attempts;
use crate::body::{Receiver as _, Trailers};
use crate::clean::Hop;
use crate::client::Peer;
use crate::course::Course;
use crate::deadline::Deadline;
use crate::incoming::{BodyState, Incoming};
use crate::race::{self, Pace, Progress, Raced};
use crate::replay::Replay;
use crate::responder::Responder;
use crate::retries::{Event, Sent};
use crate::upload::{Upload, UploadState};
use crate::upstream_http2::Protocol;
use crate::upstream_stream::StreamError;
use crate::worker::Worker;
use head::FinalHead;
pub(crate) use response::UpstreamResponse;
use search::{EndpointConnection, FailedAttempt, Search};

/// The request to send and the upstream to send it to.
#[derive(Clone, Copy)]
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
    let called = try_in_turn(call, caller, response, attempts).await;
    // What the client gets in place of the response has its own time.
    caller.deadline.set_attempt(None);
    called
}

/// Makes one attempt after the other, until there is a response.
async fn try_in_turn(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    response: &mut ResponseHead,
    attempts: &mut Attempts,
) -> Result<UpstreamResponse, Failure> {
    let mut search = Search::new(call.course);
    let mut replay = None;
    // What has taken the place of the upstream while the request waited for it.
    let mut renewed = None;
    let mut released = None;
    loop {
        let course = renewed.as_deref().unwrap_or(call.course);
        let call = &call.on(course);
        let may_hold = search.may_hold(course);
        // The time of the attempt before this one is over.
        caller.deadline.set_attempt(None);
        let opened = match released.take() {
            Some(open) => Ok(open),
            None => match may_hold.then(|| hold::queue(call)).flatten() {
                // It stands behind those that wait already.
                Some(failure) => Err(failure),
                None => {
                    // What is sent of a body is read when there is a connection.
                    let watched = caller.incoming.as_deref_mut();
                    let watched = watched.filter(|incoming| incoming.length().is_empty());
                    let opening = search.next_connection(call, caller.deadline, attempts);
                    race::unless_reset(watched, opening).await
                }
            },
        };
        let mut open = match opened {
            Ok(open) => open,
            Err(failure) if may_hold && hold::is_for(&failure) => {
                // Boxed, so that other calls do not carry the room that it takes.
                let holding = hold::wait(call, caller, &mut search, attempts, failure);
                let (open, course) = Box::pin(holding).await?;
                released = Some(open);
                renewed = course.or(renewed);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let received = open.connection.incoming.reader.received();
        let sent = open.connection.outgoing.writer.sent();
        open.begin_sending(call.course);
        caller.deadline.set_attempt(open.ends_at);
        let exchanged = match replay.take() {
            None if hedge::is_for(call, caller) => {
                let hedged = hedge::exchange(call, caller, &search, &mut open, response, attempts);
                Box::pin(hedged).await
            }
            replay => exchange_heads(call, caller, &mut open, replay, response, attempts).await,
        };
        let incoming = caller.incoming.as_deref();
        let body = incoming.map_or(BodyState::Read, |incoming| incoming.state());
        let is_bodyless = incoming.is_none_or(|incoming| incoming.length().is_empty());
        let is_untouched = is_bodyless || body == BodyState::Untouched;
        let failure = match exchanged {
            Ok((upload, protocol)) => {
                let event = rejection(call, response);
                open.head_received(call, response, attempts);
                if let Some(event) = event {
                    let sent = Sent {
                        is_idempotent: method::is_idempotent(&call.head.method),
                        nothing: false,
                        can_be_repeated: is_untouched || open.connection.can_replay(),
                    };
                    if search.check_status(call, &open, event, sent, attempts) {
                        attempts.rejected(response.status);
                        if !is_untouched {
                            replay = open.connection.take_replay();
                        }
                        let unused = UpstreamResponse::new(open, call, upload, protocol);
                        discard::discard(call.worker, unused, std::mem::take(response));
                        continue;
                    }
                }
                open.connection.forget_request();
                return Ok(UpstreamResponse::new(open, call, upload, protocol));
            }
            Err(failure) => failure,
        };
        let stream = open.connection.stream();
        let has_received = stream.is_some_and(|stream| stream.has_received());
        let has_sent = stream.is_some_and(|stream| stream.has_sent());
        let error = stream.and_then(|stream| stream.error());
        if !is_untouched {
            replay = open.connection.take_replay();
        }
        let connection = &open.connection;
        let attempt = FailedAttempt {
            nothing_received: connection.incoming.reader.received() == received && !has_received,
            nothing_sent: connection.outgoing.writer.sent() == sent && !has_sent && is_untouched,
            has_whole_body: is_untouched || replay.is_some(),
            stream: error,
        };
        attempts.failed(failure.kind);
        search.check_retry(call, open, failure, &attempt, attempts)?;
    }
}

/// What is against a response, if its status is one after which requests may be sent again.
fn rejection(call: &Call<'_>, response: &ResponseHead) -> Option<Event> {
    let on = &call.course.retries().on;
    if on.has_status(response.status) {
        return Some(Event::Status(response.status));
    }
    if !on.has_calls() || !grpc::is_call(&call.head.fields) {
        return None;
    }
    // Only a response without messages has it in its head.
    let status = response.fields.get(b"grpc-status")?;
    let status = std::str::from_utf8(status).ok()?.parse().ok()?;
    Some(Event::Call(status))
}

impl<'a> Call<'a> {
    /// The same call with this course. Sessions name an endpoint by its place, which may be another
    /// one in another upstream.
    fn on<'b>(&self, course: &'b Course) -> Call<'b>
    where
        'a: 'b,
    {
        let is_same = std::ptr::eq(course, self.course);
        Call {
            course,
            tie: match is_same {
                true => self.tie,
                false => self.tie.without_session(),
            },
            ..*self
        }
    }

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
/// earlier attempt.
async fn exchange_heads(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    open: &mut EndpointConnection,
    replay: Option<Box<Replay>>,
    response: &mut ResponseHead,
    attempts: &mut Attempts,
) -> Result<Received, Failure> {
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
    let endpoint = forwarding.stats.host(open.picked.index);
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
    if let Some(replay) = &replay {
        // An empty chunk would end the body.
        if !replay.body.is_empty() {
            connection.outgoing.push(&replay.body);
        }
        if let Some(trailers) = &replay.end {
            connection.outgoing.end(trailers);
        }
    }
    let retries = call.course.retries();
    if !length.is_empty() {
        let is_idempotent = method::is_idempotent(&call.head.method);
        // A stream may also not be processed, after which each request is sent again.
        if connection.stream().is_some() || retries.on.keep_body(is_idempotent) {
            connection.keep_request(retries.body, replay);
        }
    }
    let whole = forwarding.response_head_timeout;
    let limit = retries.try_timeout.map_or(whole, |limit| limit.min(whole));
    let sending = attempts.sending();
    let begin = match retries.try_timeout.is_some() && length.is_empty() {
        true => open.begin,
        false => sending,
    };
    caller.deadline.set_from(begin, limit);
    let mut state = UploadState::Sending;
    let mut upload = Upload::new(
        caller.incoming.as_deref_mut(),
        &mut connection.outgoing,
        &mut state,
    );
    let pace = Pace::until_head(limit);
    let progress = Progress::default();
    // The time limit of the attempt is the only one that does not begin with the last byte.
    let is_timed = open.ends_at.is_some() && !length.is_empty();
    let uploaded_at = Cell::new(None);
    let incoming = &mut connection.incoming;
    let mut head = FinalHead::default();
    let raced = {
        let receiving = poll_fn(|context| {
            if is_timed && pace.is_uploaded.get() && uploaded_at.get().is_none() {
                uploaded_at.set(Some(Instant::now()));
            }
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
        let mut receiving = pin!(receiving);
        let mut waited_at = None;
        loop {
            let main = receiving.as_mut();
            let raced = race::race(caller.deadline, &pace, &mut upload, &progress, main).await;
            // The limit of an attempt is the upstream's. A client may pause for longer.
            let awaits_client = !upload.is_done() && !upload.is_stalled();
            let moved = upload.progress();
            if matches!(raced, Raced::Elapsed { capped: false })
                && awaits_client
                && limit < whole
                && !caller.deadline.ends_attempt()
                && waited_at != Some(moved)
            {
                waited_at = Some(moved);
                caller.deadline.set(whole.saturating_sub(limit));
                continue;
            }
            break raced;
        }
    };
    let is_uploading = !upload.is_done() && !upload.is_stalled();
    match raced {
        Raced::Finished(Ok(())) => Ok((state, head.protocol.take())),
        Raced::Finished(Err(failure)) | Raced::UploadFailed(failure) => Err(failure),
        Raced::HalfClosed => Err(race::left()),
        Raced::Elapsed { capped: true } => Err(Kind::WholeTimeout.into()),
        Raced::Elapsed { .. } if caller.deadline.ends_attempt() => {
            let share = call.course.upstream_timeout.unwrap_or_default() / 10;
            let uploaded_at = uploaded_at.get();
            let is_late = uploaded_at.is_some_and(|at: Instant| at - sending > share);
            Err(attempt_over(is_uploading || is_late))
        }
        Raced::Elapsed { .. } if is_uploading => Err(Failure::with(
            Kind::RequestTimeout,
            "no progress with the request body",
        )),
        Raced::Elapsed { .. } => Err(Kind::ResponseTimeout.into()),
    }
}

/// What is known once the head of a response was received: how much of the request has been sent,
/// and, after a `101`, the new protocol.
type Received = (UploadState, Option<Vec<u8>>);

/// The failure of an attempt that has taken longer than `upstream_timeout`. If that is because the
/// client has sent its request slowly, or has not read the response, it says nothing about the
/// endpoint: clients could otherwise have it ejected.
pub(crate) fn attempt_over(is_clients: bool) -> Failure {
    match is_clients {
        true => Failure::with(
            Kind::WholeTimeout,
            "the client took up much of `upstream_timeout`",
        ),
        false => Failure::with(
            Kind::ResponseTimeout,
            "the attempt took longer than `upstream_timeout`",
        ),
    }
}

#[cfg(test)]
mod tests;
