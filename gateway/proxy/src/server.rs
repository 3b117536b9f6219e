//! Starts the workers, and gives them new snapshots and sockets while they run.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use janua_config::{Diagnostic, Diagnostics, ListenAddress, Loaded};
use janua_telemetry::access_log::{AccessLog, Format};
use janua_telemetry::sink::Sink;
use tokio::sync::mpsc;

use crate::estate::Estate;
use crate::listen;
use crate::snapshot::Snapshot;
use crate::worker_loop::{self, Command};

/// The stack size of a worker. Policy calls run on it, and WebAssembly uses up to 512 KiB.
const STACK: usize = 4 * 1024 * 1024;

/// How long publishing a snapshot waits for each worker.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(2);

/// The running workers and their sockets.
pub struct Server {
    estate: Arc<Estate>,
    workers: Vec<Running>,
    sockets: BTreeMap<Key, Bound>,
    next_key: u64,
}

struct Running {
    commands: mpsc::UnboundedSender<Command>,
    /// Returns the number of requests that were aborted at its end.
    thread: JoinHandle<usize>,
}

/// The index of a listener, and an address as configured.
type Key = (usize, Configured);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Configured {
    Socket(SocketAddr),
    BothFamilies(u16),
}

struct Bound {
    number: u64,
    local: SocketAddr,
    listener: String,
}

/// The changes to the listening sockets that a configuration needs: sockets that are bound
/// but accept nothing yet, and those to be closed.
pub struct Opened {
    added: Vec<(Key, String, Vec<TcpListener>)>,
    removed: Vec<Key>,
}

impl Server {
    /// Starts the workers with the first snapshot. They accept nothing yet.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn start(estate: Arc<Estate>, workers: usize, snapshot: Snapshot) -> std::io::Result<Self> {
        estate.reserve.take();
        let snapshot = Arc::new(snapshot);
        estate.adopt(&snapshot);
        estate.publish(Arc::clone(&snapshot));
        let mut running = Vec::with_capacity(workers);
        for index in 0..workers {
            let (commands, receiver) = mpsc::unbounded_channel();
            let (estate, snapshot) = (Arc::clone(&estate), Arc::clone(&snapshot));
            let work = move || {
                worker_loop::run(index, estate, snapshot, receiver).unwrap_or_else(|error| {
                    tracing::error!(%error, index, "a worker could not start");
                    0
                })
            };
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .stack_size(STACK)
                .spawn(work)?;
            running.push(Running { commands, thread });
        }
        Ok(Self {
            estate,
            workers: running,
            sockets: BTreeMap::new(),
            next_key: 0,
        })
    }

    /// Binds the addresses of the configuration that are not bound yet. Until
    /// [`Self::publish`], nothing is accepted there, and no other socket is closed.
    ///
    /// # Errors
    /// All addresses that cannot be bound, each at its place. Nothing has changed then.
    pub fn open(&self, loaded: &Loaded) -> Result<Opened, Diagnostics> {
        let mut found = Diagnostics::new(loaded.sources.clone());
        let mut added = Vec::new();
        let mut wanted = Vec::new();
        for (name, listener) in &loaded.config.listeners {
            let place = self.estate.listener_place(name);
            for address in listener.address.iter() {
                let key = (place, configured(address.value));
                wanted.push(key);
                if self.sockets.contains_key(&key) {
                    continue;
                }
                match self.bind(key, address.value) {
                    Ok(sockets) => added.push((key, name.clone(), sockets)),
                    Err(error) => found.push(
                        Diagnostic::error(
                            address.span,
                            format!("cannot listen on this address: {error}"),
                        )
                        .help(advice(error.kind())),
                    ),
                }
            }
        }
        if found.has_errors() {
            return Err(found);
        }
        let removed = self
            .sockets
            .keys()
            .filter(|key| !wanted.contains(key))
            .copied()
            .collect();
        Ok(Opened { added, removed })
    }

    /// Publishes a snapshot for new requests, and applies the changes to the listening
    /// sockets.
    pub fn publish(&mut self, snapshot: Option<Snapshot>, opened: Opened) {
        if let Some(snapshot) = snapshot {
            self.estate.adopt(&snapshot);
            self.hand_out(snapshot);
        }
        for key in opened.removed {
            if let Some(bound) = self.sockets.remove(&key) {
                self.send_all(|_| Command::Unlisten { key: bound.number });
            }
        }
        for (key, listener, sockets) in opened.added {
            let number = self.next_key;
            self.next_key += 1;
            let Some(local) = sockets.first().and_then(|socket| socket.local_addr().ok()) else {
                continue;
            };
            tracing::info!(listener, address = %local, "listening");
            self.sockets.insert(
                key,
                Bound {
                    number,
                    local,
                    listener,
                },
            );
            for (running, socket) in self.workers.iter().zip(sockets) {
                let listen = Command::Listen {
                    key: number,
                    listener: key.0,
                    socket,
                };
                let _ = running.commands.send(listen);
            }
        }
        self.sweep(|_| true);
    }

    /// Publishes another snapshot of the published configuration, which has other endpoints.
    pub fn publish_endpoints(&self, snapshot: Snapshot) {
        self.hand_out(snapshot);
        // The others are dropped at reloads, of which there are fewer: their last counts are
        // still to be scraped.
        self.sweep(|labels| labels.starts_with(&["upstream", "endpoint"]));
    }

    /// Publishes a snapshot, and waits until the workers use it.
    fn hand_out(&self, snapshot: Snapshot) {
        self.estate.publish(Arc::new(snapshot));
        let (done, taken) = std::sync::mpsc::channel();
        self.send_all(|_| Command::Refresh(done.clone()));
        for _ in &self.workers {
            // A worker may be in a long policy call, so the wait has a limit.
            if taken.recv_timeout(REFRESH_TIMEOUT).is_err() {
                tracing::warn!("a worker has not taken over the new configuration yet");
            }
        }
    }

    /// Ends those series of what is configured no more whose labels concern this sweep.
    fn sweep(&self, concerns: impl Fn(&[&str]) -> bool) {
        if let Some(snapshot) = self.estate.snapshot() {
            let listeners = self.sockets.values().map(|bound| bound.listener.as_str());
            let configured = snapshot.configured(listeners);
            let is_configured = |labels: &[&str], values: &[Box<str>]| {
                !concerns(labels) || configured.has(labels, values)
            };
            self.estate.metrics.sweep(is_configured);
        }
    }

    /// Sets where the access log is written; none disables it.
    pub fn log(&self, log: Option<(&Sink, Format)>) {
        self.send_all(|index| {
            Command::Log(log.map(|(sink, format)| AccessLog::new(sink.clone(), format, index)))
        });
    }

    /// The names of the listeners and the addresses they are bound to.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.sockets
            .values()
            .map(|bound| (bound.listener.as_str(), bound.local))
    }

    /// Stops accepting connections, waits at most `patience` for the requests in flight, and
    /// aborts the others.
    pub fn drain(self, patience: Duration) {
        self.send_all(|_| Command::Drain(patience));
        let mut requests = 0;
        for running in self.workers {
            match running.thread.join() {
                Ok(aborted) => requests += aborted,
                Err(_) => tracing::error!("a worker ended in a panic"),
            }
        }
        if requests > 0 {
            tracing::warn!(
                requests,
                drain_timeout = ?patience,
                "`drain_timeout` was over, requests were cut off"
            );
        }
    }

    fn bind(&self, key: Key, address: ListenAddress) -> std::io::Result<Vec<TcpListener>> {
        // This process may listen on the address already, for another listener.
        let is_own = self.sockets.keys().any(|(_, bound)| *bound == key.1);
        if is_own {
            return listen::share(address, self.workers.len());
        }
        listen::bind(address, self.workers.len())
    }

    fn send_all(&self, command: impl Fn(usize) -> Command) {
        for (index, running) in self.workers.iter().enumerate() {
            let _ = running.commands.send(command(index));
        }
    }
}

fn configured(address: ListenAddress) -> Configured {
    match address {
        ListenAddress::Socket(address) => Configured::Socket(address),
        ListenAddress::BothFamilies { port } => Configured::BothFamilies(port),
    }
}

fn advice(kind: std::io::ErrorKind) -> &'static str {
    match kind {
        std::io::ErrorKind::AddrInUse => "another process listens there; `ss -ltnp` shows which",
        std::io::ErrorKind::AddrNotAvailable => "no interface of this machine has the address",
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need the capability CAP_NET_BIND_SERVICE"
        }
        _ => "the reason is that of the operating system",
    }
}
