//! A worker: a thread with its own runtime, sockets, connection pool and policy instances.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use janua_telemetry::access_log::AccessLog;
use janua_upstream::Pool;
use janua_wasm::WorkerHost;
use slab::Slab;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::estate::Estate;
use crate::handshake::HandshakeTurns;
use crate::heads::Heads;
use crate::holds::Holds;
use crate::render::Rendered;
use crate::request_id::RequestId;
use crate::snapshot::{LocalSnapshot, Snapshot};
use crate::upstream_connection::UpstreamConnection;
use crate::upstream_http2::Connections;

/// The most heads that are kept for later requests.
const SPARE_HEADS: usize = 64;
/// Heads with at least this many bytes are not kept.
const LARGE_HEAD: usize = 16 * 1024;

/// The state that the connections of one worker share.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) estate: Arc<Estate>,
    pub(crate) host: Rc<WorkerHost>,
    /// Idle connections of HTTP/1.1 to upstreams.
    pub(crate) pool: RefCell<Pool<Box<UpstreamConnection>>>,
    /// Connections of HTTP/2 to upstreams.
    pub(crate) shared: RefCell<Connections>,
    /// Requests that wait because no endpoint can be reached.
    pub(crate) holds: Rc<Holds>,
    pub(crate) rendered: RefCell<Rendered>,
    pub(crate) log: RefCell<AccessLog>,
    pub(crate) is_logging: Cell<bool>,
    pub(crate) clock: Clock,
    pub(crate) turns: HandshakeTurns,
    pub(crate) draining: Cell<bool>,
    /// Open connections.
    open: Cell<usize>,
    /// Notified when the last connection of a draining worker is closed.
    emptied: Notify,
    /// The number of clients' requests in flight.
    pub(crate) requests: Cell<usize>,
    local: RefCell<Rc<LocalSnapshot>>,
    #[allow(
        clippy::vec_box,
        reason = "an exchange holds its heads by their box, which goes back and forth"
    )]
    heads: RefCell<Vec<Box<Heads>>>,
    /// The wakers of idle connections, by number, to be woken when the worker drains.
    waiting: RefCell<Slab<Option<Waker>>>,
    random: RefCell<fastrand::Rng>,
}

impl Worker {
    pub(crate) fn new(index: usize, estate: Arc<Estate>, snapshot: Arc<Snapshot>) -> Self {
        let host = WorkerHost::new(&estate.runtime);
        let local = LocalSnapshot::new(snapshot, &host, index, None);
        Self {
            index,
            pool: RefCell::new(Pool::new()),
            shared: RefCell::default(),
            holds: Rc::default(),
            rendered: RefCell::default(),
            log: RefCell::new(AccessLog::off()),
            is_logging: Cell::new(false),
            clock: Clock::new(estate.origin),
            turns: HandshakeTurns::default(),
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

    /// The snapshot that a new request uses. It changes only in `refresh`, and its reference
    /// count is local to the worker.
    pub(crate) fn snapshot(&self) -> Rc<LocalSnapshot> {
        Rc::clone(&self.local.borrow())
    }

    /// Switches to the snapshot that was published last.
    pub(crate) fn refresh(&self) {
        let Some(snapshot) = self.estate.snapshot() else {
            return;
        };
        let previous = self.snapshot();
        if Arc::ptr_eq(&snapshot, &previous.snapshot) {
            return;
        }
        let next = LocalSnapshot::new(snapshot, &self.host, self.index, Some(&previous));
        let is_gone = |place| previous.listener(place).is_some() && next.listener(place).is_none();
        let are_gone = (0..previous.snapshot.listeners.len()).any(is_gone);
        *self.local.borrow_mut() = Rc::new(next);
        if are_gone {
            // Their connections are to be closed.
            self.wake_waiting();
        }
    }

    /// Closes idle connections to upstreams that have as many as they may have, and for which
    /// requests wait.
    pub(crate) fn close_waited_for(&self) {
        self.pool.borrow_mut().close_waited_for();
        self.shared.borrow().close_waited_for(None);
    }

    /// Takes heads for an exchange.
    pub(crate) fn take_heads(&self) -> Box<Heads> {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Returns heads for reuse.
    pub(crate) fn put_heads(&self, mut heads: Box<Heads>) {
        let mut spare = self.heads.borrow_mut();
        let size = heads.capacity();
        if spare.len() < SPARE_HEADS && size < LARGE_HEAD {
            heads.request.clear();
            heads.response.clear();
            heads.quotas.clear();
            spare.push(heads);
        }
    }

    /// A new random identifier.
    pub(crate) fn identifier(&self) -> RequestId {
        RequestId::new(self.random())
    }

    /// A random number, which must not be used as a secret.
    pub(crate) fn random(&self) -> u128 {
        self.random.borrow_mut().u128(..)
    }

    /// A random number, which must not be used as a secret.
    pub(crate) fn random_u64(&self) -> u64 {
        self.random.borrow_mut().u64(..)
    }

    /// Registers a connection, and returns its number.
    pub(crate) fn register(&self) -> usize {
        self.open.set(self.open.get() + 1);
        self.waiting.borrow_mut().insert(None)
    }

    /// Registers the waker of a connection that waits for a request; false if the worker is
    /// draining, or the listener is gone, so that the connection is to be closed.
    pub(crate) fn wait(&self, connection: usize, listener: usize, waker: &Waker) -> bool {
        if self.draining.get() || self.local.borrow().listener(listener).is_none() {
            return false;
        }
        // The waker is cloned once: a connection is one task, whose waker stays the same.
        if let Some(slot) = self.waiting.borrow_mut().get_mut(connection)
            && !slot.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            *slot = Some(waker.clone());
        }
        true
    }

    /// Removes a connection that was closed.
    pub(crate) fn unregister(&self, connection: usize) {
        self.waiting.borrow_mut().try_remove(connection);
        self.open.set(self.open.get().saturating_sub(1));
        if self.open.get() == 0 && self.draining.get() {
            self.emptied.notify_one();
        }
    }

    /// Wakes all connections that wait for a request.
    fn wake_waiting(&self) {
        for (_, slot) in self.waiting.borrow().iter() {
            if let Some(waker) = slot {
                waker.wake_by_ref();
            }
        }
    }

    /// Closes each connection after its current request, and waits until all are closed.
    pub(crate) async fn drain(&self) {
        self.draining.set(true);
        self.wake_waiting();
        while self.open.get() > 0 {
            self.emptied.notified().await;
        }
    }
}
