//! A client's connection: opens it, and serves it in the protocol that the client speaks.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::deadline::Deadline;
use crate::http1;
use crate::http2;
use crate::incoming::Incoming;
use crate::linger;
use crate::listener_stats::ListenerStats;
use crate::opening::{self, Opened};
use crate::outgoing::Outgoing;
use crate::responder::Fate;
use crate::session::Session;
use crate::wire::{Reader, Writer};
use crate::worker::Worker;

/// Counts a connection as open until it is dropped. It is created when the connection is
/// accepted, so that the connection is at every moment either queued or counted.
pub(crate) struct ConnectionGuard {
    pub(crate) worker: Rc<Worker>,
    pub(crate) stats: Rc<ListenerStats>,
    /// Its number among those of the worker.
    pub(crate) number: usize,
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
    let Some(opened) = opening.await else {
        return;
    };
    let Opened {
        read,
        write,
        peer,
        share,
    } = opened;
    let mut session = Session {
        incoming: Incoming::new(Reader::new(read)),
        outgoing: Outgoing::new(Writer::new(write)),
        deadline: Deadline::new(Duration::from_secs(60)),
        peer: Rc::new(peer),
        listener,
        requests: 0,
        opened: worker.clock.now().instant,
        arrived: None,
    };
    if http2::is_spoken(&mut session, worker, guard.number).await {
        // Boxed, so that connections of HTTP/1 do not hold the memory of this future.
        return Box::pin(http2::serve(session, guard, share)).await;
    }
    // `_share` counts the connection among those of its client.
    let _share = share;
    match http1::serve(&mut session, worker, guard.number).await {
        Fate::Close => Box::pin(linger::close(&mut session)).await,
        Fate::Abort => session.outgoing.writer.reset(),
        Fate::KeepAlive => end_tls(&mut session).await,
    }
}

/// Ends TLS on an idle connection with the `close_notify` that RFC 8446 §6.1 demands. One attempt:
/// the peer has room for it, or does not read at all.
async fn end_tls(session: &mut Session) {
    if session.peer.tls.is_none() {
        return;
    }
    poll_fn(|context| {
        let _ = session.outgoing.writer.poll_shutdown(context);
        Poll::Ready(())
    })
    .await;
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
