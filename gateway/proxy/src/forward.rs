//! The target `upstream` without a cache: forwards the request, and the response
//! is streamed to the client.

use janua_http::Failure;

use crate::affinity;
use crate::answer::{Answer, Body};
use crate::call::{self, Call, Caller, UpstreamResponse};
use crate::course::Course;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::facts::AnsweredBy;
use crate::heads::Heads;
use crate::invalidate;
use crate::mirror;

/// Forwards the request.
///
/// # Errors
/// The failure of the last attempt, or a failure on the client's side.
pub(crate) async fn forward(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    course: &Course,
) -> Result<Answer, Failure> {
    // They are dropped where policies do not see them, as trailers are.
    let terms = exchange.terms.as_ref();
    if terms.is_some_and(|terms| terms.drops_trailers) {
        client.responder.restrict_interim();
    }
    let mut caller = Caller {
        incoming: Some(&mut *client.incoming),
        responder: Some(&mut client.responder),
        deadline: &mut *client.deadline,
    };
    let called = call(exchange, course, &mut caller).await;
    exchange.record.bytes_in = client.incoming.size();
    let called = called?;
    if exchange.heads.response.status == 101 {
        return Ok(Answer::settled(
            AnsweredBy::Upstream,
            Body::Switched(called),
        ));
    }
    invalidate::invalidate(exchange);
    Ok(Answer::fresh(AnsweredBy::Upstream, Body::Passing(called)))
}

/// Makes a call with the request of the exchange. The head of the response becomes that
/// of the exchange.
///
/// # Errors
/// The failure of the last attempt, or a failure on the caller's side.
pub(crate) async fn call(
    exchange: &mut Exchange,
    course: &Course,
    caller: &mut Caller<'_, '_>,
) -> Result<UpstreamResponse, Failure> {
    mirror::mirror(exchange, course, caller.incoming.as_deref_mut());
    let tie = affinity::of(exchange, course.forwarding());
    let Heads {
        request, response, ..
    } = &mut *exchange.heads;
    let call = Call {
        worker: &exchange.worker,
        course,
        head: request,
        hop: &exchange.hop,
        client: caller.incoming.as_ref().map(|_| &exchange.peer),
        tie,
        now_ms: exchange.now.monotonic_ms,
    };
    call::call(&call, caller, response, &mut exchange.record.attempts).await
}

#[cfg(test)]
mod tests;
