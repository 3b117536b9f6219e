//! One check of one endpoint: connects as requests do, asks, and judges the response.

use janua_upstream::{Address, Connection, Endpoint};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::check::{Check, Probe, Protocol, Reach};
use crate::failure::{Unsuccessful, fault, of_connect, of_tls};
use crate::{grpc, http1, http2};

/// Carries out a check, within its time limit.
pub(crate) async fn check(check: &Check, endpoint: &Endpoint) -> Result<(), Unsuccessful> {
    let deadline = Instant::now() + check.timing.timeout;
    // A name that has never been looked up may be about to be.
    let _ = timeout_at(deadline, endpoint.answered()).await;
    let left = deadline.duration_since(Instant::now());
    let connected = endpoint.connect_for_check(left, check.reach.port).await;
    let connection = connected.map_err(of_connect)?;
    let late = |words: &str| Unsuccessful::from(fault("timeout", words));
    let begun = timeout_at(deadline, begin(&check.reach, endpoint, connection));
    let stream = match begun.await {
        Ok(begun) => begun?,
        Err(_) => return Err(late("the connection was not ready for a request in time")),
    };
    match timeout_at(deadline, ask(check, endpoint, stream)).await {
        Ok(result) => result,
        Err(_) => Err(late("no complete response in time")),
    }
}

/// A connection that is ready for a request.
enum Stream {
    Clear(Connection),
    Tls(Box<TlsStream<Connection>>),
}

/// Sends the PROXY header and performs the TLS handshake, as far as the upstream wants them.
async fn begin(
    reach: &Reach,
    endpoint: &Endpoint,
    mut connection: Connection,
) -> Result<Stream, Unsuccessful> {
    if let Some(version) = reach.proxy_header {
        let header = janua_proxy_protocol::write(version, None, None);
        let written = connection.write_all(&header).await;
        written.map_err(|error| fault("reset", error.to_string()))?;
    }
    let Some(tls) = &reach.tls else {
        return Ok(Stream::Clear(connection));
    };
    let host = match endpoint.address() {
        Address::Ip(address) => address.ip().to_string(),
        Address::Name { host, .. } | Address::Resolved { host, .. } => host.clone(),
        // As for requests.
        Address::Unix(_) => "localhost".to_owned(),
    };
    let name = tls.server_name(&host);
    let name = name.map_err(|error| fault("tls_handshake", error.to_string()))?;
    let config = match reach.protocol {
        Protocol::Http11 => tls.http1_config(),
        Protocol::Http2 | Protocol::Auto => tls.config(),
    };
    let connector = TlsConnector::from(std::sync::Arc::clone(config));
    let connected = connector.connect(name, connection).await;
    let stream = connected.map_err(|error| of_tls(&error))?;
    Ok(Stream::Tls(Box::new(stream)))
}

async fn ask(check: &Check, endpoint: &Endpoint, stream: Stream) -> Result<(), Unsuccessful> {
    match stream {
        Stream::Clear(stream) => {
            let is_http2 = check.reach.protocol == Protocol::Http2;
            ask_on(check, endpoint, stream, is_http2, "http").await
        }
        Stream::Tls(stream) => {
            let selects_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let demands_http2 =
                check.reach.protocol == Protocol::Http2 || matches!(check.probe, Probe::Grpc(_));
            if demands_http2 && !selects_http2 && check.probe != Probe::Tcp {
                return Err(fault("no_http2", "it did not select `h2` by ALPN").into());
            }
            ask_on(check, endpoint, stream, selects_http2, "https").await
        }
    }
}

async fn ask_on(
    check: &Check,
    endpoint: &Endpoint,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    scheme: &'static str,
) -> Result<(), Unsuccessful> {
    let authority = authority(endpoint.address(), check.reach.port);
    match &check.probe {
        Probe::Tcp => {}
        Probe::Http(request) if is_http2 => {
            http2::ask(stream, request, &authority, scheme).await?;
        }
        Probe::Http(request) => http1::ask(stream, request, &authority).await?,
        Probe::Grpc(call) => {
            let timeout = check.timing.timeout;
            grpc::ask(stream, call, &authority, scheme, timeout).await?;
        }
    }
    Ok(())
}

/// The address as `Host`, which is that of the endpoint, with the port of the check.
fn authority(address: &Address, port: Option<u16>) -> String {
    match (address, port) {
        // The path of a Unix socket is not a valid `Host`.
        (Address::Unix(_), _) => "localhost".to_owned(),
        (Address::Ip(address), Some(port)) => {
            std::net::SocketAddr::new(address.ip(), port).to_string()
        }
        (Address::Name { host, .. } | Address::Resolved { host, .. }, Some(port)) => {
            format!("{host}:{port}")
        }
        (address, None) => address.named().unwrap_or_else(|| address.to_string()),
    }
}
