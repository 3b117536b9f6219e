//! Accepts connections and starts a task for each.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::connection;
use crate::listener_stats::ListenerStats;
use crate::reserve::is_out_of_descriptors;
use crate::worker::Worker;

/// How long accepting pauses after an error that nobody has foreseen.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `closing` is told. What waits in the queue by then is still
/// accepted: those clients have been told that they are connected.
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
        if !reserve.is_whole() {
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
            Err(error) if is_of_one_connection(&error) => {}
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
    // Asked of the kernel itself: the runtime may not have heard yet of what
    // waits there.
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
            Err(error) if is_of_one_connection(&error) => {}
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
    let most = local.listener(listener).map_or(0, |listener| listener.most);
    if most > 0 && stats.open.load(Relaxed) >= most {
        stats.refused.increment(worker.index);
        return;
    }
    // A response is written whole; waiting for more to send would only delay it.
    let _ = stream.set_nodelay(true);
    let open = connection::Open::new(worker, Rc::clone(stats));
    tokio::task::spawn_local(connection::serve(open, stream, address, listener));
}

/// The client was gone before it was accepted.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
