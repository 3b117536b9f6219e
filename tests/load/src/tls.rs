//! TLS of the measurements: the certificate that all contenders show, and the client's side.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::http2::STREAMS;

/// The host that requests and certificate name.
pub(crate) const HOST: &str = "load.example";

/// Certificate and key, in PEM and for the client.
struct Certificate {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

/// The certificate of this run: ECDSA P-256, as certificate authorities issue by default.
fn certificate() -> anyhow::Result<&'static Certificate> {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    if let Some(known) = CERTIFICATE.get() {
        return Ok(known);
    }
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    let certificate = Certificate {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    };
    Ok(CERTIFICATE.get_or_init(|| certificate))
}

/// Writes `load.crt`, `load.key`, and `load.pem` with both of them, as HAProxy wants it.
///
/// # Errors
/// The certificate cannot be made or written.
pub(crate) fn write_certificate(directory: &Path) -> anyhow::Result<()> {
    let made = certificate()?;
    for (name, text) in [
        ("load.crt", made.certificate.clone()),
        ("load.key", made.key.clone()),
        ("load.pem", format!("{}{}", made.certificate, made.key)),
    ] {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

// Names of protocols within TLS.
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// The client's configuration: TLS 1.3 for this protocol, with sessions resumed or not.
///
/// # Errors
/// The certificate cannot be made.
fn client(protocol: &[u8], resumes: bool) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()?.der.clone())?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = if resumes {
        Resumption::in_memory_sessions(64)
    } else {
        Resumption::disabled()
    };
    Ok(Arc::new(config))
}

/// The client's side of one TLS connection, over a socket that the caller owns.
pub(crate) struct Session(Box<ClientConnection>);

impl Session {
    /// Begins a connection; nothing is sent yet.
    ///
    /// # Errors
    /// rustls refuses the name or the configuration.
    pub(crate) fn new(config: &Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from(HOST).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(config), name);
        Ok(Self(Box::new(connection.map_err(io::Error::other)?)))
    }

    /// Goes on with the handshake as far as the socket permits. True once it is complete and
    /// the client's last flight is sent.
    ///
    /// # Errors
    /// The handshake fails.
    pub(crate) fn shake_hands(&mut self, socket: &mut TcpStream) -> io::Result<bool> {
        loop {
            while self.0.wants_write() {
                self.0.write_tls(socket)?;
            }
            if !self.0.is_handshaking() {
                return Ok(true);
            }
            match self.0.read_tls(socket) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => self.0.process_new_packets().map_err(io::Error::other)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
        }
    }

    /// True if the server has agreed to HTTP/2.
    pub(crate) fn speaks_http2(&self) -> bool {
        self.0.alpn_protocol() == Some(HTTP2)
    }

    /// Encrypts and sends all bytes; more than the socket's buffer holds are an error.
    ///
    /// # Errors
    /// The socket does not accept all of them.
    pub(crate) fn send(&mut self, socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        self.0.writer().write_all(bytes)?;
        while self.0.wants_write() {
            self.0.write_tls(socket)?;
        }
        Ok(())
    }

    /// Reads and decrypts some bytes; 0 at the end of the connection.
    ///
    /// # Errors
    /// The socket has none at present, or the connection has failed.
    pub(crate) fn receive(
        &mut self,
        socket: &mut TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.0.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if self.0.read_tls(socket)? == 0 {
                return Ok(0);
            }
            self.0.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

/// A blocking connection with TLS.
pub(crate) struct Stream {
    socket: TcpStream,
    session: Session,
}

impl Stream {
    /// Wraps a connected socket.
    ///
    /// # Errors
    /// The handshake fails.
    pub(crate) fn open(mut socket: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut session = Session::new(config)?;
        // The socket blocks, so that this returns after the whole handshake.
        session.shake_hands(&mut socket)?;
        Ok(Self { socket, session })
    }

    /// The socket below.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// True if the server has agreed to HTTP/2.
    pub(crate) fn speaks_http2(&self) -> bool {
        self.session.speaks_http2()
    }

    /// Sends all bytes.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.session.send(&mut self.socket, bytes)
    }

    /// Reads some bytes; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.session.receive(&mut self.socket, buffer)
    }
}

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Over TCP.
    Cleartext,
    /// Over TLS, on connections that are kept.
    Tls,
    /// Each over a new TLS connection, with a full handshake.
    NewTls,
    /// Each over a new TLS connection that resumes a session.
    ResumedTls,
    /// By HTTP/2 over TCP, without an upgrade.
    Http2,
    /// By HTTP/2 over TLS.
    Http2Tls,
}

impl Over {
    /// The configuration of TLS; none for cleartext.
    ///
    /// # Errors
    /// See [`client`].
    pub(crate) fn config(self) -> anyhow::Result<Option<Arc<ClientConfig>>> {
        match self {
            Self::Cleartext | Self::Http2 => Ok(None),
            Self::Tls | Self::NewTls => client(HTTP1, false).map(Some),
            Self::ResumedTls => client(HTTP1, true).map(Some),
            Self::Http2Tls => client(HTTP2, false).map(Some),
        }
    }

    /// True if a connection carries one request.
    pub(crate) fn is_new_each_time(self) -> bool {
        matches!(self, Self::NewTls | Self::ResumedTls)
    }
    /// True if requests are sent by HTTP/2.
    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Http2Tls)
    }

    /// Requests that a connection carries at the same time.
    pub(crate) fn streams(self) -> usize {
        if self.is_http2() { STREAMS } else { 1 }
    }
}
