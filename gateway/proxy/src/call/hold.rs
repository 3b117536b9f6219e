//! A request waits because no endpoint of its upstream can be reached, as when the only one is
//! restarted.
//!
//! It waits in the queue of its worker ([`crate::holds`]). Its body is not read meanwhile, beyond
//! what is read to notice that the client has gone away. If a reload replaces the upstream, whose
//! endpoints may have moved, the request is sent to what has taken its place.

use std::rc::Rc;
use std::time::Duration;

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_upstream::Limit;
use tokio::time::Instant;

use super::place::overloaded;
use super::search::{EndpointConnection, Search};
use super::{Call, Caller};
use crate::attempts::Attempts;
use crate::course::Course;
use crate::holds::{Place, Turn};
use crate::race;

/// The pause before the first request in the queue looks for an endpoint; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A connection to an endpoint that is there again, and the course if a reload has changed it.
pub(super) type Released = (EndpointConnection, Option<Box<Course>>);

/// Whether a failure says that no endpoint can be reached.
pub(super) fn is_for(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        Kind::ConnectionRefused
            | Kind::ConnectTimeout
            | Kind::Unreachable
            | Kind::Dns
            | Kind::NoneHealthy
            | Kind::TlsHandshake
            | Kind::ConnectionReset
    )
}

/// Why a new request has to wait behind others, if some wait for its upstream.
pub(super) fn queue(call: &Call<'_>) -> Option<Failure> {
    let upstream = call.course.forwarding().upstream.name();
    call.worker.holds.failure(upstream)
}

/// Waits for an endpoint, of which there is none for this reason.
///
/// # Errors
/// There was none in time, or too many requests wait; or the client has gone away.
pub(super) async fn wait(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    search: &mut Search,
    attempts: &mut Attempts,
    failure: Failure,
) -> Result<Released, Failure> {
    let begin = Instant::now();
    let until = *search
        .hold_until
        .get_or_insert_with(|| begin + call.course.retries().hold);
    if queue(call).is_none() {
        // Fewer attempts may be allowed than there are endpoints. Whoever waits has others stand
        // behind, and so there must be nobody who can be reached.
        let rest = until.saturating_duration_since(begin);
        let incoming = caller.incoming.as_deref_mut();
        let deadline = &mut *caller.deadline;
        let untried = search.any_connection(call, false, attempts);
        match race::watched_for(incoming, deadline, rest, &mut None, untried).await? {
            Some(Ok(open)) => return Ok((open, None)),
            Some(Err(_)) => {}
            None => attempts.retract(),
        }
    }
    let stats = &call.course.forwarding().stats;
    let shard = call.worker.index;
    let upstream = &call.course.forwarding().upstream;
    let Some(place) = call.worker.holds.join(upstream, &failure) else {
        stats.count_hold(shard, "full", Duration::ZERO);
        if upstream.limit(Limit::Pending).is_some() {
            return Err(overloaded(
                call.worker,
                call.course.forwarding(),
                Limit::Pending,
            ));
        }
        let words = "and too many requests wait for an endpoint already";
        return Err(Failure::with(failure.kind, words));
    };
    let released = in_queue(call, caller, search, attempts, place, until).await;
    let waited = begin.elapsed();
    attempts.held(waited);
    let outcome = match &released {
        Ok(_) => "released",
        Err(failure) if failure.kind == Kind::ClientGone => "gone",
        Err(_) => "expired",
    };
    stats.count_hold(shard, outcome, waited);
    released
}

async fn in_queue(
    call: &Call<'_>,
    caller: &mut Caller<'_, '_>,
    search: &mut Search,
    attempts: &mut Attempts,
    place: Place,
    until: Instant,
) -> Result<Released, Failure> {
    let mut renewed: Option<Box<Course>> = None;
    let mut pause = FIRST_PAUSE;
    let mut half_closed = None;
    loop {
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Err(expired(call, &place));
        }
        let incoming = caller.incoming.as_deref_mut();
        if place.leads() {
            let patience = pause.min(rest);
            pause = (pause * 2).min(LONGEST_PAUSE);
            let (deadline, following) = (&mut *caller.deadline, place.follow());
            race::watched_for(incoming, deadline, patience, &mut half_closed, following).await?;
        } else {
            let (deadline, turn) = (&mut *caller.deadline, place.turn());
            match race::watched_for(incoming, deadline, rest, &mut half_closed, turn).await? {
                Some(Turn::Follow) => {}
                Some(Turn::Lead) => {
                    pause = FIRST_PAUSE;
                    continue;
                }
                None => return Err(expired(call, &place)),
            }
        }
        if let Some(course) = replaced(call, renewed.as_deref().unwrap_or(call.course)) {
            renewed = Some(Box::new(course));
        }
        let course = renewed.as_deref().unwrap_or(call.course);
        let here = call.on(course);
        search.begin_again(course);
        let rest = until.saturating_duration_since(Instant::now());
        let incoming = caller.incoming.as_deref_mut();
        let connecting = search.any_connection(&here, true, attempts);
        let deadline = &mut *caller.deadline;
        let connected =
            race::watched_for(incoming, deadline, rest, &mut half_closed, connecting).await?;
        match connected {
            Some(Ok(open)) => {
                place.leave();
                return Ok((open, renewed));
            }
            // Another failure is about this moment, and not about why requests wait.
            Some(Err(failure)) => place.stay(is_for(&failure).then_some(failure)),
            None => {
                attempts.retract();
                return Err(expired(call, &place));
            }
        }
    }
}

/// The course to the upstream that has taken the place of this one, if a reload has replaced it.
fn replaced(call: &Call<'_>, course: &Course) -> Option<Course> {
    let local = call.worker.snapshot();
    let upstream = local.upstream(course.forwarding().upstream.name())?;
    (!Rc::ptr_eq(upstream, &course.upstream)).then(|| Course {
        upstream: Rc::clone(upstream),
        ..course.clone()
    })
}

/// The failure of a request that has waited in vain: why there was no endpoint.
fn expired(call: &Call<'_>, place: &Place) -> Failure {
    let held = call.course.retries().hold;
    Failure::with(
        place.failure().kind,
        format!("no endpoint could be reached within {held:?}"),
    )
}

#[cfg(test)]
mod tests;
