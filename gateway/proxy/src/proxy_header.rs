//! The PROXY protocol on a connection: the header that a load balancer sends in front of the
//! client's bytes, and the one that the gateway sends to an upstream.
//!
//! The header is read exactly, so that the next byte read from the socket is the client's
//! first one. The crate janua-proxy-protocol knows what is in it.

use std::io;
use std::net::SocketAddr;

use janua_proxy_protocol::{Certificate, Malformed, Tls, Version, parse};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::tls_facts::TlsFacts;

/// The bytes that are looked at together: nearly every header is shorter.
const WINDOW: usize = 256;

/// Why there is no valid header.
#[derive(Debug)]
pub(crate) enum HeaderError {
    /// The connection ended or failed before its first byte.
    Unused,
    /// The connection ended or failed before the header was complete.
    Io,
    /// The bytes are not a header of the PROXY protocol; the description is for the log.
    Malformed(&'static str),
}

impl From<io::Error> for HeaderError {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

impl From<Malformed> for HeaderError {
    fn from(Malformed(why): Malformed) -> Self {
        Self::Malformed(why)
    }
}

/// Reads the header at the beginning of a connection. Returns the address of the client; none
/// if the load balancer speaks for itself (`LOCAL`, `UNKNOWN`), as health checks do.
///
/// # Errors
/// There is no header, or it is malformed.
pub(crate) async fn read(stream: &mut TcpStream) -> Result<Option<SocketAddr>, HeaderError> {
    let mut header = Vec::new();
    loop {
        // A look first, since the bytes after the header are the client's.
        let mut window = [0; WINDOW];
        let seen = match stream.peek(&mut window).await {
            Ok(0) | Err(_) if header.is_empty() => return Err(HeaderError::Unused),
            seen => seen?,
        };
        if seen == 0 {
            return Err(HeaderError::Io);
        }
        let taken = header.len();
        header.extend_from_slice(window.get(..seen).unwrap_or_default());
        let parsed = parse(&header)?;
        let size = parsed.map_or(header.len(), |(size, _)| size);
        let rest = header.get_mut(taken..size).unwrap_or_default();
        stream.read_exact(rest).await?;
        if let Some((_, client)) = parsed {
            return Ok(client);
        }
    }
}

/// The header for a connection to an upstream: see [`janua_proxy_protocol::write`].
pub(crate) fn write(
    version: Version,
    ends: Option<(SocketAddr, SocketAddr)>,
    tls: Option<&TlsFacts>,
) -> Vec<u8> {
    let tls = tls.map(|facts| Tls {
        version: facts.version,
        cipher_suite: facts.cipher_suite,
        protocol: facts.protocol.as_deref(),
        server_name: facts.server_name.as_deref(),
        certificate: facts.certificate.as_ref().map(|certificate| Certificate {
            common_name: certificate.common_name.as_deref(),
            is_shown: !facts.is_resumed,
        }),
    });
    janua_proxy_protocol::write(version, ends, tls.as_ref())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// What is read of these bytes, sent in parts, and what follows the header.
    async fn received(parts: &[&[u8]]) -> (Result<Option<SocketAddr>, HeaderError>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        let sending = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            for part in parts {
                let _ = stream.write_all(&part).await;
                tokio::task::yield_now().await;
            }
            let _ = stream.shutdown().await;
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        let read = read(&mut stream).await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        sending.await.unwrap();
        (read, rest)
    }

    fn ends() -> (SocketAddr, SocketAddr) {
        (
            "192.0.2.1:4096".parse().unwrap(),
            "127.0.0.1:8443".parse().unwrap(),
        )
    }

    #[tokio::test]
    async fn the_header_is_read_exactly() {
        // The last one takes several looks.
        let name = "a".repeat(3 * WINDOW);
        let tls = Tls {
            version: "1.3",
            cipher_suite: "TLS13_AES_128_GCM_SHA256",
            protocol: None,
            server_name: Some(&name),
            certificate: None,
        };
        for header in [
            write(Version::V1, Some(ends()), None),
            write(Version::V2, Some(ends()), None),
            janua_proxy_protocol::write(Version::V2, Some(ends()), Some(&tls)),
        ] {
            let rest = b"GET / HTTP/1.1\r\n";
            let whole = [&*header, rest].concat();
            let bytes: Vec<&[u8]> = whole.chunks(1).collect();
            for parts in [&[&*whole][..], &[&*header, rest], &bytes] {
                let (read, left) = received(parts).await;
                assert_eq!(read.unwrap(), Some(ends().0), "{header:?}");
                assert_eq!(left, rest, "{header:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let read = received(&[b"GET / HTTP/1.1\r\n\r\n"]).await.0;
        assert!(matches!(read, Err(HeaderError::Malformed(_))), "{read:?}");
        assert!(matches!(received(&[]).await.0, Err(HeaderError::Unused)));
        for cut in [
            &b"PROXY"[..],
            b"PROXY TCP4 1.2.3.4 ",
            b"\r\n\r\n\0\r\nQUIT\n",
        ] {
            let read = received(&[cut]).await.0;
            assert!(matches!(read, Err(HeaderError::Io)), "{read:?}");
        }
    }
}
