//! Sends the response whose head is in the exchange. Every response to a client begins
//! here.

mod coded;
mod held;
mod passing;
mod tunnel;

use janua_http::failure::Kind;
use janua_http::status::has_no_body;
use janua_http::{Failure, Length, ResponseHead};

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::outgoing::Outgoing;
use crate::represent::Form;
use crate::responder::{Fate, Responder};

/// Sends the response, and returns what happens to the client's connection.
pub(crate) async fn deliver(exchange: &mut Exchange, client: Downstream<'_>, form: Form) -> Fate {
    let delivered = match form {
        Form::Content(content) => held::deliver(exchange, client, content).await,
        Form::Passing(response, coder) => passing::deliver(exchange, client, response, coder).await,
        // Boxed, so that other responses do not carry the room that it takes.
        Form::Switched(response) => Box::pin(tunnel::deliver(exchange, client, response)).await,
    };
    // The response has begun, so that no error status can be sent. The connection is
    // reset, so that the client does not take the incomplete response for the whole.
    delivered.unwrap_or_else(|failure| {
        exchange.record.fail(&failure);
        Fate::Abort
    })
}

impl Exchange {
    /// Whether the client's connection stays open after the response.
    fn fate(&self) -> Fate {
        // The clock is read again only where it matters: the response may have taken long.
        let is_expired = self
            .expires_at
            .is_some_and(|expires_at| self.worker.clock.now().instant >= expires_at);
        let is_last = self.is_last || is_expired || self.worker.draining.get();
        if self.heads.request.keep_alive && !is_last {
            Fate::KeepAlive
        } else {
            Fate::Close
        }
    }
}

/// Queues the head of the response, behind which a body of this length follows.
fn begin<'c>(
    exchange: &mut Exchange,
    responder: Responder<'c>,
    length: Length,
    fate: Fate,
) -> &'c mut Outgoing {
    exchange.record_begin(exchange.heads.response.status);
    let head = &mut exchange.heads.response;
    let clock = (&exchange.worker.clock, exchange.now);
    responder.begin(head, length, fate, clock)
}

/// The failure of a client that reads the response more slowly than the minimum rate.
fn reads_too_slowly() -> Failure {
    Failure::with(Kind::ClientGone, "reads the response too slowly")
}

/// The length of the body, which some statuses exclude. A policy may have set such a status, or
/// another one where there is no body: `Content-Length` is removed where it would announce
/// a body that does not follow. What remains is that of the response to a `GET`, in one to a
/// `HEAD` or in a 304 (RFC 9110 §8.6).
fn settle_length(head: &mut ResponseHead, length: Length, answers_head: bool) -> Length {
    // A 205 has no content (RFC 9110 §15.3.6), but in HTTP/1.1 its end must be stated.
    let excludes_body = has_no_body(head.status) || head.status == 205;
    let settled = match excludes_body {
        true => Length::None,
        false => length,
    };
    let is_of_get = match head.status {
        304 => length == Length::None,
        _ => answers_head && !excludes_body,
    };
    let is_zero = head.fields.get(b"content-length") == Some(b"0") && head.status == 205;
    if settled == Length::None && !is_of_get && !is_zero {
        head.fields.remove(b"content-length");
    }
    settled
}
