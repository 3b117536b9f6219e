//! Attempts at an upstream's endpoints: chooses one, takes or opens a
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

use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use janua_http::failure::Kind;
use janua_http::{Failure, method};
use janua_upstream::{Change, ConnectError, Lease, Outcome, Picked, Tried, Unavailable};

use crate::course::Course;
use crate::exchange::Exchange;
use crate::reserve;
use crate::snapshot::Forwarding;
use crate::transport::{self, Idle};
use crate::upstreamed::Upstreamed;
use crate::wire::{Reader, Writer};

/// A connection on which a request is about to be sent.
pub(crate) struct Open {
    pub(crate) picked: Picked,
    pub(crate) connection: Upstreamed,
    /// It was kept from an earlier request, and not made for this one.
    is_kept: bool,
}

/// How an attempt ended.
pub(crate) enum Attempt<T> {
    Done(T),
    /// Another attempt does no harm.
    Again {
        failure: Failure,
        /// A byte of the request had gone out.
        was_sent: bool,
    },
    Failed(Failure),
}

/// Attempts it until one is done or failed, or there is no endpoint left.
///
/// # Errors
/// The failure of the last attempt.
pub(crate) async fn attempts<T>(
    exchange: &mut Exchange,
    course: &Course,
    mut attempt: impl AsyncFnMut(&mut Exchange, Open) -> Attempt<T>,
) -> Result<T, Failure> {
    let forwarding = course.forwarding();
    let shard = exchange.worker.index;
    // At most one attempt for each endpoint, in all.
    let most = course.attempts.min(forwarding.upstream.members().len());
    let mut attempted = 0;
    // Endpoints that have failed, and those where a kept connection has died.
    let (mut failed, mut worn) = (Tried::new(), Tried::new());
    // A byte of the request has gone out, to whichever endpoint.
    let mut was_sent = false;
    let mut last: Option<Failure> = None;
    loop {
        if attempted >= most
            && let Some(last) = last
        {
            return Err(last);
        }
        // The time of this attempt: the one before may have taken long.
        let now_ms = exchange.worker.clock.now().monotonic_ms;
        let picked = match pick(course, &failed, now_ms) {
            Ok(picked) => picked,
            Err(why) => return Err(last.unwrap_or_else(|| unavailable(why))),
        };
        exchange.record.endpoint = Some((Rc::clone(&course.upstream), picked.index));
        let index = picked.index;
        let kept = match worn.contains(index) {
            true => None,
            false => take(exchange, forwarding, &picked, now_ms),
        };
        let is_kept = kept.is_some();
        let connection = match kept {
            Some(connection) => {
                forwarding.stats.reused.increment(shard);
                connection
            }
            None => match connect(exchange, forwarding, &picked).await {
                Ok(connection) => connection,
                Err(failure) => {
                    report(exchange, forwarding, &picked, &failure);
                    failed.insert(index);
                    attempted += 1;
                    last = Some(failure);
                    continue;
                }
            },
        };
        if was_sent {
            forwarding.stats.retries.increment(shard);
        }
        let open = Open {
            picked,
            connection,
            is_kept,
        };
        match attempt(exchange, open).await {
            Attempt::Done(done) => return Ok(done),
            Attempt::Failed(failure) => return Err(failure),
            Attempt::Again {
                failure,
                was_sent: now_sent,
            } => {
                was_sent |= now_sent;
                last = Some(failure);
            }
        }
        // The first kept connection that dies costs no attempt: it says nothing
        // about any endpoint, and may be the only attempt that there is.
        attempted += usize::from(!is_kept || worn.count() > 0);
        if is_kept {
            worn.insert(index);
        } else {
            failed.insert(index);
        }
    }
}

fn pick(course: &Course, tried: &Tried, now_ms: u64) -> Result<Picked, Unavailable> {
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

/// A kept connection on which nothing has happened since.
fn take(
    exchange: &Exchange,
    forwarding: &Forwarding,
    picked: &Picked,
    now_ms: u64,
) -> Option<Upstreamed> {
    let mut pool = exchange.worker.pool.borrow_mut();
    loop {
        let kept: Upstreamed = pool.take(picked.in_flight.endpoint(), now_ms)?;
        match kept.reader.look() {
            Idle::Quiet => return Some(kept),
            Idle::Closed => {}
            Idle::Spoken => distrust(exchange, forwarding, picked),
        }
    }
}

/// Looks at a connection before a request is sent on it.
///
/// # Errors
/// It was closed, or something came that no request had asked for.
pub(crate) fn look(
    exchange: &Exchange,
    forwarding: &Forwarding,
    open: &Open,
) -> Result<(), Failure> {
    match open.connection.reader.look() {
        Idle::Quiet => Ok(()),
        Idle::Closed => Err(Kind::ConnectionReset.into()),
        Idle::Spoken => {
            distrust(exchange, forwarding, &open.picked);
            Err(Failure::with(
                Kind::ConnectionReset,
                "spoke before it was asked",
            ))
        }
    }
}

/// The endpoint put bytes on a connection that no request had asked for.
pub(crate) fn distrust(exchange: &Exchange, forwarding: &Forwarding, picked: &Picked) {
    let shard = exchange.worker.index;
    forwarding.stats.count_unsolicited(shard, picked.index);
    let now_ms = exchange.worker.clock.now().monotonic_ms;
    if picked.in_flight.endpoint().distrust(now_ms) {
        tracing::warn!(
            upstream = forwarding.upstream.name(),
            endpoint = forwarding.stats.endpoint(picked.index),
            "endpoint sent bytes behind a complete response; for a minute each request gets a new connection"
        );
    }
}

async fn connect(
    exchange: &mut Exchange,
    forwarding: &Forwarding,
    picked: &Picked,
) -> Result<Upstreamed, Failure> {
    let begin = exchange.worker.clock.now();
    let within = forwarding.upstream.connect_timeout;
    let endpoint = picked.in_flight.endpoint();
    let mut connected = endpoint.connect(within).await;
    while is_out_of_descriptors(&connected) && exchange.worker.estate.reserve.give() {
        connected = endpoint.connect(within).await;
    }
    let took = begin.instant.elapsed();
    exchange.record.connect = Some(took);
    forwarding
        .stats
        .connect
        .observe(exchange.worker.index, took);
    match connected {
        Ok((connection, _)) => {
            forwarding.stats.opened.increment(exchange.worker.index);
            let (read, write) = transport::from_upstream(connection);
            Ok(Upstreamed {
                reader: Reader::new(read),
                writer: Writer::new(write),
            })
        }
        Err(error) => Err(match error {
            ConnectError::Unresolved => Kind::Dns.into(),
            ConnectError::Refused => Kind::ConnectionRefused.into(),
            ConnectError::Timeout => Kind::ConnectTimeout.into(),
            ConnectError::Unreachable => Kind::Unreachable.into(),
            // It says nothing about the endpoint.
            ConnectError::Other(error) if reserve::is_out_of_descriptors(&error) => {
                Failure::with(Kind::Internal, "no file descriptors left")
            }
            ConnectError::Other(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                Failure::with(Kind::Internal, "no local port left")
            }
            ConnectError::Other(error) => Failure::with(Kind::Unreachable, error.to_string()),
        }),
    }
}

fn is_out_of_descriptors<T>(connected: &Result<T, ConnectError>) -> bool {
    matches!(connected, Err(ConnectError::Other(error)) if reserve::is_out_of_descriptors(error))
}

/// What is known of an attempt that failed before its response had begun.
pub(crate) struct Progress {
    /// Not a byte of a response came.
    pub(crate) nothing_came: bool,
    /// Not a byte of the request went out, and none of its body was read.
    pub(crate) nothing_sent: bool,
}

/// Whether another attempt may follow this failure. The endpoint's health is
/// told of it, unless it was a kept connection that was closed meanwhile.
pub(crate) fn judge<T>(
    exchange: &Exchange,
    course: &Course,
    open: &Open,
    failure: Failure,
    progress: &Progress,
) -> Attempt<T> {
    let request = &exchange.heads.request;
    let is_replayable = request.framing.is_empty() && method::is_idempotent(&request.method);
    let is_dead = failure.kind == Kind::ConnectionReset && progress.nothing_came;
    let may_follow = is_dead && !exchange.has_begun && (is_replayable || progress.nothing_sent);
    if !(is_dead && open.is_kept) {
        report(exchange, course.forwarding(), &open.picked, &failure);
    }
    if !may_follow {
        return Attempt::Failed(failure);
    }
    Attempt::Again {
        failure,
        was_sent: !progress.nothing_sent,
    }
}

/// Keeps a connection for the next request, unless something follows the
/// response, or did so lately.
pub(crate) fn put(exchange: &Exchange, forwarding: &Forwarding, open: Open) {
    let Open {
        picked,
        mut connection,
        ..
    } = open;
    match Idle::of(connection.reader.buffered()) {
        Idle::Quiet => {}
        Idle::Closed => return,
        Idle::Spoken => return distrust(exchange, forwarding, &picked),
    }
    let now_ms = exchange.worker.clock.now().monotonic_ms;
    if picked.in_flight.endpoint().is_distrusted(now_ms) {
        return;
    }
    connection.reader.rest();
    connection.writer.rest();
    let own = forwarding.upstream.idle_timeout;
    // A second early: a request sent just as the upstream closes is lost.
    let theirs = exchange.heads.response.keep_alive_timeout.map(|seconds| {
        Duration::from_secs(u64::from(seconds)).saturating_sub(Duration::from_secs(1))
    });
    let lifetime = theirs.map_or(own, |theirs| theirs.min(own));
    let until_ms = now_ms + u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX / 2);
    let lease = if exchange.heads.response.is_cut_short {
        Lease::after_a_rest(now_ms, until_ms)
    } else {
        Lease::at_once(until_ms)
    };
    let mut pool = exchange.worker.pool.borrow_mut();
    pool.put(
        picked.in_flight.endpoint(),
        connection,
        lease,
        forwarding.upstream.keepalive,
    );
}

/// Tells the endpoint's health and the counters of a failed attempt.
pub(crate) fn report(
    exchange: &Exchange,
    forwarding: &Forwarding,
    picked: &Picked,
    failure: &Failure,
) {
    if failure.kind.fault() != janua_http::Fault::Upstream {
        return;
    }
    let now = exchange.worker.clock.now();
    let word = failure.kind.word();
    let outcome = Outcome::Failed(word);
    let change = picked.in_flight.report(outcome, now.monotonic_ms);
    forwarding
        .stats
        .count_failure(exchange.worker.index, picked.index, failure.kind);
    let upstream = forwarding.upstream.name();
    let endpoint = forwarding.stats.endpoint(picked.index);
    match change {
        Some(Change::WentOut) => {
            tracing::warn!(upstream, endpoint, failure = word, "endpoint held back");
        }
        Some(Change::Failing) => tracing::warn!(
            upstream,
            endpoint,
            failure = word,
            "endpoint is down; requests are still sent to it"
        ),
        Some(Change::CameBack) | None => {}
    }
}
