//! The certificates of sites and upstreams, returned by `GET /certificates` and printed by `janua certs`.
//! Times are in milliseconds since the Unix epoch.

use serde::{Deserialize, Serialize};

/// A certificate that clients get, or upstreams are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// The names and addresses that it covers.
    pub names: Vec<String>,
    /// Whom it is for, as a string of RFC 4514. Certificates of sites often have none, and those
    /// for upstreams often nothing else.
    pub subject: String,
    /// Who has signed it, as a string of RFC 4514.
    pub issuer: String,
    /// `ECDSA P-256`, `RSA 2048`, `Ed25519`.
    pub key_type: String,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
    /// Who has made it.
    pub source: CertificateSource,
    /// The file that it is in.
    pub file: String,
    /// Since when it is valid.
    pub valid_from_unix_ms: i64,
    /// Until when it is valid.
    pub valid_until_unix_ms: i64,
    /// How many whole days that is from now; negative once it has expired.
    pub days_left: i64,
    /// The sites that use it.
    pub sites: Vec<String>,
    /// The upstreams that are shown it.
    pub upstreams: Vec<String>,
    /// What deserves attention: names that it does not cover, a time in which it is not valid,
    /// a broken chain, a key that others can read.
    pub warnings: Vec<String>,
    /// Why its files were refused by the last reload, so that this certificate is older than
    /// they are.
    pub last_error: Option<String>,
}

/// Who has made a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateSource {
    /// It comes from files that the configuration names.
    Files,
    /// The gateway, for development.
    SelfSigned,
}

impl CertificateSource {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::SelfSigned => "self-signed",
        }
    }
}

/// With fewer days left, a certificate needs attention: what renews it by itself does so
/// earlier, certbot thirty days before.
const FEW_DAYS: i64 = 14;

impl CertificateStatus {
    /// The first name; if there is none, the subject or else the file.
    #[must_use]
    pub fn name(&self) -> &str {
        let has_subject = !self.subject.is_empty();
        let other = if has_subject {
            &self.subject
        } else {
            &self.file
        };
        self.names.first().unwrap_or(other)
    }

    /// That it expires soon; none if it does not, or if it has expired: then that is among the
    /// warnings.
    #[must_use]
    pub fn expires_soon(&self) -> Option<String> {
        match self.days_left {
            0 => Some("it expires within a day".to_owned()),
            1 => Some("it expires in 1 day".to_owned()),
            days if (2..FEW_DAYS).contains(&days) => Some(format!("it expires in {days} days")),
            _ => None,
        }
    }
}
