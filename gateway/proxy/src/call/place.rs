//! Places for new connections: waits for one if the upstream has as many connections as
//! it may have.
//!
//! Idle connections are closed first: those of this worker at once, and those of others as
//! soon as they hear of it. A request that waits counts as pending, and takes a connection
//! that becomes idle meanwhile.

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_upstream::{Limit, Picked, Place, Waiter};
use tokio::time::{Instant, timeout_at};

use super::{Call, connect};
use crate::snapshot::Forwarding;
use crate::upstream_connection::UpstreamConnection;
use crate::worker::Worker;

/// What a request gets that needs a connection.
pub(super) enum Found {
    /// It may open one.
    Place(Place),
    /// One has become idle.
    Idle(Box<UpstreamConnection>),
}

/// Waits for a place for a connection of HTTP/1.1, or for such a connection.
///
/// # Errors
/// There is none until the deadline.
pub(super) async fn take(
    call: &Call<'_>,
    picked: &Picked,
    waiter: &mut Option<Waiter>,
    deadline: Instant,
) -> Result<Found, Failure> {
    let (worker, forwarding) = (call.worker, call.course.forwarding());
    loop {
        if let Ok(place) = forwarding.upstream.take_place(Limit::Connections) {
            return Ok(Found::Place(place));
        }
        let now_ms = worker.clock.now().monotonic_ms;
        if let Some(idle) = connect::take_single(worker, forwarding, picked, now_ms) {
            return Ok(Found::Idle(idle));
        }
        wait(call, waiter, deadline).await?;
    }
}

/// Waits until it is worth looking for a place or a connection again.
///
/// # Errors
/// It is not until the deadline.
pub(super) async fn wait(
    call: &Call<'_>,
    waiter: &mut Option<Waiter>,
    deadline: Instant,
) -> Result<(), Failure> {
    let (worker, forwarding) = (call.worker, call.course.forwarding());
    let group = forwarding.upstream.group();
    if worker.pool.borrow_mut().close_idle(group) {
        return Ok(());
    }
    let Some(waiter) = waiter else {
        let now_ms = worker.clock.now().monotonic_ms;
        *waiter = Some(group.wait_for_connection(worker.index, now_ms));
        worker.shared.borrow().close_waited_for(Some(group));
        worker.estate.idle_wanted.notify_waiters();
        // What was closed before this request was in the line has called nobody.
        return Ok(());
    };
    let called = timeout_at(deadline, waiter.called()).await;
    called.map_err(|_| overloaded(worker, forwarding, Limit::Connections))
}

/// The failure of a request for which a limit leaves no place, which is counted.
pub(super) fn overloaded(worker: &Worker, forwarding: &Forwarding, limit: Limit) -> Failure {
    let word = limit.word();
    forwarding.stats.count_overload(worker.index, word);
    let most = forwarding.upstream.limit(limit).unwrap_or_default();
    Failure::with(Kind::Overloaded, format!("{word}: {most}"))
}
