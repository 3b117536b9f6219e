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
    /// How it is kept valid, if it is issued by ACME. Without a certificate yet, the fields
    /// above are empty or 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<AcmeStatus>,
}

/// A certificate that an authority issues by ACME.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeStatus {
    /// The name that it is ordered for.
    pub name: String,
    /// The name of the authority that is asked first; `default` for `[acme]`.
    pub authority: String,
    /// The name of the authority that has issued the one in use.
    pub issued_by: Option<String>,
    /// How it is getting on.
    pub state: AcmeState,
    /// Whether it is there because a client asked for the name.
    pub on_demand: bool,
    /// When it is to be renewed.
    pub renew_at_unix_ms: Option<i64>,
    /// The first and the last moment for that, if the authority has chosen them (RFC 9773).
    pub window_unix_ms: Option<[i64; 2]>,
    /// The page on which the authority explains them.
    pub explanation: Option<String>,
    /// How many orders have failed since the last that succeeded.
    pub failures: u32,
    /// Why the last one has failed.
    pub last_failure: Option<AcmeFailure>,
    /// When the next attempt is made, if orders fail.
    pub next_attempt_unix_ms: Option<i64>,
    /// The records that the DNS needs once, as lines of a zone file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_records: Vec<String>,
    /// What is missing of them, and what was found instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_missing: Vec<String>,
}

/// How a certificate by ACME is getting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcmeState {
    /// The first one has not been issued yet: clients get a self-signed one.
    Pending,
    /// It is not due for renewal.
    Valid,
    /// It is being renewed.
    Renewing,
    /// The last order has failed.
    Failing,
    /// The authority has revoked it.
    Revoked,
}

impl AcmeState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Valid => "valid",
            Self::Renewing => "renewing",
            Self::Failing => "failing",
            Self::Revoked => "revoked",
        }
    }
}

/// Why an order has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeFailure {
    /// When.
    pub at_unix_ms: i64,
    /// The type of the authority's problem document (RFC 8555, section 6.7), such as
    /// `rateLimited`, or `dns`, `protocol`, `settings`, `storage`, `timeout`,
    /// `unreachable`.
    pub kind: String,
    /// A sentence.
    pub detail: String,
    /// The problem document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<serde_json::Value>,
}

/// Whose certificate is to be renewed or revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// A name that the certificate covers.
    pub name: String,
}

/// Who has made a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateSource {
    /// It comes from files that the configuration names.
    Files,
    /// The gateway, for development.
    SelfSigned,
    /// An authority, by ACME.
    Acme,
}

impl CertificateSource {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::SelfSigned => "self-signed",
            Self::Acme => "acme",
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
        // It is renewed in time, unless that fails.
        let is_kept = |acme: &AcmeStatus| acme.state != AcmeState::Failing;
        if self.fingerprint.is_empty() || self.acme.as_ref().is_some_and(is_kept) {
            return None;
        }
        match self.days_left {
            0 => Some("it expires within a day".to_owned()),
            1 => Some("it expires in 1 day".to_owned()),
            days if (2..FEW_DAYS).contains(&days) => Some(format!("it expires in {days} days")),
            _ => None,
        }
    }
}
