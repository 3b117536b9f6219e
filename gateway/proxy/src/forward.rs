//! The target `upstream`: chooses an endpoint, sends the request, brings the
//! response back.
//!
//! An attempt that failed is followed by another only while nothing can have
//! been done twice: after a failed connect always; after a kept connection
//! died before a byte of the response came, once, if the request has no body
//! and its method is idempotent, or if nothing of it was sent (RFC 9110
//! §9.2.2). Such a connection was most likely closed by the upstream while
//! the request was on its way, the best-known source of random 502s.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use janua_http::failure::Kind;
use janua_http::{Failure, Framing, method};
use janua_upstream::{ConnectError, Outcome, Picked, Tried, Unavailable};

use crate::body::Transfer;
use crate::client::Client;
use crate::converse::{self, Conversed};
use crate::deliver;
use crate::exchange::{Exchange, Fate, Matched};
use crate::race::{self, Pace, Raced, Upload};
use crate::request_head;
use crate::snapshot::{Forwarding, HostField, LocalUpstream, To};
use crate::transport;
use crate::tunnel;
use crate::wire::{Reader, Writer};

/// A connection to an endpoint.
pub(crate) struct Upstreamed {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// What sending a request needs to know of its route, so that it need not
/// hold the snapshot.
pub(crate) struct Course {
    pub(crate) upstream: Rc<LocalUpstream>,
    pub(crate) host: HostField,
    pub(crate) strip_prefix: Option<Arc<str>>,
    attempts: usize,
    pub(crate) idle_timeout: Duration,
}

impl Course {
    /// What a route says. None if the snapshot has no such upstream, which
    /// compiling it rules out.
    pub(crate) fn new(to: &To, matched: &Matched) -> Option<Self> {
        let upstream = matched.local.upstreams.get(to.upstream)?;
        Some(Self {
            host: to.host.clone(),
            strip_prefix: to.strip_prefix.clone(),
            attempts: to.attempts,
            idle_timeout: matched
                .route()
                .terms
                .idle_timeout
                .unwrap_or(upstream.forwarding.idle_timeout),
            upstream: Rc::clone(upstream),
        })
    }

    pub(crate) fn forwarding(&self) -> &Forwarding {
        &self.upstream.forwarding
    }
}

enum Attempt {
    Done(Fate),
    /// Another attempt does no harm.
    Again(Failure),
    Failed(Failure),
}

/// Forwards the request and delivers the response.
///
/// # Errors
/// The failure of the last attempt, if nothing was delivered yet.
pub(crate) async fn forward(
    exchange: &mut Exchange,
    client: &mut Client,
    course: Course,
) -> Result<Fate, Failure> {
    let forwarding = course.forwarding();
    let shard = exchange.worker.index;
    let mut tried = Tried::new();
    let mut replaced = false;
    let mut last: Option<Failure> = None;
    loop {
        if tried.count() as usize >= course.attempts {
            return Err(last.unwrap_or_else(|| Kind::NoneHealthy.into()));
        }
        let picked = match pick(&course, &tried, exchange.now.monotonic_ms) {
            Ok(picked) => picked,
            Err(why) => return Err(last.unwrap_or_else(|| unavailable(why))),
        };
        if last.is_some() {
            forwarding.stats.retries.increment(shard);
        }
        exchange.record.endpoint = Some((Rc::clone(&course.upstream), picked.index));
        let kept = take(exchange, &picked);
        let may_replace = kept.is_some() && !replaced;
        let connection = match kept {
            Some(connection) => {
                forwarding.stats.reused.increment(shard);
                connection
            }
            None => match connect(exchange, forwarding, &picked).await {
                Ok(connection) => connection,
                Err(failure) => {
                    report(exchange, forwarding, &picked, &failure);
                    tried.insert(picked.index);
                    last = Some(failure);
                    continue;
                }
            },
        };
        match attempt(exchange, client, &course, picked, connection, may_replace).await {
            Attempt::Done(fate) => return Ok(fate),
            Attempt::Failed(failure) => return Err(failure),
            Attempt::Again(failure) => last = Some(failure),
        }
        replaced = true;
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

/// A kept connection that the upstream has not closed.
fn take(exchange: &Exchange, picked: &Picked) -> Option<Upstreamed> {
    let mut pool = exchange.worker.pool.borrow_mut();
    loop {
        let kept: Upstreamed = pool.take(picked.in_flight.endpoint(), exchange.now.monotonic_ms)?;
        if kept.reader.is_quiet() {
            return Some(kept);
        }
    }
}

async fn connect(
    exchange: &mut Exchange,
    forwarding: &Forwarding,
    picked: &Picked,
) -> Result<Upstreamed, Failure> {
    let begin = exchange.worker.clock.now();
    let within = forwarding.upstream.connect_timeout;
    let connected = picked.in_flight.endpoint().connect(within).await;
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
            ConnectError::Other(error) => Failure::with(Kind::Unreachable, error.to_string()),
        }),
    }
}

/// Sends the request over a connection and delivers what comes back.
async fn attempt(
    exchange: &mut Exchange,
    client: &mut Client,
    course: &Course,
    picked: Picked,
    mut connection: Upstreamed,
    may_replace: bool,
) -> Attempt {
    let forwarding = course.forwarding();
    request_head::write(
        exchange,
        course,
        forwarding.stats.endpoint(picked.index),
        connection.writer.pending(),
    );
    if exchange.heads.request.expects_continue && !exchange.heads.request.framing.is_empty() {
        exchange.heads.request.expects_continue = false;
        client
            .writer
            .pending()
            .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        if deliver::flush(client).await.is_err() {
            return Attempt::Failed(Kind::ClientGone.into());
        }
    }
    exchange.record.begin_upstream();
    let received_before = connection.reader.received();
    let sent_before = connection.writer.sent();
    let framing = exchange.heads.request.framing;
    let limit = exchange
        .terms
        .as_ref()
        .map_or(u64::MAX, |terms| terms.max_body);
    let mut upload = Upload::new(
        &mut client.reader,
        &mut connection.writer,
        Transfer::new(framing, framing, limit),
    );
    let pace = Pace {
        patience: Cell::new(forwarding.response_head_timeout),
        awaits_head: Cell::new(true),
    };
    let conversing = converse::converse(
        exchange,
        &mut connection.reader,
        &mut client.writer,
        course,
        &picked,
        &pace,
    );
    let raced = race::race(&mut client.deadline, &pace, &mut upload, conversing).await;
    let uploaded = upload.is_done();
    let upstream_stalls = upload.backlog() > 0;
    let is_client_gone = upload.is_half_closed();
    exchange.record.bytes_in = upload.size();
    exchange.body = upload.body();
    let failure = match raced {
        Raced::Main(Ok(Conversed::Switch)) => {
            let fate = tunnel::tunnel(exchange, client, connection, course.idle_timeout).await;
            drop(picked);
            return Attempt::Done(fate);
        }
        Raced::Main(Ok(Conversed::Delivered { keep })) => {
            if keep && uploaded {
                put(exchange, forwarding, &picked, connection);
            }
            exchange.record.end_upstream();
            let fate = exchange.fate();
            let reusable = uploaded && !is_client_gone && exchange.delivers_keep_alive();
            return Attempt::Done(if reusable { fate } else { Fate::Close });
        }
        Raced::Main(Err(failure)) | Raced::Side(failure) => failure,
        Raced::Elapsed { capped } => {
            let backlog = client.writer.backlog() > 0;
            elapsed(
                capped,
                uploaded || upstream_stalls,
                exchange.has_begun,
                backlog,
            )
        }
    };
    let nothing_came = connection.reader.received() == received_before;
    let nothing_sent = connection.writer.sent() == sent_before;
    let is_replayable = framing.is_empty() && method::is_idempotent(&exchange.heads.request.method);
    let untouched = framing.is_empty() || exchange.record.bytes_in == 0;
    if failure.kind == Kind::ConnectionReset
        && may_replace
        && nothing_came
        && !exchange.has_begun
        && (is_replayable || nothing_sent && untouched)
    {
        return Attempt::Again(failure);
    }
    report(exchange, forwarding, &picked, &failure);
    Attempt::Failed(failure)
}

/// What was waited for when the time was over.
fn elapsed(capped: bool, uploaded: bool, has_begun: bool, client_backlog: bool) -> Failure {
    if capped {
        return Kind::WholeTimeout.into();
    }
    match (has_begun, uploaded) {
        (false, false) => Failure::with(Kind::RequestTimeout, "no progress with the request body"),
        (true, _) if client_backlog => {
            Failure::with(Kind::ClientGone, "stopped reading the response")
        }
        (true, _) => Failure::with(Kind::ResponseTimeout, "no progress with the response body"),
        (false, true) => Kind::ResponseTimeout.into(),
    }
}

fn put(exchange: &Exchange, forwarding: &Forwarding, picked: &Picked, mut connection: Upstreamed) {
    connection.reader.rest();
    connection.writer.rest();
    let own = forwarding.upstream.idle_timeout;
    // A second early: a request sent just as the upstream closes is lost.
    let theirs = exchange.heads.response.keep_alive_timeout.map(|seconds| {
        Duration::from_secs(u64::from(seconds)).saturating_sub(Duration::from_secs(1))
    });
    let lifetime = theirs.map_or(own, |theirs| theirs.min(own));
    let now = exchange.worker.clock.now();
    let expires = now.monotonic_ms + u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX / 2);
    let mut pool = exchange.worker.pool.borrow_mut();
    pool.put(
        picked.in_flight.endpoint(),
        connection,
        expires,
        forwarding.upstream.keepalive,
    );
}

/// Tells the endpoint's health and the counters of a failed attempt.
fn report(exchange: &Exchange, forwarding: &Forwarding, picked: &Picked, failure: &Failure) {
    if failure.kind.fault() != janua_http::Fault::Upstream {
        return;
    }
    let now = exchange.worker.clock.now();
    let change = picked.in_flight.report(Outcome::Failed, now.monotonic_ms);
    forwarding
        .stats
        .count_failure(exchange.worker.index, picked.index, failure.kind);
    if change.is_some() {
        tracing::warn!(
            upstream = forwarding.upstream.name(),
            endpoint = forwarding.stats.endpoint(picked.index),
            failure = failure.kind.word(),
            "endpoint held back"
        );
    }
}

impl Exchange {
    /// True if the response told its end by itself, so that the client knows
    /// where the next one begins.
    fn delivers_keep_alive(&self) -> bool {
        let from = self.heads.response.framing;
        deliver::outgoing(from, self.heads.request.version) != Framing::UntilClose
    }
}
