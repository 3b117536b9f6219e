//! The search for an endpoint that answers: chooses one, takes or makes a
//! connection, and after a failure another, as far as that does no harm.
//!
//! An attempt that failed is followed by another only while nothing can have
//! been done twice: after a failed connect always; after a connection died
//! before a byte of the response came, if the request has no body and its
//! method is idempotent, or if nothing of it was sent (RFC 9110 §9.2.2).
//!
//! Who is to blame depends on the connection. A kept one was most likely closed
//! by the upstream while the request was on its way, the best-known source of
//! random 502s: the endpoint's health is not told, and it may be chosen once
//! more, over a new connection. An endpoint where a new one dies has failed: its
//! health is told, and this request does not go there again.

use janua_http::failure::Kind;
use janua_http::{Failure, ResponseHead, method};
use janua_upstream::{AttemptOutcome, Picked, Tried as Endpoints, Unavailable};

use super::{Call, connect};
use crate::attempts::Attempts;
use crate::course::Course;
use crate::upstream_connection::UpstreamConnection;

/// A connection on which a request is about to be sent.
pub(super) struct Open {
    pub(super) picked: Picked,
    /// Boxed, since it goes from hand to hand.
    pub(super) connection: Box<UpstreamConnection>,
    /// It was kept from an earlier request, and not made for this one.
    is_kept: bool,
}

/// What is known of an attempt that failed before its response had begun.
pub(super) struct Tried {
    /// Not a byte of a response came.
    pub(super) nothing_came: bool,
    /// Not a byte of the request went out, and none of its body was read.
    pub(super) nothing_sent: bool,
    /// The request has no body.
    pub(super) is_bodyless: bool,
}

/// Where has been asked already, and what came of it.
pub(super) struct Search {
    /// At most one attempt for each endpoint, in all.
    most: usize,
    attempted: usize,
    /// Endpoints that have failed.
    failed: Endpoints,
    /// Endpoints where a kept connection has died.
    worn: Endpoints,
    /// A byte of the request has gone out, to whichever endpoint.
    was_sent: bool,
    last: Option<Failure>,
}

impl Search {
    pub(super) fn new(course: &Course) -> Self {
        let members = course.forwarding().upstream.members().len();
        Self {
            most: course.attempts.min(members),
            attempted: 0,
            failed: Endpoints::new(),
            worn: Endpoints::new(),
            was_sent: false,
            last: None,
        }
    }

    /// A connection to the endpoint that is asked next.
    ///
    /// # Errors
    /// The failure of the last attempt, if there is nobody left to ask.
    pub(super) async fn open(
        &mut self,
        call: &Call<'_>,
        attempts: &mut Attempts,
    ) -> Result<Open, Failure> {
        let (worker, course) = (call.worker, call.course);
        let stats = &course.forwarding().stats;
        loop {
            if self.attempted >= self.most
                && let Some(last) = self.last.take()
            {
                return Err(last);
            }
            // The time of this attempt: the one before may have taken long.
            let now = worker.clock.now();
            let now_ms = now.monotonic_ms;
            let picked = match pick(course, &self.failed, now_ms) {
                Ok(picked) => picked,
                Err(why) => return Err(self.last.take().unwrap_or_else(|| unavailable(why))),
            };
            attempts.begin(&course.upstream, picked.index, now.instant);
            let kept = match self.worn.contains(picked.index) {
                true => None,
                false => connect::take(worker, course.forwarding(), &picked, now_ms),
            };
            let is_kept = kept.is_some();
            let connection = match kept {
                Some(connection) => {
                    stats.reused.increment(worker.index);
                    connection
                }
                None => match connect::connect(call, &picked, attempts).await {
                    Ok(connection) => connection,
                    Err(failure) => {
                        connect::report(worker, course.forwarding(), &picked, &failure);
                        attempts.failed(failure.kind);
                        self.failed.insert(picked.index);
                        self.attempted += 1;
                        self.last = Some(failure);
                        continue;
                    }
                },
            };
            if self.was_sent {
                stats.retries.increment(worker.index);
            }
            return Ok(Open {
                picked,
                connection,
                is_kept,
            });
        }
    }

    /// Whether another attempt may follow this failure. The endpoint's health is
    /// told of it, unless it was a kept connection that was closed meanwhile.
    ///
    /// # Errors
    /// The failure, if none may.
    pub(super) fn judge(
        &mut self,
        call: &Call<'_>,
        open: Open,
        failure: Failure,
        tried: &Tried,
    ) -> Result<(), Failure> {
        let is_replayable = tried.is_bodyless && method::is_idempotent(&call.head.method);
        let is_dead = failure.kind == Kind::ConnectionReset && tried.nothing_came;
        if !(is_dead && open.is_kept) {
            let forwarding = call.course.forwarding();
            connect::report(call.worker, forwarding, &open.picked, &failure);
        }
        if !is_dead || !(is_replayable || tried.nothing_sent) {
            return Err(failure);
        }
        self.was_sent |= !tried.nothing_sent;
        self.last = Some(failure);
        // The first kept connection that dies costs no attempt: it says nothing
        // about any endpoint, and may be the only attempt that there is.
        self.attempted += usize::from(!open.is_kept || self.worn.count() > 0);
        let endpoints = match open.is_kept {
            true => &mut self.worn,
            false => &mut self.failed,
        };
        endpoints.insert(open.picked.index);
        Ok(())
    }
}

impl Open {
    /// The response's head has come: it is counted, and the endpoint is well.
    pub(super) fn head_came(
        &self,
        call: &Call<'_>,
        response: &ResponseHead,
        attempts: &mut Attempts,
    ) {
        let took = attempts.head_came();
        let forwarding = call.course.forwarding();
        let shard = call.worker.index;
        let index = self.picked.index;
        forwarding.stats.head.observe(shard, took);
        forwarding.stats.count(shard, index, response.status);
        let change = self
            .picked
            .in_flight
            .report(AttemptOutcome::Ok, call.now_ms);
        if change.is_some() {
            tracing::info!(
                upstream = forwarding.upstream.name(),
                endpoint = forwarding.stats.endpoint(index),
                "endpoint is back"
            );
        }
    }
}

fn pick(course: &Course, tried: &Endpoints, now_ms: u64) -> Result<Picked, Unavailable> {
    let cursor = &mut course.upstream.cursor.borrow_mut();
    course.forwarding().upstream.pick(cursor, tried, now_ms)
}

fn unavailable(why: Unavailable) -> Failure {
    match why {
        Unavailable::Dns => Kind::Dns.into(),
        Unavailable::Limit => Kind::ConnectionLimit.into(),
        Unavailable::Empty | Unavailable::Tried | Unavailable::Unhealthy => {
            Kind::NoneHealthy.into()
        }
    }
}

#[cfg(test)]
mod tests;
