//! Suites that rustls does not have, and why.

use std::fmt;

/// Why a suite has no counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No encryption at all.
    Null,
    /// No authentication of the server.
    Anonymous,
    /// Keys short enough for the export rules of the 1990s.
    Export,
    /// The stream cipher RC4 (RFC 7465).
    Rc4,
    /// DES and 3DES, whose blocks are too short (RFC 8429).
    Des,
    /// Camellia, ARIA, SEED, IDEA, GOST.
    Uncommon,
    /// Pre-shared keys and passwords instead of certificates.
    SharedSecret,
    /// AES-CCM, made for small devices.
    Ccm,
    /// Ephemeral Diffie-Hellman without elliptic curves.
    FiniteField,
    /// Diffie-Hellman with the fixed key of a certificate.
    FixedDiffieHellman,
    /// Encryption with the RSA key of the certificate.
    RsaKeyExchange,
    /// Block chaining with a separate MAC.
    Cbc,
}

/// Parts of names, the first that occurs decides. A part with `^` is only looked
/// for at the beginning.
const PARTS: [(&str, Missing); 30] = [
    ("NULL", Missing::Null),
    ("ANON", Missing::Anonymous),
    ("^ADH-", Missing::Anonymous),
    ("^AECDH-", Missing::Anonymous),
    ("EXPORT", Missing::Export),
    ("^EXP", Missing::Export),
    ("RC4", Missing::Rc4),
    ("RC2", Missing::Uncommon),
    ("3DES", Missing::Des),
    ("DES-", Missing::Des),
    ("CAMELLIA", Missing::Uncommon),
    ("ARIA", Missing::Uncommon),
    ("SEED", Missing::Uncommon),
    ("IDEA", Missing::Uncommon),
    ("GOST", Missing::Uncommon),
    ("PSK", Missing::SharedSecret),
    ("SRP", Missing::SharedSecret),
    ("CCM", Missing::Ccm),
    ("^DHE-", Missing::FiniteField),
    ("^EDH-", Missing::FiniteField),
    ("^TLS-DHE-", Missing::FiniteField),
    ("^ECDH-", Missing::FixedDiffieHellman),
    ("^TLS-ECDH-", Missing::FixedDiffieHellman),
    ("^DH-", Missing::FixedDiffieHellman),
    ("^TLS-DH-", Missing::FixedDiffieHellman),
    ("-CBC-", Missing::Cbc),
    ("^AES128-", Missing::RsaKeyExchange),
    ("^AES256-", Missing::RsaKeyExchange),
    ("^TLS-RSA-WITH-", Missing::RsaKeyExchange),
    ("^RSA-", Missing::RsaKeyExchange),
];

impl Missing {
    /// Why there is no suite of this name, if it is one of the known kinds.
    /// The caller has made sure that rustls does not have it.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase().replace('_', "-");
        // `TLS_RSA_WITH_AES_128_CBC_SHA` is both; the key exchange is worse.
        if name.starts_with("TLS-RSA-WITH-AES") {
            return Some(Self::RsaKeyExchange);
        }
        // OpenSSL does not name the mode if it is CBC.
        if name.starts_with("ECDHE-") && name.contains("-AES") && !has_mode(&name) {
            return Some(Self::Cbc);
        }
        let found = PARTS.iter().find(|(part, _)| match part.strip_prefix('^') {
            Some(beginning) => name.starts_with(beginning),
            None => name.contains(part),
        });
        found.map(|&(_, why)| why)
    }
}

/// Whether the name of a suite of OpenSSL tells the mode of AES.
fn has_mode(name: &str) -> bool {
    name.contains("-GCM") || name.contains("-CCM")
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "it does not encrypt",
            Self::Anonymous => "it does not authenticate the server",
            Self::Export => "its keys are too short to be secure",
            Self::Rc4 => "RC4 is broken, and RFC 7465 prohibits it",
            Self::Des => "the blocks of DES and 3DES are too short to be secure (Sweet32)",
            Self::Uncommon => "rustls does not implement its cipher, and clients do not need it",
            Self::SharedSecret => {
                "it authenticates by a shared secret, and rustls by certificates only"
            }
            Self::Ccm => "rustls does not implement AES-CCM; clients use AES-GCM or ChaCha20",
            Self::FiniteField => {
                "rustls has Diffie-Hellman with elliptic curves only (ECDHE), which all current \
                 clients have too"
            }
            Self::FixedDiffieHellman => {
                "its key exchange uses the fixed key of the certificate, without forward secrecy"
            }
            Self::RsaKeyExchange => {
                "its key exchange encrypts with the RSA key of the certificate, without forward \
                 secrecy; clients that have nothing else cannot connect"
            }
            Self::Cbc => {
                "CBC with a separate MAC has let attackers decrypt (Lucky Thirteen); clients that \
                 have neither AES-GCM nor ChaCha20 cannot connect"
            }
        })
    }
}
