//! Connections to endpoints: takes them from the pool, opens new ones, checks
//! them before use, and returns them to the pool.

use std::time::Duration;

use janua_http::failure::Kind;
use janua_http::{Failure, ResponseHead};
use janua_upstream::{AttemptOutcome, Handover, Lease, Limit, Picked};
use tokio::time::Instant;

use super::establish::{Established, establish};
use super::{Call, outliers, place, shared};
use crate::attempts::Attempts;
use crate::clock::Moment;
use crate::idle::Idle;
use crate::snapshot::Forwarding;
use crate::upstream_connection::UpstreamConnection;
use crate::upstream_http2::Protocol;
use crate::upstream_tls::UpstreamTls;
use crate::worker::Worker;

/// Takes a connection from the pool that is still open and silent, or a stream of one that is
/// shared. `is_lost` tells that a connection from the pool was lost before.
pub(super) fn take(
    call: &Call<'_>,
    picked: &Picked,
    is_lost: bool,
    now: Moment,
) -> Option<Box<UpstreamConnection>> {
    let (worker, forwarding) = (call.worker, call.course.forwarding());
    let protocol = call.protocol();
    if protocol != Protocol::Http11 {
        let endpoint = picked.in_flight.endpoint();
        let stream = shared::take(worker, forwarding, endpoint, now.instant);
        if stream.is_some() || protocol == Protocol::Http2 {
            return stream;
        }
    }
    if is_lost {
        return None;
    }
    take_single(worker, forwarding, picked, now.monotonic_ms)
}

pub(super) fn take_single(
    worker: &Worker,
    forwarding: &Forwarding,
    picked: &Picked,
    now_ms: u64,
) -> Option<Box<UpstreamConnection>> {
    // Those that are kept were opened before a reload, without the header.
    if forwarding.proxy_header.is_some() {
        return None;
    }
    let mut pool = worker.pool.borrow_mut();
    loop {
        let kept = pool.take(picked.in_flight.endpoint(), now_ms)?;
        // It may have been opened before a reload changed the settings.
        if !UpstreamTls::are_same(kept.tls.as_ref(), forwarding.tls.as_ref()) {
            continue;
        }
        match kept.idle_state() {
            Idle::Quiet => return Some(kept),
            Idle::Closed => {}
            Idle::Unsolicited => distrust(worker, forwarding, picked),
        }
    }
}

/// Checks that a connection is still idle before a request is sent on it.
///
/// # Errors
/// The upstream has closed the connection, or has sent bytes unsolicited.
pub(super) fn check_idle(
    call: &Call<'_>,
    picked: &Picked,
    connection: &UpstreamConnection,
) -> Result<(), Failure> {
    match connection.idle_state() {
        Idle::Quiet => Ok(()),
        Idle::Closed => Err(Kind::ConnectionReset.into()),
        Idle::Unsolicited => {
            distrust(call.worker, call.course.forwarding(), picked);
            Err(Failure::with(
                Kind::ConnectionReset,
                "the upstream sent bytes before the request",
            ))
        }
    }
}

/// Records that the endpoint has sent bytes that belong to no response. For a
/// while no connection to it is reused.
fn distrust(worker: &Worker, forwarding: &Forwarding, picked: &Picked) {
    forwarding
        .stats
        .count_unsolicited(worker.index, picked.index);
    let now_ms = worker.clock.now().monotonic_ms;
    if picked.in_flight.endpoint().distrust(now_ms) {
        tracing::warn!(
            upstream = forwarding.upstream.name(),
            endpoint = forwarding.stats.endpoint(picked.index),
            "endpoint sent bytes behind a complete response; for a minute each request gets a new connection"
        );
    }
}

/// Opens a new connection. `is_held` tells that the request has waited for an endpoint, and still
/// has its place among those that wait.
pub(super) async fn connect(
    call: &Call<'_>,
    picked: &Picked,
    is_held: bool,
    attempts: &mut Attempts,
) -> Result<Box<UpstreamConnection>, Failure> {
    let forwarding = call.course.forwarding();
    let take = || forwarding.upstream.take_place(Limit::Pending);
    let pending = (!is_held).then(take).transpose();
    let _pending = pending.map_err(|limit| place::overloaded(call.worker, forwarding, limit))?;
    let protocol = call.protocol();
    if protocol != Protocol::Http11 {
        // Boxed, so that other calls do not carry the room that it takes.
        return Box::pin(shared::open(call, picked, attempts)).await;
    }
    let begin = Instant::now();
    let deadline = begin + forwarding.upstream.connect_timeout;
    // Boxed for the same reason.
    let place = match Box::pin(place::take(call, picked, &mut None, deadline)).await? {
        place::Found::Place(place) => place,
        place::Found::Idle(idle) => return Ok(idle),
    };
    let endpoint = picked.in_flight.endpoint();
    let established = establish(call.worker, forwarding, endpoint, protocol, call.client).await;
    attempts.connected(begin.elapsed());
    let (Established::Http1(read, write) | Established::Http2(read, write)) = established?;
    let tls = forwarding.tls.clone();
    let connection = UpstreamConnection::new((read, write), tls).counted(place);
    Ok(Box::new(connection))
}

/// Returns a connection to the pool, unless bytes follow its response or the
/// endpoint has recently sent such bytes.
pub(super) fn put(
    worker: &Worker,
    forwarding: &Forwarding,
    picked: &Picked,
    mut connection: Box<UpstreamConnection>,
    head: &ResponseHead,
    now: Moment,
) {
    // A stream carries one request, and its connection is shared already.
    if connection.stream().is_some() {
        return;
    }
    match Idle::of(connection.incoming.reader.buffered()) {
        Idle::Quiet => {}
        Idle::Closed => return,
        Idle::Unsolicited => return distrust(worker, forwarding, picked),
    }
    let now_ms = now.monotonic_ms;
    // The PROXY header of a connection names one client, whose requests alone may use it.
    let belongs_to_client = forwarding.proxy_header.is_some();
    if belongs_to_client || picked.in_flight.endpoint().is_distrusted(now_ms) {
        return;
    }
    connection.release_buffers();
    let own = forwarding.upstream.idle_timeout;
    // One second less than the upstream announces: a request that is sent just as
    // the upstream closes the connection is lost.
    let theirs = head.keep_alive_timeout.map(|seconds| {
        Duration::from_secs(u64::from(seconds)).saturating_sub(Duration::from_secs(1))
    });
    let lifetime = theirs.map_or(own, |theirs| theirs.min(own));
    let until_ms = now_ms + u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX / 2);
    let lease = if head.omits_body {
        Lease::after_a_rest(now_ms, until_ms)
    } else {
        Lease::at_once(until_ms)
    };
    let endpoint = picked.in_flight.endpoint();
    // A request of another worker may wait for its place.
    if endpoint.group().connection_is_idle(worker.index, now_ms) == Handover::Close {
        return;
    }
    let mut pool = worker.pool.borrow_mut();
    pool.put(endpoint, connection, lease, forwarding.upstream.keepalive);
}

/// Reports a failed attempt to the endpoint's passive health check and the metrics.
pub(super) fn report(worker: &Worker, forwarding: &Forwarding, picked: &Picked, failure: &Failure) {
    if failure.kind.fault() != janua_http::Fault::Upstream {
        return;
    }
    let now = worker.clock.now();
    let outcome = AttemptOutcome::Failed(failure.kind.word());
    picked.in_flight.report(outcome, now.monotonic_ms);
    outliers::failed(worker, forwarding, picked, failure.kind, now.monotonic_ms);
    forwarding
        .stats
        .count_failure(worker.index, picked.index, failure.kind);
}
