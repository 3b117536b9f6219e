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
    /// The protocol that was agreed on (ALPN).
    pub protocol: Option<&'a [u8]>,
    /// The name that the client asked for (SNI).
    pub server_name: Option<&'a str>,
    /// The client's certificate, which was verified.
    pub certificate: Option<Certificate<'a>>,
}

/// The certificate of a client.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// The common name of its subject.
    pub common_name: Option<&'a str>,
    /// True if it was shown on this connection, false if a resumed session began with it.
    pub is_shown: bool,
}

/// The longest common name of a client that upstreams are told; X.520 allows 64 characters.
const COMMON_NAME_MAX: usize = 256;

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
        if let Some(protocol) = tls.protocol {
            header = header.write_tlv(v2::Type::ALPN, protocol)?;
        }
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
    const HAS_SHOWN_CERTIFICATE: u8 = 2;
    const SESSION_HAS_CERTIFICATE: u8 = 4;
    let (client, verified) = match &tls.certificate {
        Some(certificate) if certificate.is_shown => (
            USES_TLS | HAS_SHOWN_CERTIFICATE | SESSION_HAS_CERTIFICATE,
            0_u32,
        ),
        Some(_) => (USES_TLS | SESSION_HAS_CERTIFICATE, 0),
        None => (USES_TLS, 1),
    };
    let mut values = vec![client];
    values.extend(verified.to_be_bytes());
    let version = format!("TLSv{}", tls.version);
    // A part of a name may be another's name, so that one that is too long is left out.
    let common_name = tls
        .certificate
        .and_then(|certificate| certificate.common_name)
        .filter(|name| name.len() <= COMMON_NAME_MAX);
    for (kind, text) in [
        (v2::Type::SSLVersion, Some(&*version)),
        (v2::Type::SSLCommonName, common_name),
        (v2::Type::SSLCipher, Some(tls.cipher_suite)),
    ] {
        let Some(text) = text else {
            continue;
        };
        let length = u16::try_from(text.len()).unwrap_or(0);
        values.push(kind as u8);
        values.extend(length.to_be_bytes());
        values.extend(text.bytes().take(usize::from(length)));
    }
    values
}
