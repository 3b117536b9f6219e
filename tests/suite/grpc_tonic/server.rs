//! A server of tonic with the methods of `tests/grpc/server.py`, and some that only tests of the
//! gateway need.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use http::{Request as HttpRequest, Response as HttpResponse};
use janua_tests::Issued;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::{AsciiMetadataKey, BinaryMetadataKey, KeyAndValueRef, MetadataMap};
use tonic::server::Grpc;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::service_fn;

use super::codec::BytesCodec;

/// The size of a message of the method `Flood`.
pub(crate) const FLOOD: usize = 64 * 1024;

/// A server on a free port, which runs until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: AbortHandle,
}

/// What calls have done so far.
#[derive(Debug)]
struct Seen {
    /// Shared with each call of `Sleep` and `Flood` that goes on.
    in_progress: Arc<()>,
    flooded: AtomicUsize,
    held: Semaphore,
    /// What the health protocol answers about the service `shop.Orders`.
    health: AtomicU8,
}

type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
type Answer<T> = Result<Response<T>, Status>;

impl Server {
    /// Starts without TLS.
    pub(crate) fn start() -> Self {
        Self::run(tonic::transport::Server::builder())
    }

    /// Starts with TLS, and selects HTTP/2 by ALPN.
    pub(crate) fn start_tls(issued: &Issued) -> Self {
        let identity = Identity::from_pem(issued.pem(), issued.key_pem());
        let tls = ServerTlsConfig::new().identity(identity);
        let server = tonic::transport::Server::builder();
        Self::run(server.tls_config(tls).expect("TLS is set up"))
    }

    fn run(server: tonic::transport::Server) -> Self {
        let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let incoming = incoming.with_nodelay(Some(true));
        let address = incoming.local_addr().unwrap();
        let seen = Arc::new(Seen {
            in_progress: Arc::default(),
            flooded: AtomicUsize::new(0),
            held: Semaphore::new(0),
            health: AtomicU8::new(1),
        });
        let service = {
            let seen = Arc::clone(&seen);
            service_fn(move |request| answer(request, Arc::clone(&seen)))
        };
        // A stream that is not read leaves room for others.
        let server = server
            .initial_stream_window_size(64 * 1024)
            .initial_connection_window_size(1024 * 1024);
        let running = server.serve_with_incoming(service, incoming);
        Self {
            address,
            seen,
            task: tokio::spawn(running).abort_handle(),
        }
    }

    /// The address.
    pub(crate) fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// The calls of `Sleep` and `Flood` that go on.
    pub(crate) fn in_progress(&self) -> usize {
        Arc::strong_count(&self.seen.in_progress) - 1
    }

    /// The messages that have been taken from all calls of `Flood`.
    pub(crate) fn flooded(&self) -> usize {
        self.seen.flooded.load(SeqCst)
    }

    /// Answers from now on with this status when it is asked about the service `shop.Orders` by
    /// the health protocol; 1 is `SERVING`.
    pub(crate) fn set_health(&self, status: u8) {
        self.seen.health.store(status, SeqCst);
    }

    /// Lets a call of `Hold` read its messages.
    pub(crate) fn release(&self) {
        self.seen.held.add_permits(1);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    request: HttpRequest<Body>,
    seen: Arc<Seen>,
) -> Result<HttpResponse<Body>, Infallible> {
    let mut grpc = Grpc::new(BytesCodec)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let path = request.uri().path().to_owned();
    if path == "/grpc.health.v1.Health/Check" {
        let health = service_fn(|request| health(request, Arc::clone(&seen)));
        return Ok(grpc.unary(health, request).await);
    }
    Ok(match path.strip_prefix("/test.Test/").unwrap_or_default() {
        "Unary" | "Compressed" => grpc.unary(service_fn(unary), request).await,
        "Remaining" => grpc.unary(service_fn(remaining), request).await,
        "Fail" => grpc.unary(service_fn(fail), request).await,
        "Metadata" => grpc.server_streaming(service_fn(metadata), request).await,
        "Collect" => grpc.client_streaming(service_fn(collect), request).await,
        "Hold" => {
            let hold = service_fn(|request| hold(request, Arc::clone(&seen)));
            grpc.client_streaming(hold, request).await
        }
        "Count" => grpc.server_streaming(service_fn(count), request).await,
        "Flood" => {
            let flood = service_fn(|request| flood(request, Arc::clone(&seen)));
            grpc.server_streaming(flood, request).await
        }
        "Echo" => grpc.streaming(service_fn(echo), request).await,
        "FailStream" => grpc.streaming(service_fn(fail_stream), request).await,
        "Sleep" => {
            let sleep = service_fn(|request| sleep(request, Arc::clone(&seen)));
            grpc.streaming(sleep, request).await
        }
        _ => Status::unimplemented(path).into_http(),
    })
}

/// The method `Check` of the health protocol: the message has the name of a service as its first
/// field, and so has the response its status. Only one service is known.
async fn health(request: Request<Bytes>, seen: Arc<Seen>) -> Answer<Bytes> {
    if request.get_ref()[..] != *b"\x0a\x0bshop.Orders" {
        return Err(Status::not_found("nobody knows this service"));
    }
    let status = seen.health.load(SeqCst);
    Ok(Response::new(Bytes::copy_from_slice(&[8, status])))
}

async fn unary(request: Request<Bytes>) -> Answer<Bytes> {
    Ok(Response::new(request.into_inner()))
}

async fn collect(request: Request<Streaming<Bytes>>) -> Answer<Bytes> {
    let mut messages = request.into_inner();
    let mut all = Vec::new();
    while let Some(message) = messages.message().await? {
        all.extend(message);
    }
    Ok(Response::new(all.into()))
}

/// Reads its messages only once it is released, and tells how long they were together.
async fn hold(request: Request<Streaming<Bytes>>, seen: Arc<Seen>) -> Answer<Bytes> {
    let mut messages = request.into_inner();
    seen.held
        .acquire()
        .await
        .expect("it is not closed")
        .forget();
    let mut length = 0;
    while let Some(message) = messages.message().await? {
        length += message.len();
    }
    Ok(Response::new(length.to_string().into()))
}

async fn count(request: Request<Bytes>) -> Answer<Messages> {
    let numbers = tokio_stream::iter(0..number(request.get_ref())?);
    let messages = numbers.map(|number| Ok(number.to_string().into()));
    Ok(Response::new(Box::pin(messages)))
}

/// Sends so many messages of [`FLOOD`] bytes.
async fn flood(request: Request<Bytes>, seen: Arc<Seen>) -> Answer<Messages> {
    let message = Bytes::from(vec![b'x'; FLOOD]);
    let numbers = tokio_stream::iter(0..number(request.get_ref())?);
    let in_progress = Arc::clone(&seen.in_progress);
    let messages = numbers.map(move |_| {
        let _ = &in_progress;
        seen.flooded.fetch_add(1, SeqCst);
        Ok(message.clone())
    });
    Ok(Response::new(Box::pin(messages)))
}

async fn echo(request: Request<Streaming<Bytes>>) -> Answer<Messages> {
    Ok(Response::new(Box::pin(request.into_inner())))
}

/// Sends each message back, and then sleeps for the seconds that it names.
async fn sleep(request: Request<Streaming<Bytes>>, seen: Arc<Seen>) -> Answer<Messages> {
    let mut messages = request.into_inner();
    let (sender, receiver) = mpsc::channel(1);
    let in_progress = Arc::clone(&seen.in_progress);
    tokio::spawn(async move {
        let _in_progress = in_progress;
        while let Ok(Some(message)) = messages.message().await {
            let seconds = number(&message).map(Duration::from_secs);
            let _ = sender.send(seconds.clone().map(|_| message)).await;
            tokio::select! {
                () = tokio::time::sleep(seconds.unwrap_or_default()) => {}
                () = sender.closed() => return,
            }
        }
    });
    Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
}

/// Fails with the code and the text of the message.
async fn fail(request: Request<Bytes>) -> Answer<Bytes> {
    let text = String::from_utf8_lossy(request.get_ref()).into_owned();
    let (code, message) = text.split_once(' ').unwrap_or((&text, ""));
    let code = code.parse().map_or(Code::InvalidArgument, Code::from_i32);
    Err(Status::new(code, message))
}

/// The same after the head of the response.
async fn fail_stream(request: Request<Streaming<Bytes>>) -> Answer<Messages> {
    let mut messages = request.into_inner();
    let first = messages.message().await?.unwrap_or_default();
    let failed = fail(Request::new(first)).await;
    let failed = tokio_stream::once(failed.map(Response::into_inner));
    Ok(Response::new(Box::pin(failed)))
}

/// Sends what begins with `x-` back in the head, and with another name in the trailers. A success
/// of tonic has no trailers of its own, but a status with the code OK has.
async fn metadata(request: Request<Bytes>) -> Answer<Messages> {
    let mut head = MetadataMap::new();
    let mut trailers = MetadataMap::new();
    for entry in request.metadata().iter() {
        match entry {
            KeyAndValueRef::Ascii(key, value) if key.as_str().starts_with("x-") => {
                let back = format!("{key}-back");
                trailers.append(back.parse::<AsciiMetadataKey>().unwrap(), value.clone());
                head.append(key.clone(), value.clone());
            }
            KeyAndValueRef::Binary(key, value) if key.as_str().starts_with("x-") => {
                let back = key.as_str().replace("-bin", "-back-bin");
                trailers.append_bin(back.parse::<BinaryMetadataKey>().unwrap(), value.clone());
                head.append_bin(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    let end = Status::with_metadata(Code::Ok, "", trailers);
    let messages = tokio_stream::iter([Ok(request.into_inner()), Err(end)]);
    let mut response: Response<Messages> = Response::new(Box::pin(messages));
    *response.metadata_mut() = head;
    Ok(response)
}

/// The seconds that the client still waits.
async fn remaining(request: Request<Bytes>) -> Answer<Bytes> {
    let timeout = request.metadata().get("grpc-timeout");
    let text = timeout.and_then(|value| value.to_str().ok());
    let (digits, unit) = text.map_or(("0", "S"), |text| text.split_at(text.len() - 1));
    let count: u64 = digits.parse().unwrap_or_default();
    let seconds = match unit {
        "H" => count * 3600,
        "M" => count * 60,
        "S" => count,
        "m" => count / 1000,
        "u" => count / 1_000_000,
        _ => count / 1_000_000_000,
    };
    Ok(Response::new(seconds.to_string().into()))
}

fn number(message: &[u8]) -> Result<u64, Status> {
    let text = std::str::from_utf8(message).ok();
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| Status::invalid_argument("not a number"))
}
