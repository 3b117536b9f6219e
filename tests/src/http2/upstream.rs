//! A server of HTTP/2 that stands in for an upstream.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{AbortHandle, JoinSet};

use super::ANY_FRAMES;
use super::stream::Http2Stream;
use crate::background;
use crate::eventually;
use crate::message::{Received, Reply};
use crate::tls::TlsServer;
use crate::upstream::{Port, echo};
use crate::wire::Wire;

/// A server on a free port, which runs until it is dropped: with TLS if it is given what for,
/// otherwise with prior knowledge.
#[derive(Debug)]
pub struct Http2Upstream {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: AbortHandle,
    /// The port, if it was not chosen by the test.
    port: Option<Port>,
}

/// How a server of HTTP/2 treats its clients.
#[derive(Clone, Debug, Default)]
pub struct Http2Habits {
    /// It speaks TLS, and must select `h2` by ALPN: see [`TlsServer::protocols`].
    pub tls: Option<TlsServer>,
    /// It listens at this address; on a free port without it.
    pub address: Option<SocketAddr>,
    /// The most streams at the same time that it announces; no limit without it.
    pub streams: Option<u32>,
    /// The windows of each stream and of the connection, in bytes; 65 535 without it.
    pub window: Option<u32>,
    /// It announces that it takes WebSockets (RFC 8441).
    pub takes_websockets: bool,
}

/// What a server has received so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    connections: AtomicUsize,
    open: AtomicUsize,
    streams: AtomicUsize,
    in_progress: AtomicUsize,
    most_at_once: AtomicUsize,
    pub(super) requests: Mutex<Vec<Received>>,
}

/// What a stream wants done with its connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    GoAway,
    Abort(u32),
    Close,
    Stall,
}

impl Http2Upstream {
    /// Answers with the received request as JSON, like [`crate::Upstream::echo`].
    pub async fn echo() -> Self {
        Self::http(async |request| echo(&request)).await
    }

    /// Answers with the replies of `handler`.
    pub async fn http<F, R>(handler: F) -> Self
    where
        F: Fn(Received) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        Self::http_with(Http2Habits::default(), handler).await
    }

    /// Answers with the replies of `handler`, as `habits` describes.
    pub async fn http_with<F, R>(habits: Http2Habits, handler: F) -> Self
    where
        F: Fn(Received) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::raw_with(habits, move |mut stream| {
            let handler = Arc::clone(&handler);
            async move {
                if let Ok(request) = stream.request().await {
                    let reply = handler(request).await;
                    let _ = stream.reply(&reply).await;
                }
            }
        })
        .await
    }

    /// Runs `handler` for each stream.
    pub async fn raw<F, R>(handler: F) -> Self
    where
        F: Fn(Http2Stream) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::raw_with(Http2Habits::default(), handler).await
    }

    /// Runs `handler` for each stream, on connections as `habits` describes.
    pub async fn raw_with<F, R>(habits: Http2Habits, handler: F) -> Self
    where
        F: Fn(Http2Stream) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let (address, port) = match habits.address {
            Some(address) => (address, None),
            None => {
                let port = Port::reserve();
                (port.address(), Some(port))
            }
        };
        let opening = background::runtime().spawn(TcpListener::bind(address));
        let listener = opening.await.expect("the task ends").expect("a free port");
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let accepting = accept(listener, habits, Arc::clone(&seen), Arc::new(handler));
        let task = background::runtime().spawn(accepting);
        Self {
            address,
            seen,
            task: task.abort_handle(),
            port,
        }
    }

    /// Stops listening and closes the connections, and waits until all of that is done. From then
    /// on its port refuses connections: nobody else gets it.
    pub async fn stop(mut self) {
        self.task.abort();
        // Each task has a share of this, and owns its sockets. Tasks are dropped later than
        // they are aborted.
        let stopped = eventually(async || (Arc::strong_count(&self.seen) == 1).then_some(()));
        assert!(stopped.await.is_some(), "connections stay open");
        if let Some(port) = self.port.take() {
            port.keep();
        }
    }

    /// The address in the form used by the configuration.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that have been accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }

    /// Connections that have not ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.seen.open.load(SeqCst)
    }

    /// Streams that clients have opened.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.seen.streams.load(SeqCst)
    }

    /// Streams whose handler has not ended.
    #[must_use]
    pub fn in_progress(&self) -> usize {
        self.seen.in_progress.load(SeqCst)
    }

    /// The most streams that were in progress at the same time.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.seen.most_at_once.load(SeqCst)
    }

    /// Requests that were received completely.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The one request that was received.
    #[must_use]
    pub fn only_request(&self) -> Received {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }
}

impl Drop for Http2Upstream {
    /// Stops listening, and closes the connections, but waits for nothing: see
    /// [`Http2Upstream::stop`].
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn one_more(count: &'a AtomicUsize) -> (Self, usize) {
        let before = count.fetch_add(1, SeqCst);
        (Self(count), before + 1)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Accepts connections until it is aborted, which also aborts all streams.
async fn accept<F, R>(listener: TcpListener, habits: Http2Habits, seen: Arc<Seen>, handler: Arc<F>)
where
    F: Fn(Http2Stream) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let number = seen.connections.fetch_add(1, SeqCst);
        let (habits, seen, handler) = (habits.clone(), Arc::clone(&seen), Arc::clone(&handler));
        connections.spawn(async move {
            let (counted, _) = Counted::one_more(&seen.open);
            let mut streams = JoinSet::new();
            if let Ok(wire) = open(stream, &habits).await {
                // An error is one of the client, which has been told.
                let _ = serve(wire, &habits, number, &seen, handler, &mut streams).await;
            }
            drop(counted);
            // Those in progress learn that the connection has ended.
            while streams.join_next().await.is_some() {}
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn open(stream: TcpStream, habits: &Http2Habits) -> io::Result<Wire> {
    match &habits.tls {
        None => Ok(stream.into()),
        Some(tls) => tls.accept(stream).await,
    }
}

/// Serves one connection until it ends.
async fn serve<F, R>(
    wire: Wire,
    habits: &Http2Habits,
    number: usize,
    seen: &Arc<Seen>,
    handler: Arc<F>,
    streams: &mut JoinSet<()>,
) -> Result<(), h2::Error>
where
    F: Fn(Http2Stream) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let mut builder = h2::server::Builder::new();
    builder.data_frame_budget(ANY_FRAMES);
    if let Some(most) = habits.streams {
        builder.max_concurrent_streams(most);
    }
    if let Some(size) = habits.window {
        builder
            .initial_window_size(size)
            .initial_connection_window_size(size);
    }
    if habits.takes_websockets {
        builder.enable_connect_protocol();
    }
    let mut connection = builder.handshake(wire.into_stream()).await?;
    let (orders, mut ordered) = unbounded_channel();
    loop {
        let (request, respond) = tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(accepted) => accepted?,
                None => return Ok(()),
            },
            order = next(&mut ordered) => {
                match order {
                    Order::GoAway => connection.graceful_shutdown(),
                    Order::Abort(code) => connection.abrupt_shutdown(code.into()),
                    Order::Close => return Ok(()),
                    Order::Stall => pending().await,
                }
                continue;
            }
        };
        seen.streams.fetch_add(1, SeqCst);
        let orders = orders.clone();
        let stream = Http2Stream::new(request, respond, number, orders, Arc::clone(seen));
        let (seen, handler) = (Arc::clone(seen), Arc::clone(&handler));
        streams.spawn(async move {
            let (_counted, at_once) = Counted::one_more(&seen.in_progress);
            seen.most_at_once.fetch_max(at_once, SeqCst);
            handler(stream).await;
        });
        while streams.try_join_next().is_some() {}
    }
}

async fn next(ordered: &mut UnboundedReceiver<Order>) -> Order {
    match ordered.recv().await {
        Some(order) => order,
        // The connection has a sender itself.
        None => pending().await,
    }
}
