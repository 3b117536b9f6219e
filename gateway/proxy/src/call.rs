//! A call: sends a request to an upstream and receives the head of the
//! response. The body of the response is left for the caller to read.
//!
//! Calls are made both for clients' requests and for fetches of the cache. The
//! code here does not distinguish them: all it needs is a [`Caller`].

mod attempt;
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

use std::pin::pin;
use std::rc::Rc;

use janua_http::{Failure, RequestHead, ResponseHead, grpc, method};

use crate::affinity::Tie;
use crate::attempts::Attempts;
use crate::clean::Hop;
use crate::client::Peer;
use crate::course::Course;
use crate::deadline::Deadline;
use crate::incoming::{BodyState, Incoming};
use crate::race;
use crate::responder::Responder;
use crate::retries::{Event, Sent};
use crate::upstream_http2::Protocol;
use crate::worker::Worker;
pub(crate) use attempt::attempt_over;
use attempt::exchange_heads;
pub(crate) use response::UpstreamResponse;
use search::{FailedAttempt, Search};

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
                    // Where it stays: it is too large to be copied for each request.
                    let opening = pin!(search.next_connection(call, caller.deadline, attempts));
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

#[cfg(test)]
mod tests;
