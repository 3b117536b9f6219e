//! What tests of the request path share: a worker with a configuration, whose
//! clients and upstreams are played over streams in memory.
//!
//! Nothing here opens a socket, so that with paused time each wait lasts exactly
//! as long as its deadline says, and no longer than a test takes to run.

mod calling;
pub(crate) mod frames;
mod network;
mod peer;
mod pipe;

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use janua_cache::Cache;
use janua_config::Sources;
use janua_wasm::{Runtime, RuntimeOptions};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

pub(crate) use calling::Calling;
pub(crate) use network::{Listening, connect, leave, listen, swallow};
pub(crate) use peer::{Peer, eventually, settle};
pub(crate) use pipe::{PipeReader, PipeWriter};

use crate::client::Peer as Client;
use crate::compile;
use crate::deadline::Deadline;
use crate::estate::Estate;
use crate::incoming::Incoming;
use crate::life;
use crate::outgoing::Outgoing;
use crate::provision::Bundled;
use crate::responder::Fate;
use crate::session::Session;
use crate::snapshot::LocalUpstream;
use crate::transport::{ReadHalf, WriteHalf};
use crate::wire::{Reader, Writer};
use crate::worker::Worker;

/// How many bytes may wait to be read on a client's connection.
const CAPACITY: usize = 64 * 1024;

/// Runs a test as a worker runs: all tasks on one thread.
pub(crate) async fn run<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

/// Both sides of a connection as the gateway has them, and its other end. In
/// either direction so many bytes may wait to be read.
pub(crate) fn connection(capacity: usize) -> (Incoming, Outgoing, Peer) {
    let [(read, write), theirs] = pipe::stream(capacity);
    let incoming = Incoming::new(Reader::new(ReadHalf::Memory(read)));
    let outgoing = Outgoing::new(Writer::new(WriteHalf::Memory(write)));
    (incoming, outgoing, Peer::new(theirs))
}

/// A worker that goes by a configuration.
pub(crate) struct Kit {
    pub(crate) worker: Rc<Worker>,
    /// The place of the listener `test`.
    listener: usize,
}

impl Kit {
    /// With one route, for all requests, to the upstream `app`. `upstream` and
    /// `route` are lines of their tables, in which the endpoints must stand.
    pub(crate) fn new(upstream: &str, route: &str) -> Self {
        Self::of(&format!(
            "[listeners.test]\naddress = \"127.0.0.1:1\"\n\
             [upstreams.app]\n{upstream}\n\
             [[sites]]\nhosts = [\"*\"]\n\
             [[sites.routes]]\nupstream = \"app\"\n{route}\n"
        ))
    }

    /// With this configuration, which has a listener `test`.
    pub(crate) fn of(configuration: &str) -> Self {
        network::start();
        let sources = Sources::single("janua.toml", configuration);
        let loaded = janua_config::parse(sources).expect("a configuration");
        let runtime = Runtime::new(RuntimeOptions::default()).expect("an engine");
        let options = janua_cache::Options {
            memory_bytes: 16 << 20,
            max_object: 1 << 20,
            disk: None,
        };
        let cache = Cache::open(&options).expect("a cache");
        let estate = Estate::new(runtime, 1, 1000, cache, "unused".into(), None, Vec::new())
            .expect("an estate");
        let bundled = Bundled {
            names: &[],
            component: &|_| None,
        };
        let snapshot = compile(&loaded, &estate, &bundled, None).expect("a snapshot");
        let listener = estate.listener_place("test");
        Self {
            worker: Rc::new(Worker::new(0, Arc::new(estate), Arc::new(snapshot))),
            listener,
        }
    }

    /// The upstream of this configuration.
    pub(crate) fn upstream(&self) -> Rc<LocalUpstream> {
        Rc::clone(&self.worker.snapshot().upstreams[0])
    }

    /// How many connections of HTTP/2 to upstreams there are.
    pub(crate) fn shared(&self) -> usize {
        self.worker.shared.borrow().len()
    }

    /// Lets seconds pass, in each of which the worker looks after its connections.
    pub(crate) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            settle().await;
            tokio::time::advance(Duration::from_secs(1)).await;
            let now = self.worker.clock.now();
            self.worker.shared.borrow_mut().tick(now.instant);
        }
        settle().await;
    }

    /// How many connections to upstreams are kept.
    pub(crate) fn kept(&self) -> usize {
        self.worker.pool.borrow().len()
    }

    /// Both ends of a client's connection, which nobody serves yet.
    pub(crate) fn session(&self) -> (Session, Peer) {
        self.session_with(CAPACITY)
    }

    /// The same; in either direction so many bytes may wait to be read.
    pub(crate) fn session_with(&self, capacity: usize) -> (Session, Peer) {
        let (incoming, outgoing, peer) = connection(capacity);
        let session = Session {
            incoming,
            outgoing,
            deadline: Deadline::new(Duration::from_secs(60)),
            peer: Rc::new(Client::new(SocketAddr::from(([192, 0, 2, 1], 4711)))),
            listener: self.listener,
            requests: 0,
            opened: tokio::time::Instant::now(),
            arrived: None,
        };
        (session, peer)
    }

    /// A client's connection, served until it ends; how it ends.
    pub(crate) fn client(&self) -> (Peer, JoinHandle<Fate>) {
        let (session, peer) = self.session();
        (peer, self.serve(session))
    }

    /// Serves a client's connection until it ends; how it ends.
    pub(crate) fn serve(&self, mut session: Session) -> JoinHandle<Fate> {
        let worker = Rc::clone(&self.worker);
        spawn_local(async move {
            loop {
                match life::run(&mut session, &worker).await {
                    Fate::KeepAlive => {}
                    Fate::Close => return Fate::Close,
                    Fate::Abort => {
                        session.outgoing.writer.reset();
                        return Fate::Abort;
                    }
                }
            }
        })
    }
}
