//! Cipher suites by name.
//!
//! rustls has three suites of TLS 1.3 and six of TLS 1.2. All of them are
//! authenticated encryption (AEAD) with forward secrecy (ECDHE), so that most of
//! what cipher lists are written for, namely to exclude what is weak, is done
//! already. A list may use the names of IANA or those of OpenSSL, and also
//! OpenSSL's cipher strings such as `HIGH:!aNULL:!MD5`. What a list asks for and
//! does not get is said in [`Note`]s, never ignored.
//!
//! A list restricts only the version of TLS whose suites it names, as it does in
//! nginx: `ECDHE-RSA-AES128-GCM-SHA256` leaves TLS 1.3 alone.

mod missing;
mod openssl;

use std::fmt;

use rustls::crypto::aws_lc_rs::cipher_suite as rustls_suites;
use rustls::{CipherSuite, SupportedCipherSuite};

pub use missing::Missing;

use crate::error::Error;

/// A suite with its names.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) suite: &'static SupportedCipherSuite,
    pub(crate) iana: &'static str,
    pub(crate) openssl: &'static str,
}

/// The suites of TLS 1.3, the preferred first. AES of 128 bits comes first, as in Mozilla's
/// recommendation, in Go and in BoringSSL: nobody can break it, and its handshakes and bodies
/// cost less, because processors have instructions for SHA-256 but few for SHA-384.
pub(crate) static TLS13: [Named; 3] = [
    Named {
        suite: &rustls_suites::TLS13_AES_128_GCM_SHA256,
        iana: "TLS_AES_128_GCM_SHA256",
        openssl: "TLS13_AES_128_GCM_SHA256",
    },
    Named {
        suite: &rustls_suites::TLS13_AES_256_GCM_SHA384,
        iana: "TLS_AES_256_GCM_SHA384",
        openssl: "TLS13_AES_256_GCM_SHA384",
    },
    Named {
        suite: &rustls_suites::TLS13_CHACHA20_POLY1305_SHA256,
        iana: "TLS_CHACHA20_POLY1305_SHA256",
        openssl: "TLS13_CHACHA20_POLY1305_SHA256",
    },
];

/// The suites of TLS 1.2, the preferred first.
pub(crate) static TLS12: [Named; 6] = [
    Named {
        suite: &rustls_suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        iana: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-ECDSA-AES128-GCM-SHA256",
    },
    Named {
        suite: &rustls_suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        iana: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-ECDSA-AES256-GCM-SHA384",
    },
    Named {
        suite: &rustls_suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        iana: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-ECDSA-CHACHA20-POLY1305",
    },
    Named {
        suite: &rustls_suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        iana: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-RSA-AES128-GCM-SHA256",
    },
    Named {
        suite: &rustls_suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        iana: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-RSA-AES256-GCM-SHA384",
    },
    Named {
        suite: &rustls_suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        iana: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-RSA-CHACHA20-POLY1305",
    },
];

/// What a list of names selects.
#[derive(Debug, Clone)]
pub struct Suites {
    /// The suites of both versions, the preferred first.
    pub suites: Vec<SupportedCipherSuite>,
    /// What the list asks for and does not get.
    pub notes: Vec<Note>,
}

/// Something that a list asks for, and what happens instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The suite has no counterpart in rustls and is left out.
    LeftOut {
        /// As it was written.
        name: String,
        /// Why there is none.
        why: Missing,
    },
    /// A cipher string of OpenSSL with words for classes of suites.
    CipherString {
        /// As it was written.
        text: String,
        /// The IANA names of the suites of TLS 1.2 that it stands for here.
        /// Empty if all do.
        only: Vec<&'static str>,
    },
    /// No suite of TLS 1.2 is left, so that all six of rustls are used.
    NoneLeft,
}

/// The suites that a list selects; all of them if it is empty. Each item is a
/// name or a cipher string with colons. An error if an item is neither.
pub fn select<T: AsRef<str>>(list: &[T]) -> Result<Suites, Error> {
    let mut selection = openssl::Selection::default();
    let mut notes = Vec::new();
    for item in list {
        selection.apply(item.as_ref(), &mut notes)?;
    }
    let mut tls12 = selection.tls12;
    if tls12.is_empty() {
        if selection.is_tls12_named {
            notes.push(Note::NoneLeft);
        }
        tls12.extend(&TLS12);
    }
    let mut tls13 = selection.tls13;
    if tls13.is_empty() {
        tls13.extend(&TLS13);
    }
    Ok(Suites {
        suites: tls13
            .iter()
            .chain(&tls12)
            .map(|named| *named.suite)
            .collect(),
        notes,
    })
}

/// All suites of both versions, the preferred first.
pub fn all() -> Vec<SupportedCipherSuite> {
    let all = TLS13.iter().chain(&TLS12);
    all.map(|named| *named.suite).collect()
}

/// The name of a suite in IANA's registry, as access logs have it; none if the
/// suite is not one of rustls'.
pub fn iana_name(suite: CipherSuite) -> Option<&'static str> {
    let mut all = TLS13.iter().chain(&TLS12);
    all.find(|named| named.suite.suite() == suite)
        .map(|named| named.iana)
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut { name, why } => {
                write!(f, "The suite `{name}` is left out: {why}.")
            }
            Self::CipherString { text, only } if only.is_empty() => write!(
                f,
                "`{text}` is a cipher string of OpenSSL. Here it means every suite that there \
                 is, because all of them have authenticated encryption and forward secrecy."
            ),
            Self::CipherString { text, only } => write!(
                f,
                "`{text}` is a cipher string of OpenSSL. Here it means these suites of TLS 1.2: \
                 {}.",
                only.join(", ")
            ),
            Self::NoneLeft => f.write_str(
                "No suite of TLS 1.2 is left of this list. All six that there are will be used; \
                 all of them have authenticated encryption and forward secrecy.",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
