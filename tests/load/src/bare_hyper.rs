//! A minimal proxy made of hyper, as the lower bound of the cost.
//!
//! It uses one thread with a current-thread runtime, hyper's HTTP/1 server, and a pool of
//! hyper's HTTP/1 client connections. It forwards requests and sets the three forwarding
//! fields as the other contenders do, but has no routes, timeouts, policies or logs, and is
//! incorrect in rare cases. The difference to Janua is the cost of what Janua adds.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

const IDLE_LIMIT: usize = 64;

/// Proxies `address` to `backend` until the process ends.
///
/// # Errors
/// The address cannot be bound.
pub(crate) fn serve(address: SocketAddr, backend: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(address).await.context("bind")?;
        let pool = Rc::new(Pool {
            backend,
            idle: RefCell::default(),
        });
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                continue;
            };
            // If the option is refused, the connection only has the delay of Nagle's algorithm.
            let _ = stream.set_nodelay(true);
            let pool = Rc::clone(&pool);
            spawn_local(async move {
                let forwarded = Forwarded::from(peer.ip());
                let service = service_fn(|request| forward(&pool, &forwarded, request));
                let connection = http1::Builder::new()
                    .header_read_timeout(None)
                    .serve_connection(TokioIo::new(stream), service);
                // Clients that disconnect are no error.
                let _ = connection.await;
            });
        }
    })
}

/// The forwarding fields, which are the same for all requests of a connection.
struct Forwarded {
    address: HeaderValue,
}

impl From<IpAddr> for Forwarded {
    fn from(address: IpAddr) -> Self {
        let text = address.to_string();
        Self {
            address: HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unknown")),
        }
    }
}

async fn forward(
    pool: &Rc<Pool>,
    forwarded: &Forwarded,
    mut request: Request<Incoming>,
) -> anyhow::Result<Response<Pooled>> {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    let fields = request.headers_mut();
    fields.remove(CONNECTION);
    let address = &forwarded.address;
    fields.insert(HeaderName::from_static("x-real-ip"), address.clone());
    fields.insert(HeaderName::from_static("x-forwarded-for"), address.clone());
    let scheme = HeaderValue::from_static("http");
    fields.insert(HeaderName::from_static("x-forwarded-proto"), scheme);

    let mut sender = pool.take().await?;
    let mut response = sender.send_request(request).await?;
    response.headers_mut().remove(CONNECTION);
    Ok(response.map(|body| Pooled {
        body,
        sender: Some(sender),
        pool: Rc::clone(pool),
    }))
}

/// Idle upstream connections; the most recently used one is last.
struct Pool {
    backend: SocketAddr,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

impl Pool {
    async fn take(&self) -> anyhow::Result<SendRequest<Incoming>> {
        while let Some(mut sender) = self.pop() {
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = TcpStream::connect(self.backend).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = Builder::new().handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        Ok(sender)
    }

    fn pop(&self) -> Option<SendRequest<Incoming>> {
        self.idle.borrow_mut().pop()
    }

    fn put(&self, sender: SendRequest<Incoming>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_LIMIT {
            idle.push(sender);
        }
    }
}

/// A response body that returns its connection to the pool at its end.
struct Pooled {
    body: Incoming,
    sender: Option<SendRequest<Incoming>>,
    pool: Rc<Pool>,
}

impl Pooled {
    fn give_back(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.pool.put(sender);
        }
    }
}

impl Body for Pooled {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(_))) if self.body.is_end_stream() => self.give_back(),
            Poll::Ready(None) => self.give_back(),
            // A failed connection is dropped together with its sender.
            Poll::Ready(Some(_)) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // hyper never polls an empty body.
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}
