//! The thread of a worker: runs its tasks and executes the server's commands until it is
//! drained.

use std::collections::HashMap;
use std::pin::pin;
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

/// A command of the server to a worker.
pub(crate) enum Command {
    /// Use the snapshot that was published, and report back when that is done.
    Refresh(std::sync::mpsc::Sender<()>),
    /// Accept connections of a listener on this socket.
    Listen {
        key: u64,
        listener: usize,
        socket: std::net::TcpListener,
    },
    /// Accept the connections that wait on this socket, and close it.
    Unlisten { key: u64 },
    /// Write the access log there, or none.
    Log(Option<AccessLog>),
    /// Accept no more requests, finish those in flight, and abort them after this time.
    Drain(Duration),
}

/// Runs a worker on this thread until it is drained. Returns how many requests were
/// aborted.
pub(crate) fn run(
    index: usize,
    estate: Arc<Estate>,
    snapshot: Arc<Snapshot>,
    commands: mpsc::UnboundedReceiver<Command>,
) -> std::io::Result<usize> {
    // The runtime itself runs the `!Send` tasks. With a `LocalSet`, each wake-up would go
    // through a second scheduler.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let worker = Rc::new(Worker::new(index, estate, snapshot));
    Ok(runtime.block_on(execute_commands(worker, commands)))
}

/// Executes the server's commands, and the worker's periodic work once per second. Returns
/// how many requests are unfinished at the end.
async fn execute_commands(
    worker: Rc<Worker>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> usize {
    let mut sockets: HashMap<u64, Rc<Notify>> = HashMap::new();
    let mut accepting: JoinSet<()> = JoinSet::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            _ = second.tick() => {
                tick(&worker);
                while accepting.try_join_next().is_some() {}
                continue;
            }
            () = worker.estate.idle_wanted.notified() => {
                worker.close_waited_for();
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
                    // `Worker::drain` waits for the connections accepted so far, so accepting
                    // has to end first.
                    while accepting.join_next().await.is_some() {}
                    worker.drain().await;
                };
                let mut drained = pin!(tokio::time::timeout(patience, drained));
                // Requests still need connections meanwhile.
                loop {
                    tokio::select! {
                        _ = &mut drained => break,
                        _ = second.tick() => tick(&worker),
                        () = worker.estate.idle_wanted.notified() => worker.close_waited_for(),
                    }
                }
                break;
            }
            None => break,
        }
    }
    worker.log.borrow_mut().flush();
    worker.requests.get()
}

/// What a worker does every second.
fn tick(worker: &Worker) {
    let now = worker.clock.now();
    worker.pool.borrow_mut().sweep(now.monotonic_ms);
    worker.close_waited_for();
    worker.shared.borrow_mut().tick(now.instant);
    worker.log.borrow_mut().flush();
}
