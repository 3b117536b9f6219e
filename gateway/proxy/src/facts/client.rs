//! Who the client is: its address, and what TLS has established.

use std::io::Write as _;
use std::net::IpAddr;

use base64::Engine as _;
use ipnet::IpNet;
use janua_wasm::{Input, PrefixLengths};

use super::{BASE64, View, number, text};

impl View<'_> {
    /// What TLS established; none without TLS.
    pub(super) fn tls(&self, input: &Input) -> Option<&str> {
        let tls = self.peer.tls.as_ref()?;
        match input {
            Input::TlsVersion => Some(tls.version),
            Input::TlsCipher => Some(tls.cipher_suite),
            Input::TlsServerName => tls.server_name.as_deref(),
            _ => None,
        }
    }

    /// A fact of the client's certificate, which comes from the handshake alone, and never
    /// from a field of the request.
    pub(super) fn client_certificate(&self, input: &Input, out: &mut Vec<u8>) -> bool {
        let tls = self.peer.tls.as_ref();
        let Some(certificate) = tls.and_then(|tls| tls.certificate.as_ref()) else {
            return false;
        };
        let fact = match input {
            Input::TlsClientSubject => Some(&*certificate.subject),
            Input::TlsClientIssuer => Some(&*certificate.issuer),
            Input::TlsClientSerial => Some(&*certificate.serial),
            Input::TlsClientFingerprint => Some(&*certificate.fingerprint),
            Input::TlsClientDnsNames => certificate.dns_names.as_deref(),
            Input::TlsClientUris => certificate.uris.as_deref(),
            Input::TlsClientEmails => certificate.emails.as_deref(),
            Input::TlsClientNotBefore => return moment(certificate.not_before, out),
            Input::TlsClientNotAfter => return moment(certificate.not_after, out),
            Input::TlsClientCertificate => {
                let encoded = BASE64.encode(&certificate.certificate);
                return text(Some(&encoded), out);
            }
            _ => None,
        };
        text(fact, out)
    }

    pub(super) fn client_ip(&self, out: &mut Vec<u8>) -> bool {
        match self.origin.client {
            Some(client) => out.extend_from_slice(client.to_string().as_bytes()),
            None => out.extend_from_slice(self.peer.text.as_bytes()),
        }
        true
    }

    /// The network of the client, as `address/length`.
    pub(super) fn client_network(&self, lengths: PrefixLengths, out: &mut Vec<u8>) -> bool {
        let client = self.origin.client.unwrap_or(self.peer.address);
        let length = match client {
            IpAddr::V4(_) => lengths.ipv4,
            IpAddr::V6(_) => lengths.ipv6,
        };
        let network = IpNet::new(client, length).map(|network| network.trunc());
        network.is_ok_and(|network| write!(out, "{network}").is_ok())
    }
}

/// Seconds since 1970, before which no certificate begins.
fn moment(seconds: i64, out: &mut Vec<u8>) -> bool {
    number(u64::try_from(seconds).unwrap_or_default(), out)
}
