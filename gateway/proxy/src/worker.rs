//! A worker: one thread, one runtime, its own sockets, pools and instances.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use janua_telemetry::access_log::AccessLog;
use janua_upstream::Pool;
use janua_wasm::WorkerHost;
use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;

use crate::accept;
use crate::clock::Clock;
use crate::estate::Estate;
use crate::exchange::Heads;
use crate::forward::Upstreamed;
use crate::render::Rendered;
use crate::snapshot::{LocalSnapshot, Snapshot};

/// Heads kept for the next requests.
const SPARE_HEADS: usize = 64;
/// A head that grew larger than this is not kept.
const LARGE_HEAD: usize = 16 * 1024;

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

/// What the connections of one worker share.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) estate: Arc<Estate>,
    pub(crate) host: Rc<WorkerHost>,
    pub(crate) pool: RefCell<Pool<Upstreamed>>,
    pub(crate) rendered: RefCell<Rendered>,
    pub(crate) log: RefCell<AccessLog>,
    pub(crate) is_logging: Cell<bool>,
    pub(crate) clock: Clock,
    pub(crate) draining: Cell<bool>,
    /// Open connections.
    pub(crate) open: Cell<usize>,
    local: RefCell<Rc<LocalSnapshot>>,
    heads: RefCell<Vec<Box<Heads>>>,
    /// Connections that wait for a request, to be woken when the worker drains.
    waiting: RefCell<HashMap<u64, Waker>>,
    next_connection: Cell<u64>,
    random: RefCell<fastrand::Rng>,
}

impl Worker {
    fn new(index: usize, estate: Arc<Estate>, snapshot: Arc<Snapshot>) -> Self {
        let host = WorkerHost::new(&estate.runtime);
        let local = LocalSnapshot::new(snapshot, &host, None);
        Self {
            index,
            pool: RefCell::new(Pool::new()),
            rendered: RefCell::default(),
            log: RefCell::new(AccessLog::off()),
            is_logging: Cell::new(false),
            clock: Clock::new(estate.origin),
            draining: Cell::new(false),
            open: Cell::new(0),
            local: RefCell::new(Rc::new(local)),
            heads: RefCell::default(),
            waiting: RefCell::default(),
            next_connection: Cell::new(0),
            random: RefCell::new(fastrand::Rng::new()),
            host,
            estate,
        }
    }

    /// The snapshot that a new request goes by. Changed only by `refresh`, so
    /// it costs a count that no other worker touches.
    pub(crate) fn snapshot(&self) -> Rc<LocalSnapshot> {
        Rc::clone(&self.local.borrow())
    }

    /// Takes over the snapshot that was published last.
    fn refresh(&self) {
        let Some(snapshot) = self.estate.snapshot() else {
            return;
        };
        let previous = self.snapshot();
        if Arc::ptr_eq(&snapshot, &previous.snapshot) {
            return;
        }
        let next = LocalSnapshot::new(snapshot, &self.host, Some(&previous));
        *self.local.borrow_mut() = Rc::new(next);
    }

    /// Heads for an exchange.
    pub(crate) fn take_heads(&self) -> Box<Heads> {
        self.estate.in_flight.add(self.index, 1);
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives heads back.
    pub(crate) fn put_heads(&self, mut heads: Box<Heads>) {
        self.estate.in_flight.add(self.index, -1);
        let mut spare = self.heads.borrow_mut();
        let size = heads.request.fields.capacity() + heads.response.fields.capacity();
        if spare.len() < SPARE_HEADS && size < LARGE_HEAD {
            heads.request.clear();
            heads.response.clear();
            spare.push(heads);
        }
    }

    /// A new identifier: 128 random bits in hexadecimal, as nginx's `$request_id`.
    pub(crate) fn identifier(&self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bits = self.random.borrow_mut().u128(..);
        std::array::from_fn(|_| {
            let digit = DIGITS.get((bits & 15) as usize).copied().unwrap_or(b'0');
            bits >>= 4;
            digit
        })
    }

    /// A number for a connection, and a place for its waker.
    pub(crate) fn register(&self) -> u64 {
        let number = self.next_connection.get();
        self.next_connection.set(number + 1);
        self.open.set(self.open.get() + 1);
        number
    }

    /// A connection waits for a request; false if it should not.
    pub(crate) fn wait(&self, connection: u64, waker: &Waker) -> bool {
        if self.draining.get() {
            return false;
        }
        self.waiting
            .borrow_mut()
            .entry(connection)
            .or_insert_with(|| waker.clone())
            .clone_from(waker);
        true
    }

    /// The connection is gone.
    pub(crate) fn unregister(&self, connection: u64) {
        self.waiting.borrow_mut().remove(&connection);
        self.open.set(self.open.get().saturating_sub(1));
    }

    fn drain(&self) {
        self.draining.set(true);
        for (_, waker) in self.waiting.borrow_mut().drain() {
            waker.wake();
        }
    }
}

/// Runs a worker on this thread until it is drained.
pub(crate) fn run(
    index: usize,
    estate: Arc<Estate>,
    snapshot: Arc<Snapshot>,
    commands: mpsc::UnboundedReceiver<Command>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = LocalSet::new();
    let worker = Rc::new(Worker::new(index, estate, snapshot));
    tasks.block_on(&runtime, obey(worker, commands));
    Ok(())
}

/// Does what the server says, and what has to be done every second.
async fn obey(worker: Rc<Worker>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut sockets: HashMap<u64, Rc<Notify>> = HashMap::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            _ = second.tick() => {
                let now = worker.clock.now();
                worker.pool.borrow_mut().sweep(now.monotonic_ms);
                worker.log.borrow_mut().flush();
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
                    tokio::task::spawn_local(accept::accept(
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
                // The queues are emptied before the connections are told.
                tokio::task::yield_now().await;
                worker.drain();
                let begin = tokio::time::Instant::now();
                while worker.open.get() > 0 && begin.elapsed() < patience {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                break;
            }
            None => break,
        }
    }
    worker.log.borrow_mut().flush();
}
