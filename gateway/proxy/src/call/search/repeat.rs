//! Whether a request is sent again, after an attempt that failed or a response whose status the
//! operator has listed.

use janua_http::failure::Kind;
use janua_http::{Failure, method};
use janua_upstream::{Limit, Place, Tried as Endpoints, Unavailable};

use super::{EndpointConnection, Search, pick};
use crate::attempts::Attempts;
use crate::call::{Call, connect};
use crate::retries::{Event, Sent};
use crate::upstream_stream::StreamError;

/// How far an attempt got that failed before the head of the response was complete.
pub(in crate::call) struct FailedAttempt {
    /// No byte of a response was received.
    pub(in crate::call) nothing_received: bool,
    /// No byte of the request was sent, and none of its body was read.
    pub(in crate::call) nothing_sent: bool,
    /// The body can be sent from its beginning: none of it was read, or what was read is known.
    pub(in crate::call) has_whole_body: bool,
    /// The HTTP/2 stream that the request was sent on has failed in this way.
    pub(in crate::call) stream: Option<StreamError>,
}

/// How often a request is repeated that upstreams say they have not processed, beyond the attempts
/// that failed otherwise: an upstream may close one connection after another.
const MAX_UNPROCESSED: usize = 8;

impl Search {
    /// Records a failed attempt and decides whether another may follow. Passive
    /// health checks count the failure, unless a pooled connection was lost.
    ///
    /// # Errors
    /// The failure, if the request must not be retried.
    pub(in crate::call) fn check_retry(
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
        let is_old = is_lost && open.is_blameless(&failure);
        if !is_old {
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
        let is_free = is_old && self.lost_pooled.count() == 0;
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
        let endpoints = match is_old {
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
    pub(in crate::call) fn check_status(
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
        self.next = match pick(call, &tried, now_ms) {
            Ok(picked) => Some(picked),
            // Nobody may be asked, now or after a pause.
            Err(Unavailable::Overloaded(_)) => return false,
            Err(_) if !self.may_return => return false,
            Err(_) => None,
        };
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

    /// Prepares to repeat a request that the upstream says it has not processed: any request may
    /// be repeated (RFC 9113 §8.7), and the endpoint has not failed. One that has refused a stream,
    /// or closes a connection that is new, is not asked again if there are others.
    fn repeat_unprocessed(
        &mut self,
        call: &Call<'_>,
        open: &EndpointConnection,
        error: StreamError,
    ) {
        self.unprocessed += 1;
        self.again = Some("unprocessed");
        let members = call.course.forwarding().upstream.members();
        let is_unwilling = error == StreamError::Refused || !open.is_pooled;
        if is_unwilling && members.len() > 1 {
            self.failed.insert(open.picked.index);
        }
    }
}

/// A place for one request more that is sent again, which then counts; none if the upstream's budget
/// or limit is used up.
pub(in crate::call) fn place_for_repeat(call: &Call<'_>, attempts: &mut Attempts) -> Option<Place> {
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
