//! Accepts connections, and starts a task for each.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::connection::{self, ConnectionGuard};
use crate::listener_stats::ListenerStats;
use crate::refusal::Refusal;
use crate::reserve::is_out_of_descriptors;
use crate::worker::Worker;

/// How long accepting pauses after an unexpected error.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `closing` is notified. Connections that wait in the queue by
/// then are still accepted: to those clients they are already established.
pub(crate) async fn accept(
    worker: Rc<Worker>,
    socket: TcpListener,
    listener: usize,
    closing: Rc<Notify>,
) {
    let Some(stats) = ListenerStats::new(&worker, listener).map(Rc::new) else {
        return;
    };
    let reserve = &worker.estate.reserve;
    loop {
        if !reserve.is_complete() {
            tokio::select! {
                () = reserve.wait() => continue,
                () = closing.notified() => break,
            }
        }
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = closing.notified() => break,
        };
        match accepted {
            Ok((stream, address)) => serve(&worker, stream, address, listener, &stats),
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) if is_out_of_descriptors(&error) => {
                reserve.run_out();
                tokio::select! {
                    () = reserve.wait() => {}
                    () = closing.notified() => break,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // Ask the kernel directly: the runtime may not know yet that connections wait there.
    let Ok(socket) = socket.into_std() else {
        return;
    };
    loop {
        let accepted = socket.accept().and_then(|(stream, address)| {
            stream.set_nonblocking(true)?;
            Ok((TcpStream::from_std(stream)?, address))
        });
        match accepted {
            Ok((stream, address)) => serve(&worker, stream, address, listener, &stats),
            Err(error) if is_out_of_descriptors(&error) && reserve.give() => {}
            Err(error) if concerns_one_connection(&error) => {}
            Err(_) => break,
        }
    }
}

fn serve(
    worker: &Rc<Worker>,
    stream: TcpStream,
    address: SocketAddr,
    listener: usize,
    stats: &Rc<ListenerStats>,
) {
    stats.accepted.increment(worker.index);
    let local = worker.snapshot();
    let limit = local
        .listener(listener)
        .map_or(0, |listener| listener.max_connections);
    if limit > 0 && stats.open.load(Relaxed) >= limit {
        if let Some(refused) = stats.refuse(worker, Refusal::Limit) {
            tracing::warn!(
                listener = &*stats.name,
                limit,
                refused,
                "the listener has as many connections as `max_connections` allows; further ones are closed"
            );
        }
        return;
    }
    // Responses are written in few large writes; Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    let guard = ConnectionGuard::new(worker, Rc::clone(stats));
    tokio::task::spawn_local(connection::serve(guard, stream, address, listener));
}

/// True if the error concerns only one connection: its client was gone before it was
/// accepted.
fn concerns_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
