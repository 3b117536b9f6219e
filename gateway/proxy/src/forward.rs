//! The target `upstream` without a cache: forwards the request, and the response
//! is streamed to the client.

use janua_http::Failure;

use crate::answer::{Answer, Body};
use crate::call::{self, Call, Caller};
use crate::course::Course;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::facts::AnsweredBy;
use crate::heads::Heads;
use crate::invalidate;

/// Forwards the request.
///
/// # Errors
/// The failure of the last attempt, or a failure on the client's side.
pub(crate) async fn forward(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    course: &Course,
) -> Result<Answer, Failure> {
    let Heads {
        request, response, ..
    } = &mut *exchange.heads;
    let call = Call {
        worker: &exchange.worker,
        course,
        head: request,
        hop: &exchange.hop,
        now_ms: exchange.now.monotonic_ms,
    };
    let mut caller = Caller {
        incoming: Some(&mut *client.incoming),
        responder: Some(&mut client.responder),
        deadline: &mut *client.deadline,
    };
    let called = call::call(&call, &mut caller, response, &mut exchange.record.attempts).await;
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

#[cfg(test)]
mod tests;
