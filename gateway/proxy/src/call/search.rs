//! The search for an endpoint that answers: chooses an endpoint, takes a connection
//! from the pool or opens one, and retries after a failure where that is safe.
//!
//! A request is retried only if the upstream cannot have processed it twice:
//! always after a failed connect; after a connection was lost before the first
//! byte of the response, if the request has no body and an idempotent method, or
//! if nothing of it was sent (RFC 9110 §9.2.2).
//!
//! How a lost connection is judged depends on its age. A pooled connection was most
//! likely closed by the upstream while the request was being sent, a well-known
//! cause of sporadic 502s: passive health checks do not count it, and the endpoint
//! may be chosen once more, over a new connection. If a new connection is lost, the
//! endpoint has failed: passive health checks count it, and the endpoint is not
//! chosen again for this request.

use janua_http::failure::Kind;
use janua_http::{Failure, ResponseHead, method};
use janua_upstream::{AttemptOutcome, Picked, Tried as Endpoints, Unavailable};

use super::{Call, connect};
use crate::attempts::Attempts;
use crate::course::Course;
use crate::upstream_connection::UpstreamConnection;
use crate::upstream_stream::StreamError;

/// A connection to the chosen endpoint, on which the request is about to be sent.
pub(super) struct EndpointConnection {
    pub(super) picked: Picked,
    /// Boxed, since it is handed on several times for each request.
    pub(super) connection: Box<UpstreamConnection>,
    /// The connection comes from the pool; it was not opened for this request.
    is_pooled: bool,
}

/// How far an attempt got that failed before the head of the response was complete.
pub(super) struct FailedAttempt {
    /// No byte of a response was received.
    pub(super) nothing_received: bool,
    /// No byte of the request was sent, and none of its body was read.
    pub(super) nothing_sent: bool,
    /// The request has no body.
    pub(super) is_bodyless: bool,
    /// The body can be sent from its beginning: none of it was read, or what was read is known.
    pub(super) has_whole_body: bool,
    /// The HTTP/2 stream that the request was sent on has failed in this way.
    pub(super) stream: Option<StreamError>,
}

/// How often a request is repeated that upstreams say they have not processed, beyond the attempts
/// that failed otherwise: an upstream may close one connection after another.
const MAX_UNPROCESSED: usize = 8;

/// The endpoints that have been tried for a request, and with which result.
pub(super) struct Search {
    /// The most attempts, no more than there are endpoints.
    max_attempts: usize,
    attempted: usize,
    /// Endpoints that have failed.
    failed: Endpoints,
    /// Endpoints to which a pooled connection was lost.
    lost_pooled: Endpoints,
    /// Some byte of the request has been sent to some endpoint.
    was_sent: bool,
    /// How often an upstream said that it has not processed the request.
    unprocessed: usize,
    last: Option<Failure>,
}

impl Search {
    pub(super) fn new(course: &Course) -> Self {
        let members = course.forwarding().upstream.members().len();
        Self {
            max_attempts: course.attempts.min(members),
            attempted: 0,
            failed: Endpoints::new(),
            lost_pooled: Endpoints::new(),
            was_sent: false,
            unprocessed: 0,
            last: None,
        }
    }

    /// A connection to the endpoint that is tried next.
    ///
    /// # Errors
    /// The failure of the last attempt, if no endpoint is left to be tried.
    pub(super) async fn next_connection(
        &mut self,
        call: &Call<'_>,
        attempts: &mut Attempts,
    ) -> Result<EndpointConnection, Failure> {
        let (worker, course) = (call.worker, call.course);
        let stats = &course.forwarding().stats;
        loop {
            if self.attempted >= self.max_attempts
                && let Some(last) = self.last.take()
            {
                return Err(last);
            }
            // Read anew for each attempt: the previous one may have taken long.
            let now = worker.clock.now();
            let now_ms = now.monotonic_ms;
            let picked = match pick(call, &self.failed, now_ms) {
                Ok(picked) => picked,
                Err(why) => return Err(self.last.take().unwrap_or_else(|| unavailable(why))),
            };
            attempts.begin(&course.upstream, picked.index, now.instant);
            let is_lost = self.lost_pooled.contains(picked.index);
            let pooled = connect::take(call, &picked, is_lost, now);
            let is_pooled = pooled.is_some();
            let connection = match pooled {
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
            return Ok(EndpointConnection {
                picked,
                connection,
                is_pooled,
            });
        }
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
    ) -> Result<(), Failure> {
        if let Some(error) = attempt.stream.filter(|error| error.is_unprocessed())
            && attempt.has_whole_body
            && self.unprocessed < MAX_UNPROCESSED
        {
            self.repeat_unprocessed(call, &open, error);
            self.last = Some(failure);
            return Ok(());
        }
        let is_replayable = attempt.is_bodyless && method::is_idempotent(&call.head.method);
        let is_lost = failure.kind == Kind::ConnectionReset && attempt.nothing_received;
        // A stream that the upstream has reset was not lost with an old connection.
        let was_reset = matches!(attempt.stream, Some(StreamError::Reset(_)));
        if !(is_lost && open.is_pooled && !was_reset) {
            let forwarding = call.course.forwarding();
            connect::report(call.worker, forwarding, &open.picked, &failure);
        }
        if !is_lost || !(is_replayable || attempt.nothing_sent) {
            return Err(failure);
        }
        self.was_sent |= !attempt.nothing_sent;
        self.last = Some(failure);
        // The first pooled connection that is lost does not count as an attempt: it
        // says nothing about the endpoint, and only one attempt may be allowed.
        self.attempted += usize::from(!open.is_pooled || self.lost_pooled.count() > 0);
        let endpoints = match open.is_pooled {
            true => &mut self.lost_pooled,
            false => &mut self.failed,
        };
        endpoints.insert(open.picked.index);
        Ok(())
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
        self.was_sent = true;
        let members = call.course.forwarding().upstream.members();
        if error == StreamError::Refused && members.len() > 1 {
            self.failed.insert(open.picked.index);
        }
    }
}

impl EndpointConnection {
    /// Counts the received head of a response, and reports success to the passive
    /// health check of the endpoint.
    pub(super) fn head_received(
        &self,
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
        let took_ms = u64::try_from(took.as_millis()).unwrap_or_default();
        self.picked.in_flight.responded(took, call.now_ms + took_ms);
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

fn pick(call: &Call<'_>, tried: &Endpoints, now_ms: u64) -> Result<Picked, Unavailable> {
    let upstream = &call.course.upstream;
    let cursor = &mut upstream.cursor.borrow_mut();
    let endpoints = &upstream.forwarding.upstream;
    endpoints.pick_for(cursor, &call.tie.affinity, tried, now_ms)
}

fn unavailable(why: Unavailable) -> Failure {
    match why {
        Unavailable::Dns => Kind::Dns.into(),
        Unavailable::Limit => Kind::ConnectionLimit.into(),
        Unavailable::Draining => Failure::with(Kind::NoneHealthy, "the endpoints are draining"),
        Unavailable::Empty | Unavailable::Tried | Unavailable::Unhealthy => {
            Kind::NoneHealthy.into()
        }
    }
}

#[cfg(test)]
mod tests;
