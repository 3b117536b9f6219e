//! Streams a response from an upstream to the client.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use janua_compress::apply;
use janua_http::failure::Kind;
use janua_http::grpc_web::Encoder;
use janua_http::{Failure, Framing, Length, ResponseHead, chunked, grpc};

use super::{begin, coded, reads_too_slowly, settle_length};
use crate::body::{Receiver as _, TransferError};
use crate::call::UpstreamResponse;
use crate::call::attempt_over;
use crate::coder::Coder;
use crate::deadline::Deadline;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failed;
use crate::outgoing::Outgoing;
use crate::race::{self, Pace, Progress, Raced};
use crate::responder::Fate;

/// Sends the head and streams the body, in a content coding if there is a coder. The rest
/// of the request body is uploaded meanwhile.
///
/// # Errors
/// The upstream fails, or the client does not read the response.
pub(super) async fn deliver(
    exchange: &mut Exchange,
    client: Downstream<'_>,
    mut response: UpstreamResponse,
    coder: Option<Coder>,
) -> Result<Fate, Failure> {
    let head = &mut exchange.heads.response;
    let received_length = response.connection.incoming.length();
    let answers_head = exchange.heads.request.method == b"HEAD";
    let length = settle_length(head, received_length, answers_head);
    let mut keep = head.keep_alive;
    if length == Length::None && !received_length.is_empty() {
        // The status excludes a body, perhaps since a policy has set it: what the upstream
        // sends is not read.
        response.connection.incoming.begin(Framing::None);
        keep = false;
    }
    let coder = coder.filter(|_| length != Length::None);
    let encoder = exchange.encoder.take();
    let encoder = encoder.filter(|_| length != Length::None);
    let length = if coder.is_some() || encoder.is_some() {
        Length::Open
    } else {
        length
    };
    let takes_trailers = client.responder.takes_trailers(length);
    announce(head, takes_trailers, coder.is_some());
    let is_self_delimited = client.responder.is_self_delimited(length);
    let fate = match is_self_delimited {
        true => exchange.fate(),
        false => Fate::Close,
    };
    let Downstream {
        incoming,
        responder,
        deadline,
    } = client;
    let outgoing = begin(exchange, responder, length, fate);
    outgoing.encode(encoder);
    let is_coded = coder.is_some();
    let pace = Pace::of_body(response.idle_timeout);
    // It may be the response of a fetch, which had a deadline of its own.
    deadline.set_attempt(response.ends_at);
    deadline.set(response.idle_timeout);
    let progress = Progress::default();
    let bytes_out = &mut exchange.record.bytes_out;
    let (body, mut upload) = response.split(incoming);
    let raced = match coder {
        None => {
            let passing = poll_fn(|context| {
                let passed = body.poll_pass(context, outgoing);
                progress.set(body.reader.received() + outgoing.writer.sent());
                let is_blocked = outgoing.writer.is_blocked();
                if passed.is_pending() && outgoing.is_read_too_slowly(is_blocked) {
                    return Poll::Ready(Err(reads_too_slowly()));
                }
                passed.map_err(TransferError::of_response)
            });
            race::race(deadline, &pace, &mut upload, &progress, passing).await
        }
        Some(coder) => {
            let passing = Box::pin(coded::pass(body, outgoing, coder, &progress, bytes_out));
            race::race(deadline, &pace, &mut upload, &progress, passing).await
        }
    };
    let (uploaded, is_half_closed) = (upload.is_done(), upload.is_half_closed());
    exchange.record.bytes_in = incoming.size();
    if !is_coded {
        exchange.record.bytes_out = match outgoing.encoder() {
            Some(encoder) => encoder.size(),
            None => response.connection.incoming.size(),
        };
    }
    let failure = match raced {
        Raced::Finished(Ok(())) if outgoing.encoder().is_some_and(Encoder::is_cut) => {
            Failure::with(Kind::ResponseIncomplete, "ended within a message")
        }
        Raced::Finished(Ok(())) => {
            let now = exchange.worker.clock.now();
            if keep && uploaded {
                response.put_back(&exchange.worker, &exchange.heads.response, now);
            }
            exchange.record.attempts.complete(now.instant);
            exchange.record.ended = Some(now.instant);
            let is_reusable = uploaded && !is_half_closed && is_self_delimited;
            return Ok(if is_reusable { fate } else { Fate::Close });
        }
        Raced::Finished(Err(failure)) | Raced::UploadFailed(failure) => failure,
        Raced::HalfClosed => race::left(),
        Raced::Elapsed { capped: true } => Kind::WholeTimeout.into(),
        Raced::Elapsed { .. } if deadline.ends_attempt() => attempt_over(outgoing.has_waited()),
        Raced::Elapsed { .. } if outgoing.writer.is_blocked() => {
            Failure::with(Kind::ClientGone, "stopped reading the response")
        }
        Raced::Elapsed { .. } => {
            Failure::with(Kind::ResponseTimeout, "no progress with the response body")
        }
    };
    response.fail(&exchange.worker, &failure);
    exchange.record.attempts.failed(failure.kind);
    let is_call = match outgoing.encoder() {
        Some(encoder) => encoder.may_end(),
        None => outgoing.writer.is_stream() && grpc::is_call(&exchange.heads.request.fields),
    };
    if is_call && failure.kind != Kind::ClientGone {
        // Boxed, so that other responses do not carry the room that it takes.
        let is_told = Box::pin(end_call(outgoing, deadline, &failure)).await;
        if is_told {
            exchange.record.fail(&failure);
            return Ok(Fate::Close);
        }
    }
    Err(failure)
}

/// How long the client may take to read the rest of a call that has failed.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ends a call of gRPC by trailers, which tell its client that it has failed, and why; false if the
/// client does not read them.
async fn end_call(outgoing: &mut Outgoing, deadline: &mut Deadline, failure: &Failure) -> bool {
    outgoing.end(&failed::trailers_of_call(failure));
    deadline.set_cap(None);
    deadline.set(PATIENCE);
    matches!(deadline.guard(outgoing.writer.flush()).await, Ok(Ok(())))
}

/// Reduces `Trailer` to the trailers that will follow the body (RFC 9110 §6.6.2).
fn announce(head: &mut ResponseHead, takes_trailers: bool, is_coded: bool) {
    let mut value = Vec::new();
    if !head.fields.joined(b"Trailer", b", ", &mut value) {
        return;
    }
    let passes = |name: &[u8]| !(is_coded && apply::is_untrue(name));
    match chunked::announced(&value, passes).filter(|_| takes_trailers) {
        Some(announced) => head.fields.set(b"Trailer", &announced),
        None => {
            head.fields.remove(b"trailer");
        }
    }
}

#[cfg(test)]
mod tests;
