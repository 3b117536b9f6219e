//! A client's HTTP/2 connection: reads and writes its frames, and starts a task for each request.
//!
//! The connection's own task is the only one that uses the transport. The tasks of the streams share
//! the state of the connection with it, and never wait while they borrow it.

mod intake;
mod streams;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use janua_h2::{Connection, PREFACE};
use tokio::time::Instant;

use crate::body::Turn;
use crate::client_limits::Share;
use crate::connection::ConnectionGuard;
use crate::http1;
use crate::linger;
use crate::session::Session;
use crate::worker::Worker;
use intake::Intake;
use streams::Streams;

/// True if the client speaks HTTP/2: it has agreed on it by TLS, or begins with it in cleartext
/// ("prior knowledge", RFC 9113 §3.3).
pub(crate) async fn is_spoken(session: &mut Session, worker: &Rc<Worker>, number: usize) -> bool {
    if let Some(tls) = &session.peer.tls {
        return tls.protocol.as_deref() == Some(b"h2");
    }
    let local = worker.snapshot();
    let listener = local.listener(session.listener);
    if listener.is_none_or(|listener| listener.http2.is_none()) {
        return false;
    }
    drop(local);
    if !http1::wait(session, worker, number).await {
        return false;
    }
    let Session {
        incoming, deadline, ..
    } = session;
    let read = poll_fn(|context| {
        loop {
            let seen = incoming.reader.buffered();
            let count = seen.len().min(PREFACE.len());
            if seen.get(..count) != PREFACE.get(..count) {
                return Poll::Ready(false);
            }
            if count == PREFACE.len() {
                return Poll::Ready(true);
            }
            if !matches!(ready!(incoming.reader.poll_fill(context)), Ok(1..)) {
                return Poll::Ready(false);
            }
        }
    });
    deadline.guard(read).await.unwrap_or(false)
}

/// Serves the connection to its end. `share` counts it among those of its client.
pub(crate) async fn serve(mut session: Session, guard: ConnectionGuard, share: Option<Share>) {
    let worker = Rc::clone(&guard.worker);
    let local = worker.snapshot();
    let Some(listener) = local.listener(session.listener) else {
        return;
    };
    let Some(http2) = &listener.http2 else {
        return;
    };
    let now = worker.clock.now();
    let settings = http2.settings(listener.limits);
    let connection = Connection::new(settings, http2.limits, now.monotonic_ms);
    let expires_at = session.expires_at(listener);
    let max_requests = listener.max_requests;
    let head_timeout = listener.head_timeout;
    let stall = Duration::from_millis(http2.limits.stall_ms);
    drop(local);
    let mut serving = Serving {
        streams: Streams {
            guard,
            _share: share,
            connection: Rc::new(RefCell::new(connection)),
            peer: Rc::clone(&session.peer),
            listener: session.listener,
            opened: session.opened,
        }
        .into(),
        intake: Intake::new(worker),
        expires_at,
        max_requests,
        idle_since: now.instant,
        patience: head_timeout,
        stall,
        sent: 0,
        sent_at: now.instant,
    };
    let ended = poll_fn(|context| serving.poll(context, &mut session)).await;
    // Streams that are still served learn that nobody waits for them.
    serving.streams.end();
    match ended {
        Ok(()) => linger::close(&mut session).await,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => session.outgoing.writer.reset(),
        Err(_) => {}
    }
}

/// A connection that is being served.
struct Serving {
    streams: Rc<Streams>,
    intake: Intake,
    /// When the connection is too old for further requests.
    expires_at: Option<Instant>,
    /// How many requests the listener allows on a connection.
    max_requests: Option<u64>,
    /// Since when there has been no request, as far as this task has seen.
    idle_since: Instant,
    /// How long there may be none.
    patience: Duration,
    /// How long the client may read nothing of what waits for it.
    stall: Duration,
    /// How much the transport has taken, and when it took that or nothing waited.
    sent: u64,
    sent_at: Instant,
}

impl Serving {
    /// Reads, writes, and does what is due. Ready once the connection is finished.
    ///
    /// # Errors
    /// The transport has failed, the client has closed it, or it reads nothing (`TimedOut`).
    fn poll(&mut self, context: &mut Context<'_>, session: &mut Session) -> Poll<io::Result<()>> {
        let turn = Turn::begin(&session.incoming.reader);
        loop {
            if let Poll::Ready(written) = self.poll_write(context, session) {
                written?;
            }
            if self.streams.connection.borrow().is_finished() {
                return Poll::Ready(Ok(()));
            }
            ready!(turn.poll(context, &session.incoming.reader));
            let stepped = match self.poll_read(context, session) {
                Poll::Pending => self.poll_timer(context, session),
                read => read,
            };
            match stepped {
                Poll::Ready(done) => done?,
                Poll::Pending => break,
            }
        }
        self.streams.connection.borrow_mut().register(context);
        Poll::Pending
    }

    /// Writes all output.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        session: &mut Session,
    ) -> Poll<io::Result<()>> {
        let mut connection = self.streams.connection.borrow_mut();
        let writer = &mut session.outgoing.writer;
        while connection.has_output() {
            let count = ready!(writer.poll_write(context, connection.output()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            connection.advance(count);
        }
        writer.poll_flush(context)
    }

    /// Reads once, and starts the requests that have arrived.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        session: &mut Session,
    ) -> Poll<io::Result<()>> {
        let mut connection = self.streams.connection.borrow_mut();
        if !connection.wants_input() {
            return Poll::Pending;
        }
        let clock = &self.streams.worker().clock;
        let intake = &mut self.intake;
        let reader = &mut session.incoming.reader;
        let received = reader.poll_take(context, usize::MAX, |_, bytes| {
            // After an error the connection is finished when its output has been written.
            let _ = connection.receive(bytes, clock.now().monotonic_ms, intake);
            (bytes.len(), bytes.is_empty())
        });
        let is_end = ready!(received)?;
        drop(connection);
        for (key, arrived) in self.intake.drain() {
            Streams::start(&self.streams, key, arrived);
        }
        Poll::Ready(match is_end {
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Ok(()),
        })
    }

    /// Does what is due, and is pending until something is.
    fn poll_timer(
        &mut self,
        context: &mut Context<'_>,
        session: &mut Session,
    ) -> Poll<io::Result<()>> {
        let worker = Rc::clone(self.streams.worker());
        let streams = Rc::clone(&self.streams);
        let mut connection = streams.connection.borrow_mut();
        let now = worker.clock.now();
        if !connection.is_draining() && self.is_last(context, &connection, now.instant) {
            connection.start_drain();
            return Poll::Ready(Ok(()));
        }
        let writer = &session.outgoing.writer;
        let is_blocked = connection.has_output() || writer.is_blocked();
        if self.sent != writer.sent() || !is_blocked {
            self.sent = writer.sent();
            self.sent_at = now.instant;
        }
        if connection.held_streams() > 0 || is_blocked {
            self.idle_since = now.instant;
        }
        let stall_end = is_blocked.then(|| self.sent_at + self.stall);
        self.adjust_patience(&connection);
        let idle_end = self.idle_since + self.patience;
        let expires_at = self.expires_at.filter(|_| !connection.is_draining());
        let of_protocol = connection.deadline(now.monotonic_ms).map(|due_ms| {
            now.instant + Duration::from_millis(due_ms.saturating_sub(now.monotonic_ms))
        });
        let others = [stall_end, expires_at, of_protocol];
        let due = others.into_iter().flatten().fold(idle_end, Instant::min);
        let patience = due.saturating_duration_since(now.instant);
        session.deadline.set_from(now.instant, patience);
        ready!(session.deadline.poll(context));
        let now = worker.clock.now();
        if stall_end.is_some_and(|end| now.instant >= end) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if connection.held_streams() == 0 && now.instant >= idle_end {
            connection.finish_drain();
        }
        // After an error the connection is finished when its output has been written.
        let _ = connection.on_timer(now.monotonic_ms);
        Poll::Ready(Ok(()))
    }

    /// True if the connection is to get no more requests: it is too old or has had enough of them,
    /// the listener is gone, or the worker is draining.
    fn is_last(&self, context: &Context<'_>, connection: &Connection, now: Instant) -> bool {
        let streams = &self.streams;
        let is_full = self
            .max_requests
            .is_some_and(|most| u64::from(connection.requests()) >= most);
        let is_expired = self.expires_at.is_some_and(|expires_at| now >= expires_at);
        is_full || is_expired || !streams.may_continue(context)
    }

    /// Sets how long the connection may have no request, by the latest settings of its listener.
    fn adjust_patience(&mut self, connection: &Connection) {
        let local = self.streams.worker().snapshot();
        if let Some(listener) = local.listener(self.streams.listener) {
            self.patience = match connection.requests() {
                0 => listener.head_timeout,
                _ => listener.idle_timeout,
            };
        }
    }
}
