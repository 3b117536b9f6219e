//! One attempt: sends the request on a connection that is open, and receives the head of the
//! response, which may arrive while the body of the request is still being sent.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, ready};

use janua_http::failure::Kind;
use janua_http::{Failure, Length, ResponseHead, method};
use tokio::time::Instant;

use super::head::FinalHead;
use super::search::EndpointConnection;
use super::{Call, Caller, connect, message, request_head, websocket};
use crate::attempts::Attempts;
use crate::body::{Receiver as _, Trailers};
use crate::race::{self, Pace, Progress, Raced};
use crate::replay::Replay;
use crate::upload::{Upload, UploadState};
use crate::upstream_stream::StreamError;

/// What is known once the head of a response was received: how much of the request has been sent,
/// and, after a `101`, the new protocol.
pub(super) type Received = (UploadState, Option<Vec<u8>>);

/// Sends the request and receives the head of the response, which may arrive
/// while the request body is still being sent. Returns the state of that upload
/// and, after a `101`, the new protocol. `replay` is what was read of the body for an
/// earlier attempt.
pub(super) async fn exchange_heads(
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
        connection.outgoing.begin(length == Length::Open);
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
            Err(attempt_over(
                is_uploading || is_late || head.awaits_client(),
            ))
        }
        Raced::Elapsed { .. } if head.awaits_client() => Err(Failure::with(
            Kind::ClientGone,
            "did not read an interim response",
        )),
        Raced::Elapsed { .. } if is_uploading => Err(Failure::with(
            Kind::RequestTimeout,
            "no progress with the request body",
        )),
        Raced::Elapsed { .. } => Err(Kind::ResponseTimeout.into()),
    }
}

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
