//! A request that is sent to a second endpoint because the first is late: the first response
//! counts, and the other attempt is given up.
//!
//! Only requests without a body are doubled, whose methods ask for nothing to be changed: both
//! endpoints may process them. A second attempt takes a place in the budget of retries, so that an
//! upstream that has become slow is not given twice as much to do.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use janua_http::{Failure, Fault, ResponseHead};
use janua_upstream::{Picked, Place};
use tokio::time::timeout;

use super::search::{EndpointConnection, Search, place_for_repeat};
use super::{Call, Caller, Received, connect, exchange_heads};
use crate::attempts::Attempts;
use crate::deadline::Deadline;
use crate::race;
use crate::retries::Hedge;

/// Whether the request may be sent to two endpoints.
pub(super) fn is_for(call: &Call<'_>, caller: &Caller<'_, '_>) -> bool {
    let incoming = caller.incoming.as_deref();
    call.course.retries().hedge.is_some()
        && matches!(&*call.head.method, b"GET" | b"HEAD" | b"OPTIONS")
        && incoming.is_none_or(|incoming| incoming.length().is_empty())
        && call.hop.upgrade.is_none()
}

/// The second attempt.
struct Second {
    response: ResponseHead,
    attempts: Attempts,
}

/// The connection on which the second attempt was answered.
type Answered = (EndpointConnection, Received);

/// The second attempt, as long as it has not ended.
type Running<'a> = Option<Pin<Box<dyn Future<Output = Result<Answered, Failure>> + 'a>>>;

/// Which attempt has ended first.
enum Ended {
    First(Result<Received, Failure>),
    Second(Answered),
}

/// Sends the request on an open connection, and to a second endpoint if the head of the response
/// does not arrive in time. Afterwards `open` is the connection of the response.
///
/// # Errors
/// The failure of the attempt on the open connection.
pub(super) async fn exchange(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    search: &Search,
    open: &mut EndpointConnection,
    response: &mut ResponseHead,
    attempts: &mut Attempts,
) -> Result<Received, Failure> {
    let begin = call.worker.clock.now();
    let times = &call
        .course
        .forwarding()
        .upstream
        .group()
        .repeats()
        .head_times;
    let delay = match call.course.retries().hedge {
        None => None,
        Some(Hedge::After(time)) => Some(time),
        Some(Hedge::Quantile(percent)) => {
            let known = &call.course.upstream.hedge_delay;
            known.get(percent, times, begin.monotonic_ms)
        }
    };
    let received = match delay {
        Some(delay) => race(call, caller, search, open, response, attempts, delay).await,
        None => exchange_heads(call, caller, open, None, response, attempts).await,
    };
    // One that was overtaken would have taken longer still.
    if received.is_ok() {
        times.record(begin.instant.elapsed(), begin.monotonic_ms);
    }
    received
}

async fn race(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    search: &Search,
    open: &mut EndpointConnection,
    response: &mut ResponseHead,
    attempts: &mut Attempts,
    delay: Duration,
) -> Result<Received, Failure> {
    let mut second = Second {
        response: ResponseHead::default(),
        attempts: Attempts::default(),
    };
    let Second {
        response: second_response,
        attempts: second_attempts,
    } = &mut second;
    let first_endpoint = open.picked.index;
    let mut running: Running<'_>;
    let ended = {
        let first = exchange_heads(call, caller, open, None, response, attempts);
        let mut first = pin!(first);
        if let Ok(received) = timeout(delay, first.as_mut()).await {
            return received;
        }
        let Some(picked) = search.pick_another(call, first_endpoint) else {
            return first.await;
        };
        let Some(place) = place_for_repeat(call, second_attempts) else {
            return first.await;
        };
        let sending = send(call, picked, place, second_response, second_attempts);
        running = Some(Box::pin(sending));
        poll_fn(|context| {
            if let Poll::Ready(received) = first.as_mut().poll(context) {
                return Poll::Ready(Ended::First(received));
            }
            if let Some(other) = &mut running
                && let Poll::Ready(answered) = other.as_mut().poll(context)
            {
                running = None;
                if let Ok(answered) = answered {
                    return Poll::Ready(Ended::Second(answered));
                }
            }
            Poll::Pending
        })
        .await
    };
    let stats = &call.course.forwarding().stats;
    let shard = call.worker.index;
    let (answered, failure) = match ended {
        Ended::Second(answered) => (Ok(answered), None),
        Ended::First(Err(failure)) if failure.kind.fault() == Fault::Upstream => {
            // The second attempt is all that is left.
            let waited = match running.take() {
                None => Ok(None),
                Some(other) => {
                    let incoming = caller.incoming.as_deref_mut();
                    let patience = call.course.forwarding().response_head_timeout;
                    let deadline = &mut *caller.deadline;
                    race::watched_for(incoming, deadline, patience, &mut None, other).await
                }
            };
            match waited {
                Ok(Some(Ok(answered))) => (Ok(answered), Some(failure)),
                Ok(_) => (Err(Err(failure)), None),
                Err(failure) => (Err(Err(failure)), None),
            }
        }
        Ended::First(received) => (Err(received), None),
    };
    match answered {
        Ok((connection, received)) => {
            match failure {
                Some(failure) => {
                    attempts.failed(failure.kind);
                    if !open.is_blameless(&failure) {
                        let forwarding = call.course.forwarding();
                        connect::report(call.worker, forwarding, &open.picked, &failure);
                    }
                }
                None => attempts.overtaken(),
            }
            stats.count_hedge(shard, "won");
            // The first connection is dropped, which gives the attempt up.
            *open = connection;
            drop(running);
            *response = second.response;
            attempts.merge(second.attempts, true);
            Ok(received)
        }
        Err(received) => {
            let is_lost = running.is_some();
            stats.count_hedge(shard, if is_lost { "lost" } else { "failed" });
            drop(running);
            let mut others = second.attempts;
            if is_lost {
                others.overtaken();
            }
            attempts.merge(others, false);
            received
        }
    }
}

/// Sends the request to a second endpoint. The client is watched by the first attempt.
async fn send(
    call: &Call<'_>,
    picked: Picked,
    _place: Place,
    response: &mut ResponseHead,
    attempts: &mut Attempts,
) -> Result<Answered, Failure> {
    let now = call.worker.clock.now();
    let mut search = Search::new(call.course);
    let mut open = search
        .open(call, picked, false, now, None, attempts)
        .await?;
    let mut caller = Caller {
        incoming: None,
        responder: None,
        deadline: &mut Deadline::new(call.course.forwarding().response_head_timeout),
    };
    let received = exchange_heads(call, &mut caller, &mut open, None, response, attempts).await;
    match received {
        Ok(received) => Ok((open, received)),
        Err(failure) => {
            attempts.failed(failure.kind);
            if !open.is_blameless(&failure) {
                let forwarding = call.course.forwarding();
                connect::report(call.worker, forwarding, &open.picked, &failure);
            }
            Err(failure)
        }
    }
}

#[cfg(test)]
mod tests;
