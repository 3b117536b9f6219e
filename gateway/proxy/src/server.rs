//! Starts the workers, and changes what they go by while they run.

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

/// A policy call runs on the worker's stack (WebAssembly takes up to 512 KiB of it).
const STACK: usize = 4 * 1024 * 1024;

/// How long publishing waits for a worker.
const TAKE_OVER: Duration = Duration::from_secs(2);

/// The running workers and their sockets.
pub struct Server {
    estate: Arc<Estate>,
    workers: Vec<Running>,
    sockets: BTreeMap<Key, Bound>,
    next_key: u64,
}

struct Running {
    commands: mpsc::UnboundedSender<Command>,
    /// Gives the requests that were cut off at its end.
    thread: JoinHandle<usize>,
}

/// A listener's place and an address as configured.
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

/// Sockets that are bound and not yet listened on.
pub struct Opened {
    fresh: Vec<(Key, String, Vec<TcpListener>)>,
    gone: Vec<Key>,
}

impl Server {
    /// Starts the workers with the first snapshot. They accept nothing yet.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn start(estate: Arc<Estate>, workers: usize, snapshot: Snapshot) -> std::io::Result<Self> {
        estate.reserve.take();
        let snapshot = Arc::new(snapshot);
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

    /// Binds what the configuration asks for and is not bound yet. Nothing is
    /// accepted and nothing closed before [`Self::publish`].
    ///
    /// # Errors
    /// Every address that cannot be bound, at its place; nothing has changed then.
    pub fn open(&self, loaded: &Loaded) -> Result<Opened, Diagnostics> {
        let mut found = Diagnostics::new(loaded.sources.clone());
        let mut fresh = Vec::new();
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
                    Ok(sockets) => fresh.push((key, name.clone(), sockets)),
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
        let gone = self
            .sockets
            .keys()
            .filter(|key| !wanted.contains(key))
            .copied()
            .collect();
        Ok(Opened { fresh, gone })
    }

    /// Makes a snapshot the one that new requests go by, and its sockets those
    /// that are listened on.
    pub fn publish(&mut self, snapshot: Option<Snapshot>, opened: Opened) {
        if let Some(snapshot) = snapshot {
            self.estate.publish(Arc::new(snapshot));
            let (done, taken) = std::sync::mpsc::channel();
            self.tell(|_| Command::Refresh(done.clone()));
            for _ in &self.workers {
                // A worker in a long policy call is waited for, but not for ever.
                if taken.recv_timeout(TAKE_OVER).is_err() {
                    tracing::warn!("a worker has not taken over the new configuration yet");
                }
            }
        }
        for key in opened.gone {
            if let Some(bound) = self.sockets.remove(&key) {
                self.tell(|_| Command::Unlisten { key: bound.number });
            }
        }
        for (key, listener, sockets) in opened.fresh {
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
        self.estate.metrics.sweep();
    }

    /// Writes the access log there from now on.
    pub fn log(&self, log: Option<(&Sink, Format)>) {
        self.tell(|index| {
            Command::Log(log.map(|(sink, format)| AccessLog::new(sink.clone(), format, index)))
        });
    }

    /// The listeners' names and the addresses that are listened on.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.sockets
            .values()
            .map(|bound| (bound.listener.as_str(), bound.local))
    }

    /// Accepts nothing more, finishes what is on its way, and ends after
    /// `patience` whatever is left.
    pub fn drain(self, patience: Duration) {
        self.tell(|_| Command::Drain(patience));
        let mut requests = 0;
        for running in self.workers {
            match running.thread.join() {
                Ok(cut_off) => requests += cut_off,
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
        // The same address under another listener's name is ours already.
        let ours = self.sockets.keys().any(|(_, bound)| *bound == key.1);
        if ours {
            return listen::share(address, self.workers.len());
        }
        listen::bind(address, self.workers.len())
    }

    fn tell(&self, command: impl Fn(usize) -> Command) {
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
        _ => "the system's words say why",
    }
}
