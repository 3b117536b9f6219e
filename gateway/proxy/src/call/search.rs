//! The search for an endpoint that answers: chooses an endpoint, takes a connection
//! from the pool or opens one, and retries after a failure where that is safe ([`repeat`]).
//!
//! A request is retried after what the operator has listed, and only if the upstream
//! cannot have processed it, or may process it twice (`crate::retries`): always after a
//! failed connect; after a connection was lost before the first byte of the response, if
//! nothing of it was sent, or if its method is idempotent and its body is still known
//! (RFC 9110 §9.2.2). What is sent again is limited for the upstream as a whole.
//!
//! How a lost connection is judged depends on its age. A pooled connection was most
//! likely closed by the upstream while the request was being sent, a well-known
//! cause of sporadic 502s: passive health checks do not count it, and the endpoint
//! may be chosen once more, over a new connection. If a new connection is lost, the
//! endpoint has failed: passive health checks count it, and the endpoint is not
//! chosen again for this request as long as there are others.

mod repeat;

use std::time::Duration;

use janua_http::failure::Kind;
use janua_http::{Failure, ResponseHead};
use janua_upstream::{AttemptOutcome, Picked, Place, Tried as Endpoints, Unavailable};
use tokio::time::Instant;

use super::{Call, connect, outliers, place};
use crate::attempts::Attempts;
use crate::clock::Moment;
use crate::course::Course;
use crate::deadline::Deadline;
use crate::retries;
use crate::upstream_connection::UpstreamConnection;
use crate::upstream_stream::StreamError;
pub(super) use repeat::{FailedAttempt, place_for_repeat};

/// A connection to the chosen endpoint, on which the request is about to be sent.
pub(super) struct EndpointConnection {
    pub(super) picked: Picked,
    /// Boxed, since it is handed on several times for each request.
    pub(super) connection: Box<UpstreamConnection>,
    /// The connection comes from the pool; it was not opened for this request.
    is_pooled: bool,
    /// When the attempt began, before the connection was opened.
    pub(super) begin: Instant,
    /// When the whole response has to be there; none for no limit.
    pub(super) ends_at: Option<Instant>,
}

/// Longer than connecting takes.
const UNLIMITED: Duration = Duration::from_secs(86_400);

/// The endpoints that have been tried for a request, and with which result.
pub(super) struct Search {
    /// The most attempts.
    max_attempts: usize,
    /// Once all endpoints have been tried, they are tried again.
    may_return: bool,
    attempted: usize,
    /// Endpoints that have failed.
    failed: Endpoints,
    /// Endpoints to which a pooled connection was lost.
    lost_pooled: Endpoints,
    /// Why the request is sent again, if some byte of it has been sent to some endpoint.
    again: Option<&'static str>,
    /// The place of the request among those that are sent again.
    place: Option<Place>,
    /// How often an upstream said that it has not processed the request.
    unprocessed: usize,
    /// How often all endpoints had been tried.
    rounds: u32,
    /// The endpoint that is tried next, if it is chosen already.
    next: Option<Picked>,
    /// Some endpoint was there: it has accepted a new connection, or answered.
    has_reached: bool,
    /// The request was sent once more because its endpoint may have been stopped while it worked
    /// on it.
    was_spared: bool,
    /// Until when the request waits for an endpoint, since it first found none.
    pub(super) hold_until: Option<Instant>,
    last: Option<Failure>,
}

impl Search {
    pub(super) fn new(course: &Course) -> Self {
        let members = course.forwarding().upstream.members().len();
        let more = course.retries().more;
        Self {
            max_attempts: more.map_or(members, |more| (more as usize).saturating_add(1)),
            may_return: more.is_some(),
            attempted: 0,
            failed: Endpoints::new(),
            lost_pooled: Endpoints::new(),
            again: None,
            place: None,
            unprocessed: 0,
            rounds: 0,
            next: None,
            has_reached: false,
            was_spared: false,
            hold_until: None,
            last: None,
        }
    }

    /// Begins anew, perhaps with another upstream, after a pause in which nothing was sent.
    pub(super) fn begin_again(&mut self, course: &Course) {
        *self = Self {
            again: self.again,
            place: self.place.take(),
            unprocessed: self.unprocessed,
            was_spared: self.was_spared,
            hold_until: self.hold_until,
            ..Self::new(course)
        };
    }

    /// Whether the request may wait until there is an endpoint: no endpoint has been reached that
    /// has failed, or refused, the request itself.
    pub(super) fn may_hold(&self, course: &Course) -> bool {
        !self.has_reached && !course.retries().hold.is_zero()
    }

    /// A connection to the endpoint that is tried next.
    ///
    /// # Errors
    /// The failure of the last attempt, if no endpoint is left to be tried.
    pub(super) async fn next_connection(
        &mut self,
        call: &Call<'_>,
        deadline: &mut Deadline,
        attempts: &mut Attempts,
    ) -> Result<EndpointConnection, Failure> {
        loop {
            if self.attempted >= self.max_attempts
                && let Some(last) = self.last.take()
            {
                return Err(last);
            }
            // Read anew for each attempt: the previous one may have taken long.
            let now = call.worker.clock.now();
            let picked = match self.next.take() {
                Some(picked) => Ok(picked),
                None => pick(call, &self.failed, now.monotonic_ms),
            };
            let picked = match picked {
                Ok(picked) => picked,
                Err(why)
                    if self.may_return
                        && self.failed.count() > 0
                        && !matches!(why, Unavailable::Overloaded(_)) =>
                {
                    self.pause(call, deadline).await?;
                    continue;
                }
                Err(why) => {
                    let last = self.last.take();
                    return Err(last.unwrap_or_else(|| unavailable(call, why)));
                }
            };
            let opened = self.open(call, picked, false, now, Some(deadline), attempts);
            match opened.await {
                Ok(open) => return Ok(open),
                Err(failure)
                    if failure.kind == Kind::WholeTimeout || !call.course.retries().on.connect =>
                {
                    return Err(failure);
                }
                // It holds for all endpoints.
                Err(failure) if failure.kind == Kind::Overloaded => {
                    return Err(self.last.take().unwrap_or(failure));
                }
                Err(failure) => self.last = Some(failure),
            }
        }
    }

    /// A connection to whichever endpoint accepts one, for a request that is held or is to be. Each
    /// is tried once, whatever the number of retries, and those that refuse leave no trace among the
    /// attempts. `is_held` is as for a new connection.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn any_connection(
        &mut self,
        call: &Call<'_>,
        is_held: bool,
        attempts: &mut Attempts,
    ) -> Result<EndpointConnection, Failure> {
        let mut last = None;
        loop {
            let now = call.worker.clock.now();
            let picked = match pick(call, &self.failed, now.monotonic_ms) {
                Ok(picked) => picked,
                Err(why) => return Err(last.unwrap_or_else(|| unavailable(call, why))),
            };
            match self.open(call, picked, is_held, now, None, attempts).await {
                Ok(open) => return Ok(open),
                Err(failure) => {
                    attempts.retract();
                    if failure.kind == Kind::Overloaded {
                        return Err(last.unwrap_or(failure));
                    }
                    last = Some(failure);
                }
            }
        }
    }

    /// A connection to this endpoint, from the pool or a new one. Without a deadline, the caller
    /// limits the time. `is_held` is as for a new connection.
    pub(super) async fn open(
        &mut self,
        call: &Call<'_>,
        picked: Picked,
        is_held: bool,
        now: Moment,
        deadline: Option<&mut Deadline>,
        attempts: &mut Attempts,
    ) -> Result<EndpointConnection, Failure> {
        let (worker, course) = (call.worker, call.course);
        let stats = &course.forwarding().stats;
        attempts.begin(&course.upstream, picked.index, now.instant);
        let is_lost = self.lost_pooled.contains(picked.index);
        let pooled = connect::take(call, &picked, is_lost, now);
        let is_pooled = pooled.is_some();
        let connection = match pooled {
            Some(connection) => {
                stats.reused.increment(worker.index);
                connection
            }
            None => {
                let connecting = connect::connect(call, &picked, is_held, attempts);
                let connected = match deadline {
                    None => connecting.await,
                    Some(deadline) => {
                        let limit = course.retries().try_timeout.unwrap_or(UNLIMITED);
                        deadline.set_from(now.instant, limit);
                        let guarded = deadline.guard(connecting).await;
                        guarded.unwrap_or_else(|_| Err(too_late(deadline)))
                    }
                };
                match connected {
                    Ok(connection) => connection,
                    Err(failure) if failure.kind == Kind::Overloaded => {
                        picked.in_flight.withdraw(worker.clock.now().monotonic_ms);
                        attempts.failed(failure.kind);
                        return Err(failure);
                    }
                    Err(failure) => {
                        connect::report(worker, course.forwarding(), &picked, &failure);
                        attempts.failed(failure.kind);
                        self.failed.insert(picked.index);
                        self.attempted += 1;
                        return Err(failure);
                    }
                }
            }
        };
        if let Some(why) = self.again {
            stats.count_retry(worker.index, why);
        }
        Ok(EndpointConnection {
            picked,
            connection,
            is_pooled,
            begin: now.instant,
            ends_at: None,
        })
    }

    /// Lets some time pass, after which all endpoints may be tried again.
    async fn pause(&mut self, call: &Call<'_>, deadline: &mut Deadline) -> Result<(), Failure> {
        deadline.set(retries::pause(self.rounds, call.worker.random()));
        let _ = deadline.guard(std::future::pending::<()>()).await;
        if deadline.is_capped() {
            return Err(Kind::WholeTimeout.into());
        }
        self.rounds = self.rounds.saturating_add(1);
        self.failed = Endpoints::new();
        Ok(())
    }

    /// The endpoint for a second copy of the request, which is being sent to `first`.
    pub(super) fn pick_another(&self, call: &Call<'_>, first: usize) -> Option<Picked> {
        let mut tried = self.failed.clone();
        tried.insert(first);
        let now_ms = call.worker.clock.now().monotonic_ms;
        pick(call, &tried, now_ms).ok()
    }
}

/// The failure of a connection that was not open when the deadline passed.
fn too_late(deadline: &Deadline) -> Failure {
    match deadline.is_capped() {
        true => Kind::WholeTimeout.into(),
        false => Kind::ConnectTimeout.into(),
    }
}

impl EndpointConnection {
    /// The request is being sent from now on, and `upstream_timeout` counts.
    pub(super) fn begin_sending(&mut self, course: &Course) {
        let limit = course.upstream_timeout;
        self.ends_at = limit.map(|limit| Instant::now() + limit);
    }

    /// Whether a failure says nothing about the endpoint: a pooled connection was lost, and not
    /// only a stream of it.
    pub(super) fn is_blameless(&self, failure: &Failure) -> bool {
        let error = self.connection.stream().and_then(|stream| stream.error());
        let was_reset = matches!(error, Some(StreamError::Reset(_)));
        self.is_pooled && failure.kind == Kind::ConnectionReset && !was_reset
    }

    /// Counts the received head of a response, and reports success to the passive
    /// health check of the endpoint.
    pub(super) fn head_received(
        &mut self,
        call: &Call<'_>,
        response: &ResponseHead,
        attempts: &mut Attempts,
    ) {
        let took = attempts.head_received();
        let forwarding = call.course.forwarding();
        let shard = call.worker.index;
        let index = self.picked.index;
        forwarding.stats.head.observe(shard, took);
        forwarding.stats.count(shard, index, response.status);
        outliers::answered(call.worker, forwarding, &mut self.picked, response, took);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or_default();
        self.picked.in_flight.responded(took, call.now_ms + took_ms);
        self.picked
            .in_flight
            .report(AttemptOutcome::Ok, call.now_ms);
    }
}

fn pick(call: &Call<'_>, tried: &Endpoints, now_ms: u64) -> Result<Picked, Unavailable> {
    let upstream = &call.course.upstream;
    let cursor = &mut upstream.cursor.borrow_mut();
    let endpoints = &upstream.forwarding.upstream;
    endpoints.pick_for(cursor, &call.tie.affinity, tried, now_ms)
}

fn unavailable(call: &Call<'_>, why: Unavailable) -> Failure {
    let upstream = &call.course.forwarding().upstream;
    match why {
        Unavailable::Overloaded(limit) => {
            place::overloaded(call.worker, call.course.forwarding(), limit)
        }
        Unavailable::Dns => Kind::Dns.into(),
        Unavailable::Limit => Kind::ConnectionLimit.into(),
        Unavailable::Draining => Failure::with(Kind::NoneHealthy, "the endpoints are draining"),
        Unavailable::Unhealthy => Failure::with(Kind::NoneHealthy, upstream.why_none_is_up()),
        Unavailable::Empty => Failure::with(Kind::NoneHealthy, "no endpoint is known"),
        Unavailable::Tried => Kind::NoneHealthy.into(),
    }
}

#[cfg(test)]
mod tests;
