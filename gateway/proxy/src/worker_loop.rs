//! A worker's thread: it does what the server says until it is drained.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use janua_telemetry::access_log::AccessLog;
use tokio::runtime::LocalOptions;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::accept;
use crate::estate::Estate;
use crate::snapshot::Snapshot;
use crate::worker::Worker;

/// What the server tells a worker.
pub(crate) enum Command {
    /// A snapshot was published; say when it is taken over.
    Refresh(std::sync::mpsc::Sender<()>),
    /// Accept connections of a listener on this socket.
    Listen {
        key: u64,
        listener: usize,
        socket: std::net::TcpListener,
    },
    /// Accept what waits on this socket, and close it.
    Unlisten { key: u64 },
    /// Write the access log there, or nowhere.
    Log(Option<AccessLog>),
    /// Take no more requests, finish those that are on their way, and end
    /// after this time whatever is left.
    Drain(Duration),
}

/// Runs a worker on this thread until it is drained. Answers how many requests
/// were cut off then.
pub(crate) fn run(
    index: usize,
    estate: Arc<Estate>,
    snapshot: Arc<Snapshot>,
    commands: mpsc::UnboundedReceiver<Command>,
) -> std::io::Result<usize> {
    // The runtime itself runs what stays on this thread: a `LocalSet` would be a
    // second scheduler, which each wake-up goes through.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let worker = Rc::new(Worker::new(index, estate, snapshot));
    Ok(runtime.block_on(obey(worker, commands)))
}

/// Does what the server says, and what has to be done every second. Answers how
/// many requests are left at its end.
async fn obey(worker: Rc<Worker>, mut commands: mpsc::UnboundedReceiver<Command>) -> usize {
    let mut sockets: HashMap<u64, Rc<Notify>> = HashMap::new();
    let mut accepting: JoinSet<()> = JoinSet::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            _ = second.tick() => {
                let now = worker.clock.now();
                worker.pool.borrow_mut().sweep(now.monotonic_ms);
                worker.log.borrow_mut().flush();
                while accepting.try_join_next().is_some() {}
                continue;
            }
        };
        match command {
            Some(Command::Refresh(done)) => {
                worker.refresh();
                let _ = done.send(());
            }
            Some(Command::Listen {
                key,
                listener,
                socket,
            }) => match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => {
                    let closing = Rc::new(Notify::new());
                    sockets.insert(key, Rc::clone(&closing));
                    accepting.spawn_local(accept::accept(
                        Rc::clone(&worker),
                        socket,
                        listener,
                        closing,
                    ));
                }
                Err(error) => tracing::error!(%error, "a listening socket cannot be used"),
            },
            Some(Command::Unlisten { key }) => {
                if let Some(closing) = sockets.remove(&key) {
                    closing.notify_one();
                }
            }
            Some(Command::Log(log)) => {
                let mut current = worker.log.borrow_mut();
                current.flush();
                worker.is_logging.set(log.is_some());
                *current = log.unwrap_or_else(AccessLog::off);
            }
            Some(Command::Drain(patience)) => {
                for (_, closing) in sockets.drain() {
                    closing.notify_one();
                }
                let drained = async {
                    // Once nothing is accepted any more, all connections are known.
                    while accepting.join_next().await.is_some() {}
                    worker.drain().await;
                };
                let _ = tokio::time::timeout(patience, drained).await;
                break;
            }
            None => break,
        }
    }
    worker.log.borrow_mut().flush();
    worker.requests.get()
}
