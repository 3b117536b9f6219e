//! The search for an endpoint that answers: chooses an endpoint, takes a connection
//! from the pool or opens one, and retries after a failure where that is safe.
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

use std::time::Duration;

use janua_http::failure::Kind;
use janua_http::{Failure, ResponseHead, method};
use janua_upstream::{AttemptOutcome, Limit, Picked, Place, Tried as Endpoints, Unavailable};
use tokio::time::Instant;

use super::{Call, connect, outliers, place};
use crate::attempts::Attempts;
use crate::clock::Moment;
use crate::course::Course;
use crate::deadline::Deadline;
use crate::retries::{self, Event, Sent};
use crate::upstream_connection::UpstreamConnection;
use crate::upstream_stream::StreamError;

/// A connection to the chosen endpoint, on which the request is about to be sent.
pub(super) struct EndpointConnection {
    pub(super) picked: Picked,
    /// Boxed, since it is handed on several times for each request.
    pub(super) connection: Box<UpstreamConnection>,
    /// The connection comes from the pool; it was not opened for this request.
    is_pooled: bool,
    /// When the attempt began, before the connection was opened.
    pub(super) begin: Instant,
}

/// How far an attempt got that failed before the head of the response was complete.
pub(super) struct FailedAttempt {
    /// No byte of a response was received.
    pub(super) nothing_received: bool,
    /// No byte of the request was sent, and none of its body was read.
    pub(super) nothing_sent: bool,
    /// The body can be sent from its beginning: none of it was read, or what was read is known.
    pub(super) has_whole_body: bool,
    /// The HTTP/2 stream that the request was sent on has failed in this way.
    pub(super) stream: Option<StreamError>,
}

/// How often a request is repeated that upstreams say they have not processed, beyond the attempts
/// that failed otherwise: an upstream may close one connection after another.
const MAX_UNPROCESSED: usize = 8;

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

    /// A connection to whichever endpoint accepts one, for a request that is held. Each is tried once, whatever the number of
    /// retries, and those that refuse leave no trace among the attempts.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn any_connection(
        &mut self,
        call: &Call<'_>,
        attempts: &mut Attempts,
    ) -> Result<EndpointConnection, Failure> {
        let mut last = None;
        loop {
            let now = call.worker.clock.now();
            let picked = match pick(call, &self.failed, now.monotonic_ms) {
                Ok(picked) => picked,
                Err(why) => return Err(last.unwrap_or_else(|| unavailable(call, why))),
            };
            match self.open(call, picked, true, now, None, attempts).await {
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

    /// Records a failed attempt and decides whether another may follow. Passive
    /// health checks count the failure, unless a pooled connection was lost.
    ///
    /// # Errors
    /// The failure, if the request must not be retried.
    pub(super) fn check_retry(
        &mut self,
        call: &Call<'_>,
        open: EndpointConnection,
        failure: Failure,
        attempt: &FailedAttempt,
        attempts: &mut Attempts,
    ) -> Result<(), Failure> {
        if let Some(error) = attempt.stream.filter(|error| error.is_unprocessed())
            && attempt.has_whole_body
            && self.unprocessed < MAX_UNPROCESSED
        {
            self.repeat_unprocessed(call, &open, error);
            self.last = Some(failure);
            return Ok(());
        }
        let is_lost = failure.kind == Kind::ConnectionReset && attempt.nothing_received;
        // A stream that the upstream has reset was not lost with an old connection.
        let was_reset = matches!(attempt.stream, Some(StreamError::Reset(_)));
        let is_blameless = is_lost && open.is_pooled && !was_reset;
        if !is_blameless {
            connect::report(
                call.worker,
                call.course.forwarding(),
                &open.picked,
                &failure,
            );
        }
        self.has_reached |= !is_lost;
        let event = match failure.kind {
            Kind::ConnectionReset if is_lost => Event::Lost,
            Kind::ResponseTimeout => Event::Timeout,
            _ => return Err(failure),
        };
        let sent = Sent {
            is_idempotent: method::is_idempotent(&call.head.method),
            nothing: attempt.nothing_sent,
            can_be_repeated: attempt.has_whole_body,
        };
        // The first pooled connection that is lost does not count as an attempt: it
        // says nothing about the endpoint, and only one attempt may be allowed. Nor does
        // it matter what is listed, as long as the request may be sent again.
        let is_free = is_lost && open.is_pooled && self.lost_pooled.count() == 0;
        let is_harmless = sent.can_be_repeated && (sent.is_idempotent || sent.nothing);
        let is_unconditional = is_free && is_harmless;
        if !is_unconditional && !self.may_repeat(call, event, sent) {
            return Err(failure);
        }
        let mut is_spared = false;
        if !is_free {
            self.attempted += 1;
            if self.attempted >= self.max_attempts {
                // It may have been stopped, and then there is nobody to ask, until it is back.
                is_spared = is_lost && !self.was_spared && self.may_hold(call.course);
                if !is_spared {
                    return Err(failure);
                }
                self.was_spared = true;
                self.max_attempts += 1;
            }
            if !attempt.nothing_sent && !self.affords(call, attempts) {
                return Err(failure);
            }
        }
        if !attempt.nothing_sent {
            self.again = Some(match event {
                Event::Timeout => "timeout",
                _ => "reset",
            });
        }
        self.last = Some(failure);
        let endpoints = match is_lost && open.is_pooled {
            true => &mut self.lost_pooled,
            false => &mut self.failed,
        };
        endpoints.insert(open.picked.index);
        if is_spared {
            self.failed = Endpoints::new();
        }
        Ok(())
    }

    /// Decides whether a request is sent again because of the status of its response. If so, the
    /// next endpoint is chosen, so that the response is given up only if there is one.
    pub(super) fn check_status(
        &mut self,
        call: &Call<'_>,
        open: &EndpointConnection,
        event: Event,
        sent: Sent,
        attempts: &mut Attempts,
    ) -> bool {
        if !self.may_repeat(call, event, sent)
            || self.attempted + 1 >= self.max_attempts
            || !self.affords(call, attempts)
        {
            return false;
        }
        let mut tried = self.failed.clone();
        tried.insert(open.picked.index);
        let now_ms = call.worker.clock.now().monotonic_ms;
        self.next = pick(call, &tried, now_ms).ok();
        if self.next.is_none() && !self.may_return {
            return false;
        }
        self.failed = tried;
        self.attempted += 1;
        self.again = Some("status");
        self.has_reached = true;
        self.last = Some(Failure::new(Kind::ResponseStatus));
        true
    }

    /// Whether there is room for the request among those that are sent again. A place that it has
    /// from an earlier attempt is given back first.
    fn affords(&mut self, call: &Call<'_>, attempts: &mut Attempts) -> bool {
        drop(self.place.take());
        self.place = place_for_repeat(call, attempts);
        self.place.is_some()
    }

    /// Whether the settings allow that a request is sent again. One that is not only because too
    /// little of its body is known is counted.
    fn may_repeat(&self, call: &Call<'_>, event: Event, sent: Sent) -> bool {
        let on = &call.course.retries().on;
        let has_body = Sent {
            can_be_repeated: true,
            ..sent
        };
        if !sent.can_be_repeated && on.allow(event, has_body) {
            let stats = &call.course.forwarding().stats;
            stats.count_refused_retry(call.worker.index, "body");
        }
        on.allow(event, sent)
    }

    /// The endpoint for a second copy of the request, which is being sent to `first`.
    pub(super) fn pick_another(&self, call: &Call<'_>, first: usize) -> Option<Picked> {
        let mut tried = self.failed.clone();
        tried.insert(first);
        let now_ms = call.worker.clock.now().monotonic_ms;
        pick(call, &tried, now_ms).ok()
    }

    /// Prepares to repeat a request that the upstream says it has not processed: any request may
    /// be repeated (RFC 9113 §8.7), and the endpoint has not failed. One that has refused a stream
    /// is not asked again if there are others.
    fn repeat_unprocessed(
        &mut self,
        call: &Call<'_>,
        open: &EndpointConnection,
        error: StreamError,
    ) {
        self.unprocessed += 1;
        self.again = Some("unprocessed");
        let members = call.course.forwarding().upstream.members();
        if error == StreamError::Refused && members.len() > 1 {
            self.failed.insert(open.picked.index);
        }
    }
}

/// A place for one request more that is sent again, which then counts; none if the upstream's budget
/// or limit is used up.
pub(super) fn place_for_repeat(call: &Call<'_>, attempts: &mut Attempts) -> Option<Place> {
    let forwarding = call.course.forwarding();
    let upstream = &forwarding.upstream;
    let shard = call.worker.index;
    let place = match upstream.take_place(Limit::Retries) {
        Ok(place) => place,
        Err(limit) => {
            forwarding.stats.count_overload(shard, limit.word());
            return None;
        }
    };
    let members = upstream.members().iter();
    let sent = members
        .map(|member| member.endpoint.counters().requests)
        .sum();
    let percent = call.course.retries().budget;
    let now_ms = call.worker.clock.now().monotonic_ms;
    let budget = &upstream.group().repeats().budget;
    if !budget.spend(sent, percent, now_ms) {
        forwarding.stats.count_refused_retry(shard, "budget");
        attempts.over_budget();
        return None;
    }
    Some(place)
}

/// The failure of a connection that was not open when the deadline passed.
fn too_late(deadline: &Deadline) -> Failure {
    match deadline.is_capped() {
        true => Kind::WholeTimeout.into(),
        false => Kind::ConnectTimeout.into(),
    }
}

impl EndpointConnection {
    /// Whether a failure says nothing about the endpoint: a pooled connection was lost.
    pub(super) fn is_blameless(&self, failure: &Failure) -> bool {
        self.is_pooled && failure.kind == Kind::ConnectionReset
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
