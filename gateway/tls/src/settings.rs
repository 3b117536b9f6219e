//! What an operator may choose about the TLS of a site.

use rustls::crypto::SupportedKxGroup;
use rustls::{ProtocolVersion, SupportedCipherSuite};

use crate::client_auth::ClientAuth;
use crate::groups;
use crate::suites;

/// A version of TLS. There are no older ones: RFC 8996 prohibits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// The settings of a site.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The oldest version that is spoken. Default: 1.2.
    pub min_version: Version,
    /// The newest version that is spoken. Default: 1.3.
    pub max_version: Version,
    /// The preferred first; see [`suites::select`]. Default: all.
    pub suites: Vec<SupportedCipherSuite>,
    /// The preferred first; see [`groups::select`]. Default: X25519MLKEM768,
    /// then elliptic curves.
    pub groups: Vec<&'static dyn SupportedKxGroup>,
    /// Whether the gateway's order of suites decides rather than the client's.
    /// Default: yes.
    pub prefers_server_order: bool,
    /// What clients are asked for. Default: nothing.
    pub client_auth: ClientAuth,
    /// Protocols of ALPN (RFC 7301), the preferred first. Default: `http/1.1`. A
    /// client that offers only others is refused; one that offers none is not.
    pub alpn: Vec<Vec<u8>>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            min_version: Version::Tls12,
            max_version: Version::Tls13,
            suites: suites::all(),
            groups: groups::default(),
            prefers_server_order: true,
            client_auth: ClientAuth::None,
            alpn: vec![b"http/1.1".to_vec()],
        }
    }
}

impl Version {
    /// The version that a handshake ended with; none if it is neither.
    pub fn of(negotiated: ProtocolVersion) -> Option<Self> {
        match negotiated {
            ProtocolVersion::TLSv1_2 => Some(Self::Tls12),
            ProtocolVersion::TLSv1_3 => Some(Self::Tls13),
            _ => None,
        }
    }

    /// `TLSv1.2` or `TLSv1.3`, as in access logs and for policies.
    pub fn protocol_name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }

    /// `1.2` or `1.3`, as in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}
