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
use slab::Slab;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinSet, LocalSet};

use crate::accept;
use crate::attempt::Upstreamed;
use crate::clock::Clock;
use crate::estate::Estate;
use crate::exchange::Heads;
use crate::render::Rendered;
use crate::request_id::RequestId;
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
    open: Cell<usize>,
    /// Told when the last connection of a worker that drains is closed.
    emptied: Notify,
    /// Requests of clients that are being worked on.
    pub(crate) requests: Cell<usize>,
    local: RefCell<Rc<LocalSnapshot>>,
    #[allow(
        clippy::vec_box,
        reason = "an exchange holds its heads by their box, which goes back and forth"
    )]
    heads: RefCell<Vec<Box<Heads>>>,
    /// Connections by number, to be woken when the worker drains.
    waiting: RefCell<Slab<Option<Waker>>>,
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
            emptied: Notify::new(),
            requests: Cell::new(0),
            local: RefCell::new(Rc::new(local)),
            heads: RefCell::default(),
            waiting: RefCell::default(),
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
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives heads back.
    pub(crate) fn put_heads(&self, mut heads: Box<Heads>) {
        let mut spare = self.heads.borrow_mut();
        let size = heads.request.fields.capacity() + heads.response.fields.capacity();
        if spare.len() < SPARE_HEADS && size < LARGE_HEAD {
            heads.request.clear();
            heads.response.clear();
            heads.quotas.clear();
            spare.push(heads);
        }
    }

    /// A new identifier.
    pub(crate) fn identifier(&self) -> RequestId {
        RequestId::new(self.random.borrow_mut().u128(..))
    }

    /// A place for a connection's waker.
    pub(crate) fn register(&self) -> usize {
        self.open.set(self.open.get() + 1);
        self.waiting.borrow_mut().insert(None)
    }

    /// A connection waits for a request; false if it should not.
    pub(crate) fn wait(&self, connection: usize, waker: &Waker) -> bool {
        if self.draining.get() {
            return false;
        }
        // A connection is one task, whose waker stays the same.
        if let Some(slot) = self.waiting.borrow_mut().get_mut(connection)
            && !slot.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            *slot = Some(waker.clone());
        }
        true
    }

    /// The connection is gone.
    pub(crate) fn unregister(&self, connection: usize) {
        self.waiting.borrow_mut().try_remove(connection);
        self.open.set(self.open.get().saturating_sub(1));
        if self.open.get() == 0 && self.draining.get() {
            self.emptied.notify_one();
        }
    }

    /// Has connections closed once their request is done, and waits for all of
    /// them.
    async fn drain(&self) {
        self.draining.set(true);
        for waker in self
            .waiting
            .borrow()
            .iter()
            .filter_map(|(_, slot)| slot.as_ref())
        {
            waker.wake_by_ref();
        }
        while self.open.get() > 0 {
            self.emptied.notified().await;
        }
    }
}

/// Runs a worker on this thread until it is drained. Answers how many requests
/// were cut off then.
pub(crate) fn run(
    index: usize,
    estate: Arc<Estate>,
    snapshot: Arc<Snapshot>,
    commands: mpsc::UnboundedReceiver<Command>,
) -> std::io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = LocalSet::new();
    let worker = Rc::new(Worker::new(index, estate, snapshot));
    Ok(tasks.block_on(&runtime, obey(worker, commands)))
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
