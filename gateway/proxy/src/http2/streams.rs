//! The streams of a connection, each of which is served by a task of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use janua_h2::{Connection, ConnectionError, StreamKey};
use janua_telemetry::metrics::definitions;
use tokio::time::Instant;

use crate::boxed::in_box;
use crate::client::Peer;
use crate::client_limits::Share;
use crate::connection::ConnectionGuard;
use crate::deadline::Deadline;
use crate::http2_stream::Http2Stream;
use crate::incoming::Incoming;
use crate::life;
use crate::outgoing::Outgoing;
use crate::refusal::Refusal;
use crate::responder::Fate;
use crate::session::{Arrived, Session};
use crate::transport;
use crate::wire::{Reader, Writer};
use crate::worker::Worker;

/// How much of a request is read and discarded after its response, and for how long.
const DISCARDED: u64 = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);

/// What the streams of a connection have in common. The connection counts as open until the last
/// of them has ended.
pub(super) struct Streams {
    pub(super) guard: ConnectionGuard,
    /// Counts the connection among those of its client.
    pub(super) _share: Option<Share>,
    pub(super) connection: Rc<RefCell<Connection>>,
    pub(super) peer: Rc<Peer>,
    /// The index of the listener in snapshots.
    pub(super) listener: usize,
    /// When the connection was opened.
    pub(super) opened: Instant,
}

impl Streams {
    pub(super) fn worker(&self) -> &Rc<Worker> {
        &self.guard.worker
    }

    /// False if the listener is gone or the worker is draining. The task is woken when that
    /// changes.
    pub(super) fn may_continue(&self, context: &Context<'_>) -> bool {
        let number = self.guard.number;
        self.worker().wait(number, self.listener, context.waker())
    }

    /// Starts the task of a stream.
    pub(super) fn start(this: &Rc<Self>, key: StreamKey, arrived: Arrived) {
        let serving = in_box(|| serve(Rc::clone(this), key, arrived));
        tokio::task::spawn_local(serving);
    }

    /// The connection is closed: counts and logs why, if it has failed.
    pub(super) fn end(&self) {
        let mut connection = self.connection.borrow_mut();
        connection.end_of_input();
        if let Some(error) = connection.failure() {
            self.report(error);
        }
    }

    fn report(&self, error: ConnectionError) {
        let (stats, worker) = (&self.guard.stats, self.worker());
        let (listener, peer) = (&*stats.name, &*self.peer.text);
        let reason = match error {
            ConnectionError::Abuse(abuse) => abuse.name(),
            _ => "protocol",
        };
        let failures = &definitions::HTTP2_FAILURES;
        let failures = worker.estate.metrics.counter(failures, [listener, reason]);
        failures.increment(worker.index);
        let words = error.words();
        if !matches!(error, ConnectionError::Abuse(_)) {
            tracing::debug!(listener, peer, "HTTP/2 connection closed: {words}");
        } else if let Some(refused) = stats.refuse(worker, Refusal::Http2Abuse) {
            tracing::warn!(
                listener,
                peer,
                limit = words,
                refused,
                "a client is over a limit of `http2`; its connection is closed"
            );
        }
    }
}

/// Serves the request of a stream.
async fn serve(streams: Rc<Streams>, key: StreamKey, arrived: Arrived) {
    let worker = streams.worker();
    let stream = Http2Stream::new(Rc::clone(&streams.connection), key);
    if worker.snapshot().listener(streams.listener).is_none() {
        return stream.refuse();
    }
    let (read, write) = transport::from_http2(stream);
    let mut session = Session {
        incoming: Incoming::new(Reader::new(read)),
        outgoing: Outgoing::new(Writer::new(write)),
        deadline: Deadline::new(Duration::from_secs(60)),
        peer: Rc::clone(&streams.peer),
        listener: streams.listener,
        requests: 0,
        opened: streams.opened,
        arrived: Some(arrived),
    };
    match life::run(&mut session, worker).await {
        Fate::Abort => session.outgoing.writer.reset(),
        Fate::KeepAlive | Fate::Close => {
            session.outgoing.writer.release_buffer();
            if !session.incoming.is_done() {
                Box::pin(discard(&mut session)).await;
            }
        }
    }
}

/// Reads and discards for a moment what the client still sends after the response. Clients stop by
/// themselves when they have the response, and some take a reset before that for a failure, even
/// one without an error (RFC 9113 §8.1).
async fn discard(session: &mut Session) {
    let Session {
        incoming, deadline, ..
    } = session;
    deadline.set_cap(None);
    incoming.discard(DISCARDED, PATIENCE, deadline).await;
}
