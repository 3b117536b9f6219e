//! Stand-in servers for upstreams.

mod port;
mod serve;
mod vacant;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::background;
use crate::eventually;
use crate::message::{ReadError, Received, Reply};
use crate::tls::{Handshake, OverTls, TlsError, TlsServer};
use crate::transport::Transport;
use crate::wire::Wire;
pub use port::Port;
pub(crate) use serve::echo;
pub use vacant::Vacant;

/// A server on a free port or a Unix socket, which runs until it is dropped.
#[derive(Debug)]
pub struct Upstream {
    endpoint: Endpoint,
    seen: Arc<Seen>,
    task: AbortHandle,
    /// The port, if it was not chosen by the test.
    port: Option<Port>,
}

/// The address of a server.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// On this port of the loopback address.
    Tcp(SocketAddr),
    /// At this path.
    Unix(std::path::PathBuf),
}

/// One connection to a stand-in server that is controlled by a test's handler.
#[derive(Debug)]
pub struct Visit {
    /// The connection.
    pub wire: Wire,
    /// Its number, from 0.
    pub number: usize,
    seen: Arc<Seen>,
}

/// When a stand-in HTTP server closes its connections.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// It closes a connection without announcement after this many requests.
    pub requests: usize,
    /// It closes a connection that has been idle for this time.
    pub idle: Duration,
}

/// What a server has received so far.
#[derive(Debug, Default)]
struct Seen {
    connections: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<Received>>,
    handshakes: Mutex<Vec<Result<Handshake, TlsError>>>,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            requests: usize::MAX,
            idle: Duration::from_secs(3600),
        }
    }
}

impl Upstream {
    /// Answers with the received request as JSON: `method`, `target`,
    /// `version`, `fields` (a list of pairs as received), `headers` (values by
    /// lower-case name, lines joined), `body`, `framing` and `trailers`.
    pub async fn echo() -> Self {
        Self::http(async |request| serve::echo(&request)).await
    }

    /// The same on a Unix socket.
    pub async fn unix_echo(path: &Path) -> Self {
        let endpoint = Endpoint::Unix(path.to_owned());
        let handler = Arc::new(async |request: Received| serve::echo(&request));
        Self::at(endpoint, move |visit| {
            serve::serve(visit, Habits::default(), Arc::clone(&handler))
        })
        .await
    }

    /// Answers every request with this reply.
    pub async fn always(reply: Reply) -> Self {
        Self::http(move |_| std::future::ready(reply.clone())).await
    }

    /// The same at a given address.
    pub async fn always_at(address: SocketAddr, reply: Reply) -> Self {
        let handler = Arc::new(move |_: Received| std::future::ready(reply.clone()));
        Self::at(Endpoint::Tcp(address), move |visit| {
            serve::serve(visit, Habits::default(), Arc::clone(&handler))
        })
        .await
    }

    /// Answers every request with `at last`, once the sender has `true`.
    pub async fn held() -> (Self, tokio::sync::watch::Sender<bool>) {
        let (release, released) = tokio::sync::watch::channel(false);
        let upstream = Self::http(move |_| {
            let mut released = released.clone();
            async move {
                let _ = released.wait_for(|released| *released).await;
                Reply::ok("at last")
            }
        });
        (upstream.await, release)
    }

    /// Answers with the replies of `handler`.
    pub async fn http<F, R>(handler: F) -> Self
    where
        F: Fn(Received) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        Self::http_with(Habits::default(), handler).await
    }

    /// Answers with the replies of `handler`, and closes connections as
    /// `habits` describes.
    pub async fn http_with<F, R>(habits: Habits, handler: F) -> Self
    where
        F: Fn(Received) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::raw(move |visit| serve::serve(visit, habits, Arc::clone(&handler))).await
    }

    /// Answers over TLS with the received request as JSON, like [`Self::echo`].
    pub async fn tls_echo(tls: TlsServer) -> Self {
        Self::tls_http(tls, async |request| serve::echo(&request)).await
    }

    /// Answers over TLS with the replies of `handler`.
    pub async fn tls_http<F, R>(tls: TlsServer, handler: F) -> Self
    where
        F: Fn(Received) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::tls_raw(tls, move |visit| {
            serve::serve(visit, Habits::default(), Arc::clone(&handler))
        })
        .await
    }

    /// Runs `handler` for each connection, after the TLS handshake.
    pub async fn tls_raw<F, R>(tls: TlsServer, handler: F) -> Self
    where
        F: Fn(Visit) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::listening(any_port(), Some(tls), handler).await
    }

    /// Accepts a request on each connection and never answers until the
    /// connection is closed. A body is read if it arrives.
    pub async fn silent() -> Self {
        Self::raw(|mut visit: Visit| async move {
            if let Ok(head) = visit.wire.receive_request_head().await {
                visit.seen.requests.lock().unwrap().push(head);
                let _ = visit.wire.take_rest().await;
            }
        })
        .await
    }

    /// Runs `handler` for each connection.
    pub async fn raw<F, R>(handler: F) -> Self
    where
        F: Fn(Visit) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::at(any_port(), handler).await
    }

    /// The same at a given address.
    pub async fn at<F, R>(endpoint: Endpoint, handler: F) -> Self
    where
        F: Fn(Visit) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let is_over_tls =
            Transport::of_process() == Transport::Tls && matches!(endpoint, Endpoint::Tcp(_));
        let tls = is_over_tls.then(|| OverTls::get().server().clone());
        Self::listening(endpoint, tls, handler).await
    }

    async fn listening<F, R>(endpoint: Endpoint, tls: Option<TlsServer>, handler: F) -> Self
    where
        F: Fn(Visit) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (endpoint, port) = match endpoint {
            Endpoint::Tcp(address) if address == any_port => {
                let port = Port::reserve();
                (Endpoint::Tcp(port.address()), Some(port))
            }
            other => (other, None),
        };
        let opening = background::runtime().spawn(Listener::open(endpoint.clone()));
        let (listener, endpoint) = opening
            .await
            .expect("the task ends")
            .unwrap_or_else(|error| panic!("listening on {endpoint:?}: {error}"));
        let seen = Arc::new(Seen::default());
        let accepting = accept(listener, tls, Arc::clone(&seen), Arc::new(handler));
        let task = background::runtime().spawn(accepting);
        Self {
            endpoint,
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
        match &self.endpoint {
            Endpoint::Tcp(address) => address.to_string(),
            Endpoint::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        match &self.endpoint {
            Endpoint::Tcp(address) => address.port(),
            Endpoint::Unix(_) => panic!("a Unix socket has no port"),
        }
    }

    /// Connections that have been accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }

    /// Connections that this server has not closed.
    #[must_use]
    pub fn open(&self) -> usize {
        self.seen.open.load(SeqCst)
    }

    /// Requests that were received completely.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The TLS handshakes that were completed.
    #[must_use]
    pub fn handshakes(&self) -> Vec<Handshake> {
        let all = self.seen.handshakes.lock().unwrap();
        all.iter().filter_map(|done| done.clone().ok()).collect()
    }

    /// Why TLS handshakes failed.
    #[must_use]
    pub fn failed_handshakes(&self) -> Vec<TlsError> {
        let all = self.seen.handshakes.lock().unwrap();
        all.iter().filter_map(|done| done.clone().err()).collect()
    }

    /// The number of requests received.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.seen.requests.lock().unwrap().len()
    }

    /// The one request that was received.
    #[must_use]
    pub fn only_request(&self) -> Received {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }
}

impl Drop for Upstream {
    /// Stops listening, and closes the connections, but waits for nothing: see
    /// [`Upstream::stop`].
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Visit {
    /// Receives a request and counts it.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn request(&mut self) -> Result<Received, ReadError> {
        let mut request = self.wire.receive_request().await?;
        request.connection = self.number;
        self.seen.requests.lock().unwrap().push(request.clone());
        Ok(request)
    }
}

/// A closure that uses only one field of a value captures the whole value if
/// its type implements `Drop`, so a visit lasts as long as its handler.
impl Drop for Visit {
    fn drop(&mut self) {
        self.seen.open.fetch_sub(1, SeqCst);
    }
}

impl Listener {
    /// Binds a listener, and returns its address.
    async fn open(endpoint: Endpoint) -> io::Result<(Self, Endpoint)> {
        match endpoint {
            Endpoint::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let endpoint = Endpoint::Tcp(listener.local_addr()?);
                Ok((Self::Tcp(listener), endpoint))
            }
            Endpoint::Unix(path) => {
                Ok((Self::Unix(UnixListener::bind(&path)?), Endpoint::Unix(path)))
            }
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => Ok(Accepted::Tcp(listener.accept().await?.0)),
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// A connection that was accepted.
enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Accepted {
    /// Performs the handshake if the server speaks TLS; none if it fails.
    async fn open(self, tls: Option<TlsServer>, seen: &Seen) -> Option<Wire> {
        match (self, tls) {
            (Self::Tcp(stream), None) => Some(stream.into()),
            (Self::Unix(stream), _) => Some(stream.into()),
            (Self::Tcp(stream), Some(tls)) => {
                let opened = tls.accept(stream).await;
                let done = opened.as_ref().map(|wire| wire.handshake().clone());
                let done = done.map_err(TlsError::of);
                seen.handshakes.lock().unwrap().push(done);
                opened.ok()
            }
        }
    }
}

fn any_port() -> Endpoint {
    Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

/// Accepts connections until it is aborted, which also aborts all visits.
async fn accept<F, R>(listener: Listener, tls: Option<TlsServer>, seen: Arc<Seen>, handler: Arc<F>)
where
    F: Fn(Visit) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let mut visits = JoinSet::new();
    loop {
        let Ok(accepted) = listener.accept().await else {
            continue;
        };
        seen.open.fetch_add(1, SeqCst);
        let number = seen.connections.fetch_add(1, SeqCst);
        let (tls, seen, handler) = (tls.clone(), Arc::clone(&seen), Arc::clone(&handler));
        visits.spawn(async move {
            let Some(mut wire) = accepted.open(tls, &seen).await else {
                seen.open.fetch_sub(1, SeqCst);
                return;
            };
            // Stand-in upstreams wait without a limit; the tests have their own
            // timeouts.
            wire.set_patience(Duration::from_secs(3600));
            handler(Visit { wire, number, seen }).await;
        });
        while visits.try_join_next().is_some() {}
    }
}
