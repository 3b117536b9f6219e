//! Answers the challenges of an order, and takes the answers back afterwards.

use std::net::IpAddr;
use std::sync::Arc;

use instant_acme::{ChallengeType, Identifier, KeyAuthorization};
use janua_tls::names::address;
use janua_tls::tls_alpn;

use crate::door::Door;
use crate::failure::Failure;
use crate::settings::Challenge;

/// An answer at the door, which is taken back when this is dropped.
pub(crate) struct Answered {
    door: Arc<dyn Door>,
    what: What,
}

enum What {
    Http(String),
    TlsAlpn(String),
}

impl Answered {
    pub(crate) fn http(door: &Arc<dyn Door>, token: &str, key: &KeyAuthorization) -> Self {
        door.put_http(token, key.as_str());
        Self {
            door: Arc::clone(door),
            what: What::Http(token.to_owned()),
        }
    }

    pub(crate) fn tls_alpn(
        door: &Arc<dyn Door>,
        name: &str,
        key: &KeyAuthorization,
    ) -> Result<Self, Failure> {
        let digest: [u8; 32] = key
            .digest()
            .as_ref()
            .try_into()
            .map_err(|_| Failure::new("protocol", "the digest is not one of SHA-256"))?;
        let config = tls_alpn::server_config(name, &digest)
            .map_err(|error| Failure::new("settings", error))?;
        let server_name = server_name(name);
        door.put_tls_alpn(&server_name, config);
        Ok(Self {
            door: Arc::clone(door),
            what: What::TlsAlpn(server_name),
        })
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        match &self.what {
            What::Http(token) => self.door.remove_http(token),
            What::TlsAlpn(name) => self.door.remove_tls_alpn(name),
        }
    }
}

pub(crate) fn challenge_type(challenge: Challenge) -> ChallengeType {
    match challenge {
        Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
        Challenge::Http01 => ChallengeType::Http01,
        Challenge::Dns01 => ChallengeType::Dns01,
    }
}

/// The identifier of a name (RFC 8555, section 7.1.3; RFC 8738).
pub(crate) fn identifier(name: &str) -> Identifier {
    match address(name) {
        Some(address) => Identifier::Ip(address),
        None => Identifier::Dns(name.to_owned()),
    }
}

/// The name that the authority sends in the handshake: for an address its name in the
/// reverse tree (RFC 8738, section 6).
fn server_name(name: &str) -> String {
    match address(name) {
        Some(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Some(IpAddr::V6(address)) => {
            let octets = address.octets();
            let nibbles = octets.iter().rev().flat_map(|o| [o & 15, o >> 4]);
            let mut name: String = nibbles.map(|nibble| format!("{nibble:x}.")).collect();
            name.push_str("ip6.arpa");
            name
        }
        None => name.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_by_their_reverse_names() {
        assert_eq!(server_name("A.example"), "a.example");
        assert_eq!(server_name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        let six = server_name("[2001:db8::1]");
        assert!(six.starts_with("1.0.0.0."), "{six}");
        assert!(six.ends_with("8.b.d.0.1.0.0.2.ip6.arpa"), "{six}");
    }
}
