//! Writing a header, in which the gateway names its client to an upstream.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ppp::v2;

/// The version of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary, with what TLS established.
    V2,
}

/// What TLS established with the client.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// `1.2` or `1.3`.
    pub version: &'a str,
    /// The cipher suite by its IANA name.
    pub cipher_suite: &'a str,
    /// The name that the client asked for (SNI).
    pub server_name: Option<&'a str>,
    /// True if the client proved to own a certificate that was verified.
    pub has_certificate: bool,
}

/// The header for a connection to an upstream: the two ends of the client's connection, and
/// what TLS established there. None stands for a connection that the gateway makes for itself.
#[must_use]
pub fn write(
    version: Version,
    ends: Option<(SocketAddr, SocketAddr)>,
    tls: Option<&Tls<'_>>,
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

fn write_v2(ends: Option<(SocketAddr, SocketAddr)>, tls: Option<&Tls<'_>>) -> io::Result<Vec<u8>> {
    let Some(ends) = ends else {
        let command = v2::Version::Two | v2::Command::Local;
        return v2::Builder::new(command, 0).build();
    };
    let command = v2::Version::Two | v2::Command::Proxy;
    let mut header = v2::Builder::with_addresses(command, v2::Protocol::Stream, ends);
    if let Some(tls) = tls {
        if let Some(name) = tls.server_name {
            header = header.write_tlv(v2::Type::Authority, name.as_bytes())?;
        }
        header = header.write_tlv(v2::Type::SSL, &tls_values(tls))?;
    }
    header.build()
}

/// The value of the TLV that describes TLS (section 2.2.6 of the specification): bits about
/// the client, the result of the verification (0 for a verified certificate), and TLVs.
fn tls_values(tls: &Tls<'_>) -> Vec<u8> {
    const USES_TLS: u8 = 1;
    const HAS_CERTIFICATE: u8 = 2 | 4;
    let (client, verified) = match tls.has_certificate {
        true => (USES_TLS | HAS_CERTIFICATE, 0_u32),
        false => (USES_TLS, 1),
    };
    let mut values = vec![client];
    values.extend(verified.to_be_bytes());
    let version = format!("TLSv{}", tls.version);
    for (kind, text) in [
        (v2::Type::SSLVersion, &*version),
        (v2::Type::SSLCipher, tls.cipher_suite),
    ] {
        let length = u16::try_from(text.len()).unwrap_or(0);
        values.push(kind as u8);
        values.extend(length.to_be_bytes());
        values.extend(text.bytes().take(usize::from(length)));
    }
    values
}
