//! The TLS handshake with a client: chooses certificates and settings by the name that the
//! client asks for.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use janua_tls::{Selection, Site, suites};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::rustls::{self, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use tokio_rustls::server::TlsStream;

use crate::acme::{Acme, NoCertificate, OnDemand, is_of_authority};
use crate::tls_facts::TlsFacts;

/// The first byte of a ClientHello: a record of the type `handshake` (RFC 8446 §5.1).
const HANDSHAKE_RECORD: u8 = 22;
/// The fatal alert `unrecognized_name` (RFC 6066 §3) as a record. The handshake has not chosen
/// a version yet, so that the record names TLS 1.2, as all versions accept.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
/// The fatal alert `internal_error` (RFC 8446 §6.2).
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];
/// How much of a cleartext request is read before the connection is closed, and how long that
/// may take: unread bytes would turn the close into a reset, which destroys the response.
const CLEARTEXT_READ: usize = 64 * 1024;
const CLEARTEXT_PATIENCE: Duration = Duration::from_secs(1);

/// How many handshakes of a worker are computed before its other tasks run. One takes some
/// hundred microseconds, as much as many requests.
const AT_ONCE: usize = 4;

/// Who may compute a handshake. Without turns, thousands of clients that send their ClientHellos
/// at once would keep a worker from those that are connected until all are answered.
#[derive(Debug)]
pub(crate) struct HandshakeTurns(Semaphore);

impl Default for HandshakeTurns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl HandshakeTurns {
    /// Runs `compute`, which does not wait, when it is its turn.
    async fn take<T>(&self, compute: impl FnOnce() -> T) -> T {
        // It is never closed.
        let turn = self.0.acquire().await;
        let result = compute();
        // Until the tasks that are ready by now have run. `yield_now` of tokio would also wait
        // until the runtime has looked for new events.
        let mut has_waited = false;
        poll_fn(|context| {
            if std::mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        drop(turn);
        result
    }
}

/// The TLS settings of a listener.
#[derive(Debug)]
pub(crate) struct ListenerTls {
    pub(crate) selection: Selection,
    pub(crate) timeout: Duration,
    /// The names of the snapshot's sites. A site's identifier in `selection` is its index.
    pub(crate) site_names: Box<[Arc<str>]>,
    /// How each of these sites orders certificates that are not there yet, if it does.
    pub(crate) on_demand: Box<[Option<OnDemand>]>,
}

/// A connection whose handshake is complete.
pub(crate) enum Accepted {
    /// Its requests are to be answered.
    Client(Box<(TlsStream<TcpStream>, TlsFacts)>),
    /// An authority has checked a name, which is all that it wants.
    Authority,
}

/// Why a handshake failed, by its reason in metrics.
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// It was not complete in time.
    Timeout,
    /// The client has sent a request in cleartext.
    Cleartext,
    /// No site has the name that the client asks for, and there is no default site.
    UnknownName(Box<str>),
    /// The name that the client asks for has no certificate, and gets none now.
    NoCertificate(Box<str>, NoCertificate),
    /// The client has no certificate, or one that is not accepted.
    ClientCertificate(rustls::Error),
    /// The client and the gateway have no version, cipher suite or protocol in common, or one
    /// of them sent an alert.
    Refused(rustls::Error),
    /// The connection ended or failed.
    Connection(io::Error),
}

impl HandshakeError {
    /// The reason in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Cleartext => "cleartext",
            Self::UnknownName(_) => "unknown_name",
            Self::NoCertificate(..) => "no_certificate",
            Self::ClientCertificate(_) => "client_certificate",
            Self::Refused(_) => "refused",
            Self::Connection(_) => "connection",
        }
    }
}

impl std::fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Timeout => f.write_str("it was not complete in time"),
            Self::Cleartext => f.write_str("the client has sent a request in cleartext"),
            Self::UnknownName(name) if name.is_empty() => {
                f.write_str("the client names no host, and there is no default site with TLS")
            }
            Self::UnknownName(name) => write!(f, "no site with TLS has the name {name:?}"),
            Self::NoCertificate(name, NoCertificate::NotPermitted) => {
                write!(f, "the name {name:?} may not have a certificate")
            }
            Self::NoCertificate(name, NoCertificate::Failed) => {
                write!(f, "there is no certificate for the name {name:?} yet")
            }
            Self::ClientCertificate(error) | Self::Refused(error) => write!(f, "{error}"),
            Self::Connection(error) => write!(f, "the connection was lost: {error}"),
        }
    }
}

/// Performs the handshake.
///
/// # Errors
/// It fails, or is not complete in time. The client has been told why where that is possible.
pub(crate) async fn accept(
    stream: TcpStream,
    tls: &ListenerTls,
    turns: &HandshakeTurns,
    acme: &Acme,
) -> Result<Accepted, HandshakeError> {
    let accepted = tokio::time::timeout(tls.timeout, accept_hello(stream, tls, turns, acme)).await;
    accepted.unwrap_or(Err(HandshakeError::Timeout))
}

async fn accept_hello(
    mut stream: TcpStream,
    tls: &ListenerTls,
    turns: &HandshakeTurns,
    acme: &Acme,
) -> Result<Accepted, HandshakeError> {
    let mut first = [0];
    let seen = stream.peek(&mut first).await;
    if seen.map_err(HandshakeError::Connection)? == 1 && first != [HANDSHAKE_RECORD] {
        refuse_cleartext(&mut stream).await;
        return Err(HandshakeError::Cleartext);
    }
    let acceptor = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let mut hello = acceptor.await.map_err(of_io)?;
    if let Some(config) = acme.for_handshake(&hello.client_hello()) {
        let accepting = turns.take(|| hello.into_stream(config)).await;
        let mut stream = accepting.await.map_err(of_io)?;
        // The authority has seen the certificate.
        let _ = stream.shutdown().await;
        return Ok(Accepted::Authority);
    }
    let name = hello.client_hello().server_name().map(Box::<str>::from);
    // That of an order of somebody else's, which has no use for a certificate.
    let is_of_authority = is_of_authority(&hello.client_hello());
    let (site, config) = match choose(tls, name.as_deref(), &hello.io) {
        Some(chosen) => chosen,
        None => {
            let _ = hello.io.write_all(&UNRECOGNIZED_NAME).await;
            return Err(HandshakeError::UnknownName(name.unwrap_or_default()));
        }
    };
    if let Some(name) = &name
        && !is_of_authority
        && let Some(on_demand) = tls.on_demand.get(site.id()).and_then(Option::as_ref)
        && let Err(why) = acme.obtain(name, on_demand).await
    {
        let alert = match why {
            NoCertificate::NotPermitted => UNRECOGNIZED_NAME,
            NoCertificate::Failed => INTERNAL_ERROR,
        };
        let _ = hello.io.write_all(&alert).await;
        return Err(HandshakeError::NoCertificate(name.clone(), why));
    }
    // This agrees on keys and signs, before it waits for the client.
    let accepting = turns.take(|| hello.into_stream(config)).await;
    let stream = accepting.await.map_err(of_io)?;
    let facts = facts(stream.get_ref().1, name, site, tls)?;
    // A resumed session is not verified again, and the certificate may have expired since.
    let certificate = facts.certificate.as_ref();
    if certificate.is_some_and(|certificate| !certificate.is_current(unix_now())) {
        return Err(HandshakeError::ClientCertificate(
            rustls::CertificateError::Expired.into(),
        ));
    }
    Ok(Accepted::Client(Box::new((stream, facts))))
}

/// The site for the name that a client sends, and what the handshake is performed with. A
/// client that connects to an address sends no name (RFC 6066 §3); the address then counts.
fn choose(
    tls: &ListenerTls,
    name: Option<&str>,
    stream: &TcpStream,
) -> Option<(Arc<Site>, Arc<ServerConfig>)> {
    if name.is_none()
        && let Ok(local) = stream.local_addr()
    {
        let address = local.ip().to_canonical();
        if let Some(site) = tls.selection.at_address(address) {
            return Some((Arc::clone(site), Arc::clone(site.config_for(address))));
        }
    }
    let site = tls.selection.choose(name)?;
    Some((Arc::clone(site), Arc::clone(site.config())))
}

/// Seconds since 1970.
fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

fn facts(
    connection: &ServerConnection,
    server_name: Option<Box<str>>,
    chosen: Arc<Site>,
    tls: &ListenerTls,
) -> Result<TlsFacts, HandshakeError> {
    let suite = connection.negotiated_cipher_suite();
    let leaf = connection
        .peer_certificates()
        .and_then(|chain| chain.first());
    // Policies must not take a client for one without a certificate because its certificate
    // cannot be understood.
    let certificate = leaf.map(janua_tls::Peer::new).transpose().map_err(|_| {
        HandshakeError::ClientCertificate(rustls::CertificateError::BadEncoding.into())
    })?;
    Ok(TlsFacts {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "1.3",
        },
        cipher_suite: suite
            .and_then(|suite| suites::iana_name(suite.suite()))
            .unwrap_or_default(),
        server_name,
        protocol: connection.alpn_protocol().map(Box::from),
        is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        certificate,
        site: tls.site_names.get(chosen.id()).cloned().unwrap_or_default(),
        chosen,
    })
}

/// Tells a client that has sent a cleartext request what it did, as nginx does.
async fn refuse_cleartext(stream: &mut TcpStream) {
    let body = "This port is for HTTPS, and the request was sent without TLS.\n";
    let response = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    if stream.write_all(response.as_bytes()).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = stream.take(CLEARTEXT_READ as u64);
    let discarded = async { tokio::io::copy(&mut rest, &mut tokio::io::sink()).await };
    let _ = tokio::time::timeout(CLEARTEXT_PATIENCE, discarded).await;
}

fn of_io(error: io::Error) -> HandshakeError {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(
            why @ (rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_)),
        ) => HandshakeError::ClientCertificate(why.clone()),
        Some(why) => HandshakeError::Refused(why.clone()),
        None => HandshakeError::Connection(error),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use tokio::task::{LocalSet, spawn_local};

    use super::*;

    /// Returns once the tasks that are ready by now have run.
    async fn round() {
        HandshakeTurns::default().take(|| ()).await;
    }

    #[tokio::test]
    async fn other_tasks_run_in_between() {
        let run = async {
            let turns = Rc::new(HandshakeTurns::default());
            let computed = Rc::new(Cell::new(0));
            for _ in 0..100 {
                let (turns, computed) = (Rc::clone(&turns), Rc::clone(&computed));
                spawn_local(async move { turns.take(|| computed.set(computed.get() + 1)).await });
            }
            // A task like those that it watches, so that all of them wait in one line.
            let watching = spawn_local(async move {
                let mut before = 0;
                let mut rounds = 0;
                while before < 100 {
                    round().await;
                    assert!(computed.get() - before <= AT_ONCE, "{before}");
                    before = computed.get();
                    rounds += 1;
                    assert!(rounds < 1_000, "they do not get on");
                }
            });
            watching.await.unwrap();
        };
        LocalSet::new().run_until(run).await;
    }
}
