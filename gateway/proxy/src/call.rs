//! A call: sends a request to an upstream and receives the head of its
//! response, whose body is still to be read.
//!
//! It is made for a client's request as for a fetch of the cache's own, and
//! knows neither: what it needs of the one it is made for is a [`Caller`].

mod connect;
mod head;
pub(crate) mod request_head;
mod response;
mod search;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, ready};

use janua_http::failure::Kind;
use janua_http::{Failure, RequestHead, ResponseHead};

use crate::attempts::Attempts;
use crate::body::Trailers;
use crate::clean::Hop;
use crate::course::Course;
use crate::deadline::Deadline;
use crate::incoming::{Incoming, State};
use crate::race::{self, Pace, Progress, Raced};
use crate::responder::Responder;
use crate::upload::{self, Upload};
use crate::worker::Worker;
use head::FinalHead;
pub(crate) use response::UpstreamResponse;
use search::{Search, Tried};

/// What is sent, and where.
pub(crate) struct Call<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) course: &'a Course,
    pub(crate) head: &'a RequestHead,
    pub(crate) hop: &'a Hop,
    /// When the request came, in the worker's milliseconds.
    pub(crate) now_ms: u64,
}

/// The one for whom a call is made.
pub(crate) struct Caller<'a, 'c> {
    /// The request's body, and after it an eye on the client. None for a request
    /// without a body that no client waits for.
    pub(crate) incoming: Option<&'a mut Incoming>,
    /// Takes the interim responses.
    pub(crate) responder: Option<&'a mut Responder<'c>>,
    pub(crate) deadline: &'a mut Deadline,
}

/// Makes a call. Afterwards the response's head stands in `response`.
///
/// # Errors
/// The failure of the last attempt, or of the caller's side.
pub(crate) async fn call(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    response: &mut ResponseHead,
    attempts: &mut Attempts,
) -> Result<UpstreamResponse, Failure> {
    let mut search = Search::new(call.course);
    loop {
        let mut open = search.open(call, attempts).await?;
        let received = open.connection.incoming.reader.received();
        let sent = open.connection.outgoing.writer.sent();
        let failure = match exchange_heads(call, caller, &mut open, response, attempts).await {
            Ok((upload, protocol)) => {
                open.head_came(call, response, attempts);
                return Ok(UpstreamResponse::new(open, call.course, upload, protocol));
            }
            Err(failure) => failure,
        };
        let incoming = caller.incoming.as_deref();
        let body = incoming.map_or(State::Read, |incoming| incoming.state());
        let is_bodyless = incoming.is_none_or(|incoming| incoming.length().is_empty());
        let connection = &open.connection;
        let tried = Tried {
            nothing_came: connection.incoming.reader.received() == received,
            nothing_sent: connection.outgoing.writer.sent() == sent
                && (is_bodyless || body == State::Untouched),
            is_bodyless,
        };
        attempts.failed(failure.kind);
        search.judge(call, open, failure, &tried)?;
    }
}

/// Sends the request, and receives the head of the response while its body is
/// on its way; how far that came.
async fn exchange_heads(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    open: &mut search::Open,
    response: &mut ResponseHead,
    attempts: &mut Attempts,
) -> Result<(upload::State, Option<Vec<u8>>), Failure> {
    let forwarding = call.course.forwarding();
    if let (Some(incoming), Some(responder)) = (&caller.incoming, &mut caller.responder)
        && call.head.expects_continue
        && !incoming.length().is_empty()
        && responder.may_continue()
    {
        responder.send_continue(caller.deadline).await?;
        // That may have taken a while, in which the upstream was not looked at.
        connect::look(call, &open.picked, &open.connection)?;
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
    request_head::write(
        call,
        forwarding.stats.endpoint(open.picked.index),
        length,
        trailers,
        connection.outgoing.writer.pending(),
    );
    connection
        .outgoing
        .begin(length == janua_http::Length::Open);
    caller
        .deadline
        .set_from(attempts.sending(), forwarding.response_head_timeout);
    let mut state = upload::State::Sending;
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
        // An upstream may change the protocol as soon as it has the head; the new
        // one begins behind the body (RFC 9110 §7.8). The race asks the upload
        // before it asks this again.
        if response.status == 101 && !pace.is_uploaded.get() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    });
    let raced = race::race(caller.deadline, &pace, &mut upload, &progress, receiving).await;
    let is_on_its_way = !upload.is_done() && !upload.is_stalled();
    match raced {
        Raced::Main(Ok(())) => Ok((state, head.protocol.take())),
        Raced::Main(Err(failure)) | Raced::Side(failure) => Err(failure),
        Raced::Elapsed { capped: true } => Err(Kind::WholeTimeout.into()),
        Raced::Elapsed { .. } if is_on_its_way => Err(Failure::with(
            Kind::RequestTimeout,
            "no progress with the request body",
        )),
        Raced::Elapsed { .. } => Err(Kind::ResponseTimeout.into()),
    }
}

#[cfg(test)]
mod tests;
