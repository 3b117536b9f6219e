//! Streams of HTTP/2 connections to endpoints.
//!
//! A connection is opened by a task of its own, so that it can be used even if the request for
//! which it was begun is given up, and so that several requests can wait for it. Each of them waits
//! no longer than its own connect timeout, and tries anew if the opening took too long.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_upstream::{Endpoint, Limit, Picked, Place};
use tokio::time::{Instant, timeout_at};

use super::establish::{Established, establish};
use super::{Call, place};
use crate::attempts::Attempts;
use crate::snapshot::{Forwarding, LocalUpstream};
use crate::transport::{ReadHalf, WriteHalf, from_upstream_stream};
use crate::upstream_connection::UpstreamConnection;
use crate::upstream_http2::{Opened, Opening, Protocol, SharedConnection};
use crate::worker::Worker;

/// A stream of a connection that is open.
pub(super) fn take(
    worker: &Worker,
    forwarding: &Forwarding,
    endpoint: &Endpoint,
    now: Instant,
) -> Option<Box<UpstreamConnection>> {
    let idle_timeout = match forwarding.upstream.keepalive {
        0 => Duration::ZERO,
        _ => forwarding.upstream.idle_timeout,
    };
    let mut connections = worker.shared.borrow_mut();
    let stream = connections.stream(endpoint, &forwarding.shared, idle_timeout, now)?;
    let halves = from_upstream_stream(stream);
    Some(Box::new(UpstreamConnection::new(halves, None)))
}

/// A stream of a connection that has to be opened first, or a connection of HTTP/1.1 if the
/// endpoint selects that.
pub(super) async fn open(
    call: &Call<'_>,
    picked: &Picked,
    attempts: &mut Attempts,
) -> Result<Box<UpstreamConnection>, Failure> {
    let begin = Instant::now();
    let opened = wait(call, picked, begin).await;
    attempts.connected(begin.elapsed());
    opened
}

async fn wait(
    call: &Call<'_>,
    picked: &Picked,
    begin: Instant,
) -> Result<Box<UpstreamConnection>, Failure> {
    let (worker, forwarding) = (call.worker, call.course.forwarding());
    let endpoint = picked.in_flight.endpoint();
    let deadline = begin + forwarding.upstream.connect_timeout;
    let mut now = begin;
    let mut waiter = None;
    loop {
        if let Some(stream) = take(worker, forwarding, endpoint, now) {
            return Ok(stream);
        }
        let selects_http1 = worker.shared.borrow().selects_http1(endpoint);
        if forwarding.protocol == Protocol::Auto && selects_http1 {
            let place = place::take(call, picked, &mut waiter, deadline);
            return match place.await? {
                place::Found::Place(place) => {
                    single(worker, forwarding, endpoint, deadline, place).await
                }
                place::Found::Idle(connection) => Ok(connection),
            };
        }
        let joined = worker
            .shared
            .borrow()
            .opening(endpoint, &forwarding.shared, now);
        let is_own = joined.is_none();
        let place = || forwarding.upstream.take_place(Limit::Connections);
        let opening = match joined.map_or_else(|| Err(place()), Ok) {
            Ok(joined) => joined,
            Err(Ok(place)) => begin_opening(call, endpoint, now, place),
            Err(Err(_)) => {
                place::wait(call, &mut waiter, deadline).await?;
                now = Instant::now();
                continue;
            }
        };
        let opened = timeout_at(deadline, opening.ended()).await;
        now = Instant::now();
        match opened {
            Err(_) => return Err(too_late()),
            Ok(Opened::Shared) if is_own => {
                let stream = take(worker, forwarding, endpoint, now);
                let words = "the connection was closed before the request";
                return stream.ok_or_else(|| Failure::with(Kind::ConnectionReset, words));
            }
            Ok(Opened::Shared) => {}
            Ok(Opened::Single) => {
                if let Some((halves, place)) = opening.take_single() {
                    let tls = forwarding.tls.clone();
                    let connection = UpstreamConnection::new(halves, tls).counted(place);
                    return Ok(Box::new(connection));
                }
            }
            // What was begun earlier has had more time than this request, and may have stalled.
            Ok(Opened::Failed(failure)) if failure.kind == Kind::ConnectTimeout && !is_own => {}
            Ok(Opened::Failed(failure)) => return Err(failure),
        }
    }
}

/// A connection to an endpoint that has selected HTTP/1.1. If it has changed its mind, the
/// connection is shared.
async fn single(
    worker: &Rc<Worker>,
    forwarding: &Forwarding,
    endpoint: &Arc<Endpoint>,
    deadline: Instant,
    place: Place,
) -> Result<Box<UpstreamConnection>, Failure> {
    match establish(worker, forwarding, endpoint, forwarding.protocol, None).await? {
        Established::Http1(read, write) => {
            let tls = forwarding.tls.clone();
            let connection = UpstreamConnection::new((read, write), tls).counted(place);
            Ok(Box::new(connection))
        }
        Established::Http2(read, write) => {
            let counted = (place, worker.index);
            let connection = share(read, write, forwarding, deadline, counted).await?;
            worker.shared.borrow_mut().add(endpoint, connection);
            let stream = take(worker, forwarding, endpoint, Instant::now());
            stream.ok_or_else(|| Kind::ConnectionReset.into())
        }
    }
}

fn begin_opening(
    call: &Call<'_>,
    endpoint: &Arc<Endpoint>,
    now: Instant,
    place: Place,
) -> Rc<Opening> {
    let (worker, upstream) = (Rc::clone(call.worker), Rc::clone(&call.course.upstream));
    let sharing = upstream.forwarding.shared.clone();
    let opening = worker.shared.borrow_mut().begin(endpoint, sharing, now);
    let (endpoint, begun) = (Arc::clone(endpoint), Rc::clone(&opening));
    tokio::task::spawn_local(run(worker, upstream, endpoint, begun, place));
    opening
}

/// Opens a connection, and tells those who wait for it.
async fn run(
    worker: Rc<Worker>,
    upstream: Rc<LocalUpstream>,
    endpoint: Arc<Endpoint>,
    opening: Rc<Opening>,
    place: Place,
) {
    let forwarding = &upstream.forwarding;
    let deadline = Instant::now() + forwarding.upstream.connect_timeout;
    let failure = match establish(&worker, forwarding, &endpoint, forwarding.protocol, None).await {
        Ok(Established::Http1(read, write)) => {
            let mut connections = worker.shared.borrow_mut();
            return connections.single(&endpoint, &opening, ((read, write), place));
        }
        Ok(Established::Http2(read, write)) => {
            let counted = (place, worker.index);
            match share(read, write, forwarding, deadline, counted).await {
                Ok(connection) => {
                    let mut connections = worker.shared.borrow_mut();
                    return connections.opened(&endpoint, &opening, connection);
                }
                Err(failure) => failure,
            }
        }
        Err(failure) => failure,
    };
    let mut connections = worker.shared.borrow_mut();
    connections.failed(&endpoint, &opening, failure);
}

/// Makes a connection of HTTP/2 ready for streams.
async fn share(
    read: ReadHalf,
    write: WriteHalf,
    forwarding: &Forwarding,
    deadline: Instant,
    counted: (Place, usize),
) -> Result<Rc<SharedConnection>, Failure> {
    let opening = SharedConnection::open(read, write, forwarding.shared.clone(), counted);
    timeout_at(deadline, opening)
        .await
        .unwrap_or_else(|_| Err(too_late()))
}

fn too_late() -> Failure {
    Failure::with(
        Kind::ConnectTimeout,
        "the HTTP/2 connection was not open in time",
    )
}
