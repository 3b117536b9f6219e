//! The client of the admin socket, used by the command line.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime;
use tokio::time::timeout;

use crate::{
    CacheEntry, CacheStatus, CertificateRequest, CertificateStatus, DeployAnswer, DeployRequest,
    EndpointAnswer, EndpointCommand, PurgeRequest, PurgeSummary, ReloadError, ReloadSummary,
    SplitStatus, SplitWeightRequest, Status, UpstreamList, query,
};

/// The time limit for reading the state.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit for a reload, which may have to compile large components.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// The time limit for purges, which call webhooks, and deploys, which also scan
/// files.
const WORK_TIMEOUT: Duration = Duration::from_secs(300);

/// The time limit for orders of certificates, at several authorities and with records that
/// have to spread in the DNS.
const ORDER_TIMEOUT: Duration = Duration::from_secs(1200);

/// The most bytes accepted as a response; no gateway sends more.
const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;

/// A client of a gateway's admin socket. Its calls block; do not use it on a
/// runtime's thread.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// Why a request failed.
#[derive(Debug)]
pub enum ClientError {
    /// Nothing listens on the socket, or it does not exist.
    NoGateway(PathBuf),
    /// The socket's permissions do not allow this user to connect.
    NotAllowed(PathBuf),
    /// The gateway did not respond in time.
    TimedOut(PathBuf, Duration),
    /// The new configuration was refused; the old one is still live.
    Refused(ReloadError),
    /// The gateway did not carry out the request, for this reason.
    NotDone(String),
    /// The response is not one that this version understands.
    Unexpected(String),
    /// The connection failed.
    Io(io::Error),
}

impl Client {
    /// A client for the gateway whose admin socket is at this path.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The state of the gateway.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn status(&self) -> Result<Status, ClientError> {
        let (status, body) = self.ask(Method::GET, "/status", READ_TIMEOUT)?;
        match status {
            StatusCode::OK => parse(&body),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// The upstreams, their endpoints, and how requests are divided among them.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn upstreams(&self) -> Result<UpstreamList, ClientError> {
        let (status, body) = self.ask(Method::GET, "/upstreams", READ_TIMEOUT)?;
        match status {
            StatusCode::OK => parse(&body),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// Carries out a command about an endpoint.
    ///
    /// # Errors
    /// [`ClientError::NotDone`] if there is no such endpoint.
    pub fn endpoint(&self, command: &EndpointCommand<'_>) -> Result<EndpointAnswer, ClientError> {
        match command {
            EndpointCommand::Drain(request) => self.post("/upstreams/drain", request),
            EndpointCommand::Undrain(request) => self.post("/upstreams/undrain", request),
            EndpointCommand::Weight(request) => self.post("/upstreams/weight", request),
        }
    }

    /// Gives an upstream another weight in the split of a route.
    ///
    /// # Errors
    /// [`ClientError::NotDone`] if there is no such split or upstream.
    pub fn split_weight(&self, request: &SplitWeightRequest) -> Result<SplitStatus, ClientError> {
        self.post("/splits/weight", request)
    }

    /// The certificates of the sites.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn certificates(&self) -> Result<Vec<CertificateStatus>, ClientError> {
        let (status, body) = self.ask(Method::GET, "/certificates", READ_TIMEOUT)?;
        match status {
            StatusCode::OK => parse(&body),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// Makes the gateway reload its configuration, and waits until it is live.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if the configuration was refused.
    pub fn reload(&self) -> Result<ReloadSummary, ClientError> {
        let (status, body) = self.ask(Method::POST, "/reload", RELOAD_TIMEOUT)?;
        match status {
            StatusCode::OK => parse(&body),
            StatusCode::UNPROCESSABLE_ENTITY => Err(ClientError::Refused(parse(&body)?)),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// The metrics in the Prometheus text format.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn metrics(&self) -> Result<String, ClientError> {
        let (status, body) = self.ask(Method::GET, "/metrics", READ_TIMEOUT)?;
        match status {
            StatusCode::OK => Ok(String::from_utf8_lossy(&body).into_owned()),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// Whether the gateway serves requests.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn ready(&self) -> Result<bool, ClientError> {
        let (status, body) = self.ask(Method::GET, "/readyz", READ_TIMEOUT)?;
        match status {
            StatusCode::OK => Ok(true),
            StatusCode::SERVICE_UNAVAILABLE => Ok(false),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// Purges the cache, and waits for the webhooks.
    ///
    /// # Errors
    /// [`ClientError::NotDone`] if nothing was purged.
    pub fn purge(&self, request: &PurgeRequest) -> Result<PurgeSummary, ClientError> {
        self.post("/cache/purge", request)
    }

    /// The state of the cache.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn cache(&self) -> Result<CacheStatus, ClientError> {
        let (status, body) = self.ask(Method::GET, "/cache", READ_TIMEOUT)?;
        outcome(status, &body)
    }

    /// All responses stored for a URL.
    ///
    /// # Errors
    /// [`ClientError::NotDone`] if it is not a URL.
    pub fn cache_entries(&self, url: &str) -> Result<Vec<CacheEntry>, ClientError> {
        let path = format!("/cache/entry?url={}", query::encode(url));
        let (status, body) = self.ask(Method::GET, &path, WORK_TIMEOUT)?;
        outcome(status, &body)
    }

    /// Has a new certificate ordered for a name, and waits for it.
    ///
    /// # Errors
    /// [`ClientError::NotDone`] if there is none.
    pub fn renew_certificate(&self, name: &str) -> Result<String, ClientError> {
        self.certificate("/certificates/renew", name)
    }

    /// Has a certificate replaced and revoked.
    ///
    /// # Errors
    /// [`ClientError::NotDone`] if it was not.
    pub fn revoke_certificate(&self, name: &str) -> Result<String, ClientError> {
        self.certificate("/certificates/revoke", name)
    }

    fn certificate(&self, path: &str, name: &str) -> Result<String, ClientError> {
        let request = CertificateRequest {
            name: name.to_owned(),
        };
        let body = serde_json::to_vec(&request)
            .map_err(|error| ClientError::Unexpected(error.to_string()))?;
        let (status, body) = self.send(Method::POST, path, body.into(), ORDER_TIMEOUT)?;
        outcome(status, &body)
    }

    /// Carries out a step of a deploy.
    ///
    /// # Errors
    /// [`ClientError::NotDone`] if that is not possible.
    pub fn deploy(&self, request: &DeployRequest) -> Result<DeployAnswer, ClientError> {
        self.post("/deploy", request)
    }

    fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| ClientError::Unexpected(error.to_string()))?;
        let (status, body) = self.send(Method::POST, path, body.into(), WORK_TIMEOUT)?;
        outcome(status, &body)
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        self.send(method, path, Bytes::new(), patience)
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ClientError::Io)?;
        runtime.block_on(async {
            timeout(patience, self.exchange(method, path, body))
                .await
                .unwrap_or_else(|_| Err(ClientError::TimedOut(self.socket.clone(), patience)))
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let stream =
            UnixStream::connect(&self.socket)
                .await
                .map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                        ClientError::NoGateway(self.socket.clone())
                    }
                    io::ErrorKind::PermissionDenied => ClientError::NotAllowed(self.socket.clone()),
                    _ => ClientError::Io(error),
                })?;
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "janua")
            .body(Full::new(body))
            .map_err(|error| ClientError::Unexpected(error.to_string()))?;
        let exchange = async {
            let response = requests.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES);
            let body = body
                .collect()
                .await
                .map_err(|error| ClientError::Io(io::Error::other(error)))?;
            Ok((status, body.to_bytes()))
        };
        // An error of the connection is also returned by the exchange.
        let (exchanged, _) = tokio::join!(exchange, connection);
        exchanged
    }
}

fn broken(error: hyper::Error) -> ClientError {
    ClientError::Io(io::Error::other(error))
}

/// Parses the response to a request that may be refused with one line of text.
fn outcome<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, ClientError> {
    match status {
        StatusCode::OK => parse(body),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => {
            let words = String::from_utf8_lossy(body);
            Err(ClientError::NotDone(words.trim_end().to_owned()))
        }
        _ => Err(unexpected(status, body)),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Unexpected(error.to_string()))
}

fn unexpected(status: StatusCode, body: &[u8]) -> ClientError {
    let body = String::from_utf8_lossy(body);
    let line: String = body
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    ClientError::Unexpected(format!("{status}: {line}"))
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::NoGateway(socket) => write!(
                f,
                "no gateway answers on {}: is it running? use --admin to name its socket",
                socket.display()
            ),
            ClientError::NotAllowed(socket) => write!(
                f,
                "this user may not use {}: its mode and group are set in the configuration",
                socket.display()
            ),
            ClientError::TimedOut(socket, patience) => write!(
                f,
                "the gateway on {} did not answer within {} s",
                socket.display(),
                patience.as_secs()
            ),
            ClientError::Refused(refused) => {
                write!(
                    f,
                    "{}\nthe old configuration stays live",
                    refused.rendered.trim_end()
                )
            }
            ClientError::NotDone(why) => f.write_str(why),
            ClientError::Unexpected(what) => write!(
                f,
                "the answer was not understood; is the gateway of the same version? {what}"
            ),
            ClientError::Io(error) => write!(f, "the connection to the gateway failed: {error}"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Io(error) => Some(error),
            _ => None,
        }
    }
}
