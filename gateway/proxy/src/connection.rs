//! A client's connection: one exchange after another.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::deadline::Deadline;
use crate::incoming::Incoming;
use crate::life;
use crate::linger;
use crate::listener_stats::ListenerStats;
use crate::opening::{self, Opened};
use crate::outgoing::Outgoing;
use crate::responder::Fate;
use crate::session::Session;
use crate::wire::{Reader, Writer};
use crate::worker::Worker;

/// How many pipelined requests are answered before other tasks of the worker run.
const MAX_PIPELINED: u32 = 16;

/// Counts a connection as open until it is dropped. It is created when the connection is
/// accepted, so that the connection is at every moment either queued or counted.
pub(crate) struct ConnectionGuard {
    worker: Rc<Worker>,
    stats: Rc<ListenerStats>,
    number: usize,
}

/// Serves a connection to its end.
pub(crate) async fn serve(
    guard: ConnectionGuard,
    stream: TcpStream,
    address: SocketAddr,
    listener: usize,
) {
    let worker = &guard.worker;
    // Boxed, so that the connection does not hold the memory of the handshake's future.
    let opening = Box::pin(opening::open(
        worker,
        &guard.stats,
        stream,
        address,
        listener,
    ));
    // `_share` counts the connection among those of its client.
    let Some(Opened {
        read,
        write,
        peer,
        share: _share,
    }) = opening.await
    else {
        return;
    };
    let mut session = Session {
        incoming: Incoming::new(Reader::new(read)),
        outgoing: Outgoing::new(Writer::new(write)),
        deadline: Deadline::new(Duration::from_secs(60)),
        peer: Rc::new(peer),
        listener,
        requests: 0,
        opened: worker.clock.now().instant,
    };
    let mut pipelined = 0;
    while wait(&mut session, worker, guard.number).await {
        // Boxed, so that an idle connection does not hold the memory of this future.
        match in_box(|| life::run(&mut session, worker)).await {
            Fate::KeepAlive => {
                session.incoming.reader.release_buffer();
                session.outgoing.writer.release_buffer();
                pipelined = if session.incoming.reader.buffered().is_empty() {
                    0
                } else {
                    pipelined + 1
                };
                if pipelined == MAX_PIPELINED {
                    pipelined = 0;
                    tokio::task::yield_now().await;
                }
            }
            Fate::Close => return Box::pin(linger::linger(&mut session)).await,
            Fate::Abort => return session.outgoing.writer.reset(),
        }
    }
    if session.peer.tls.is_some() {
        // RFC 8446 §6.1 demands a `close_notify`. One attempt: the peer of an idle connection
        // has room for it, or does not read at all.
        let writer = &mut session.outgoing.writer;
        poll_fn(|context| {
            let _ = writer.poll_shutdown(context);
            Poll::Ready(())
        })
        .await;
    }
}

/// A future that is made in its box, and not on the stack and then copied there.
fn in_box<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), make()))
}

/// Waits for a request; false if the connection has been idle for too long or the worker
/// is draining. The first request must begin within the timeout for its head.
async fn wait(session: &mut Session, worker: &Rc<Worker>, number: usize) -> bool {
    let local = worker.snapshot();
    let Some(listener) = local.listener(session.listener) else {
        return false;
    };
    let patience = if session.requests == 0 {
        listener.head_timeout
    } else {
        listener.idle_timeout
    };
    let expires_at = session.expires_at(listener);
    drop(local);
    let is_new = session.requests == 0;
    let Session {
        incoming, deadline, ..
    } = session;
    let reader = &mut incoming.reader;
    deadline.set_cap(expires_at);
    if is_new {
        deadline.set(patience);
    } else {
        // The clock was read when the last exchange ended, just now.
        deadline.set_from(worker.clock.last(), patience);
    }
    poll_fn(|context| {
        // The runtime assumes that a new socket is readable until a read shows otherwise.
        // Without this read, a client that sends nothing would count as a request and
        // delay the end of the process.
        let readable = if is_new && reader.buffered().is_empty() {
            reader.poll_fill(context).map(drop)
        } else {
            reader.poll_readable(context)
        };
        if readable.is_ready() {
            return Poll::Ready(true);
        }
        if !worker.wait(number, context.waker()) {
            return Poll::Ready(false);
        }
        deadline.poll(context).map(|_| false)
    })
    .await
}

impl ConnectionGuard {
    pub(crate) fn new(worker: &Rc<Worker>, stats: Rc<ListenerStats>) -> Self {
        stats.gauge.add(worker.index, 1);
        stats.open.fetch_add(1, Relaxed);
        Self {
            number: worker.register(),
            worker: Rc::clone(worker),
            stats,
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.stats.gauge.add(self.worker.index, -1);
        self.stats.open.fetch_sub(1, Relaxed);
        self.worker.unregister(self.number);
        self.worker.estate.reserve.freed();
    }
}
