//! The PROXY protocol, versions 1 and 2: a load balancer in front of the gateway states for
//! which client it has opened a connection (HAProxy's `proxy-protocol.txt`).
//!
//! The header is read exactly, so that the next byte read from the socket is the client's
//! first one. Parsing is left to the crate ppp.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::tls_facts::TlsFacts;

/// The bytes of a header of version 2 before its length is known, and the signature that they
/// begin with.
const V2_START: usize = 16;
const V2_SIGNATURE: &[u8] = v2::PROTOCOL_PREFIX;
/// The most bytes that follow: addresses and TLVs. The specification advises 520; certificates
/// in TLVs take more.
const V2_MAX: usize = 4096;
/// The most bytes of a header of version 1, with CRLF.
const V1_MAX: usize = 107;

/// Why there is no valid header.
#[derive(Debug)]
pub(crate) enum HeaderError {
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

/// Reads the header at the beginning of a connection. Returns the address of the client; none
/// if the load balancer speaks for itself (`LOCAL`, `UNKNOWN`), as health checks do.
///
/// # Errors
/// There is no header, or it is malformed.
pub(crate) async fn read(stream: &mut TcpStream) -> Result<Option<SocketAddr>, HeaderError> {
    let mut header = vec![0; V2_SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == V2_SIGNATURE {
        read_v2(stream, header).await
    } else if header.starts_with(b"PROXY ") {
        read_v1(stream, header).await
    } else {
        Err(HeaderError::Malformed("it does not begin with one"))
    }
}

async fn read_v2(
    stream: &mut TcpStream,
    mut header: Vec<u8>,
) -> Result<Option<SocketAddr>, HeaderError> {
    read_to(stream, &mut header, V2_START).await?;
    let length = header.last_chunk().copied().map_or(0, u16::from_be_bytes);
    if usize::from(length) > V2_MAX {
        return Err(HeaderError::Malformed("it is longer than 4 KiB"));
    }
    read_to(stream, &mut header, V2_START + usize::from(length)).await?;
    let parsed = v2::Header::try_from(&*header)
        .map_err(|_| HeaderError::Malformed("a field of version 2 is not valid"))?;
    if parsed.command == v2::Command::Local {
        return Ok(None);
    }
    Ok(match parsed.addresses {
        v2::Addresses::IPv4(ip) => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::IPv6(ip) => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    })
}

async fn read_v1(
    stream: &mut TcpStream,
    mut header: Vec<u8>,
) -> Result<Option<SocketAddr>, HeaderError> {
    while !header.ends_with(b"\n") {
        // A look first, since the bytes after the line are the client's.
        let mut front = [0; V1_MAX];
        let room = front.get_mut(header.len()..).unwrap_or_default();
        if room.is_empty() {
            return Err(HeaderError::Malformed("its line is longer than 107 bytes"));
        }
        let seen = stream.peek(room).await?;
        if seen == 0 {
            return Err(HeaderError::Io);
        }
        let seen = room.get(..seen).unwrap_or_default();
        let count = memchr::memchr(b'\n', seen).map_or(seen.len(), |end| end + 1);
        let length = header.len() + count;
        read_to(stream, &mut header, length).await?;
    }
    let parsed = v1::Header::try_from(&*header)
        .map_err(|_| HeaderError::Malformed("its line is not valid"))?;
    Ok(match parsed.addresses {
        v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Unknown => None,
    })
}

/// The version of a header that the gateway writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The header for a connection to an upstream: the two ends of the client's connection, and
/// what TLS established there. None stands for a connection that the gateway makes for itself.
pub(crate) fn write(
    version: Version,
    ends: Option<(SocketAddr, SocketAddr)>,
    tls: Option<&TlsFacts>,
) -> Vec<u8> {
    let ends = ends.map(|(source, destination)| of_one_family(source, destination));
    match version {
        Version::V1 => write_v1(ends).into_bytes(),
        // It only fails where a part is longer than 64 KiB, and none is.
        Version::V2 => write_v2(ends, tls).unwrap_or_else(|_| write_v1(ends).into_bytes()),
    }
}

/// Both ends in one address family, as a header requires.
fn of_one_family(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    let mapped = |end: SocketAddr| match end.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), end.port()),
        IpAddr::V6(_) => end,
    };
    if source.is_ipv4() == destination.is_ipv4() {
        (source, destination)
    } else {
        (mapped(source), mapped(destination))
    }
}

fn write_v1(ends: Option<(SocketAddr, SocketAddr)>) -> String {
    let Some((source, destination)) = ends else {
        return "PROXY UNKNOWN\r\n".to_owned();
    };
    format!(
        "PROXY {} {} {} {} {}\r\n",
        if source.is_ipv4() { "TCP4" } else { "TCP6" },
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    )
}

fn write_v2(ends: Option<(SocketAddr, SocketAddr)>, tls: Option<&TlsFacts>) -> io::Result<Vec<u8>> {
    let Some(ends) = ends else {
        let command = v2::Version::Two | v2::Command::Local;
        return v2::Builder::new(command, 0).build();
    };
    let command = v2::Version::Two | v2::Command::Proxy;
    let mut header = v2::Builder::with_addresses(command, v2::Protocol::Stream, ends);
    if let Some(tls) = tls {
        if let Some(name) = &tls.server_name {
            header = header.write_tlv(v2::Type::Authority, name.as_bytes())?;
        }
        header = header.write_tlv(v2::Type::SSL, &tls_values(tls))?;
    }
    header.build()
}

/// The value of the TLV that describes TLS (section 2.2.6 of the specification): bits about
/// the client, the result of the verification (0 for a verified certificate), and TLVs.
fn tls_values(tls: &TlsFacts) -> Vec<u8> {
    const USES_TLS: u8 = 1;
    const HAS_CERTIFICATE: u8 = 2 | 4;
    let (client, verified) = match &tls.certificate {
        Some(_) => (USES_TLS | HAS_CERTIFICATE, 0_u32),
        None => (USES_TLS, 1),
    };
    let mut values = vec![client];
    values.extend(verified.to_be_bytes());
    let version = format!("TLSv{}", tls.version);
    for (kind, text) in [
        (v2::Type::SSLVersion, &*version),
        (v2::Type::SSLCipher, &*tls.cipher_suite),
    ] {
        let length = u16::try_from(text.len()).unwrap_or(0);
        values.push(kind as u8);
        values.extend(length.to_be_bytes());
        values.extend(text.bytes().take(usize::from(length)));
    }
    values
}

/// Reads until the header has this length.
async fn read_to(stream: &mut TcpStream, header: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let from = header.len();
    header.resize(length, 0);
    let rest = header.get_mut(from..).unwrap_or_default();
    stream.read_exact(rest).await.map(drop)
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

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut header = V2_SIGNATURE.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        header.extend(body);
        header
    }

    #[tokio::test]
    async fn addresses_of_both_versions() {
        let v4 = [192, 0, 2, 1, 127, 0, 0, 1, 0x10, 0, 0x20, 0xfb];
        let mut v6 = vec![0; 36];
        v6[..16].copy_from_slice(
            &"2001:db8::1"
                .parse::<std::net::Ipv6Addr>()
                .unwrap()
                .octets(),
        );
        v6[32..34].copy_from_slice(&4096_u16.to_be_bytes());
        let mut with_tlv = v4.to_vec();
        with_tlv.extend([0x04, 0, 2, 1, 2]);
        let table: [(Vec<u8>, Option<&str>); 8] = [
            (
                b"PROXY TCP4 192.0.2.1 127.0.0.1 4096 8443\r\n".to_vec(),
                Some("192.0.2.1:4096"),
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 4096 8443\r\n".to_vec(),
                Some("[2001:db8::1]:4096"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (v2(1, 0x11, &v4), Some("192.0.2.1:4096")),
            (v2(1, 0x11, &with_tlv), Some("192.0.2.1:4096")),
            (v2(1, 0x21, &v6), Some("[2001:db8::1]:4096")),
            (v2(0, 0x00, &[]), None),
            (v2(0, 0x11, &v4), None),
        ];
        for (header, expected) in table {
            let expected = expected.map(|address| address.parse().unwrap());
            let rest = b"GET / HTTP/1.1\r\n";
            let whole = [&*header, rest].concat();
            let bytes: Vec<&[u8]> = whole.chunks(1).collect();
            for parts in [&[&*whole][..], &[&*header, rest], &bytes] {
                let (read, left) = received(parts).await;
                assert_eq!(read.unwrap(), expected, "{header:?}");
                assert_eq!(left, rest, "{header:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let bad: [(Vec<u8>, &str); 7] = [
            (
                b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
                "does not begin",
            ),
            (b"PROXY TCP4 1.2.3.4\r\nmore".to_vec(), "not valid"),
            (
                b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n".to_vec(),
                "not valid",
            ),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nGET".to_vec(), "not valid"),
            (long, "107 bytes"),
            (v2(1, 0x11, &[1, 2, 3]), "not valid"),
            (v2(1, 0x11, &[0; 5000]), "4 KiB"),
        ];
        for (header, words) in bad {
            match received(&[&header]).await.0 {
                Err(HeaderError::Malformed(found)) => assert!(found.contains(words), "{found}"),
                other => panic!("{other:?} of {header:?}"),
            }
        }
        for cut in [&b"PROXY"[..], b"PROXY TCP4 1.2.3.4 ", V2_SIGNATURE] {
            let read = received(&[cut]).await.0;
            assert!(matches!(read, Err(HeaderError::Io)), "{read:?}");
        }
    }
}
