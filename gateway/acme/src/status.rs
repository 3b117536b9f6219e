//! What is known of each name, for operators.

use std::sync::Arc;

use janua_tls::Certificate;

use crate::failure::Failure;
use crate::schedule::Window;

/// A name that needs a certificate.
#[derive(Debug, Clone)]
pub struct NameStatus {
    /// The name of the authority that is asked first.
    pub authority: String,
    /// The name.
    pub name: String,
    /// How it is getting on.
    pub state: State,
    /// What clients get; none if that is a self-signed certificate.
    pub certificate: Option<Arc<Certificate>>,
    /// The authority that has issued it, by its name.
    pub issuer: Option<String>,
    /// Whether it is ordered only because a client asked for the name.
    pub on_demand: bool,
    /// When it is to be renewed, in seconds since 1970.
    pub renew_at: Option<i64>,
    /// The window for that, if the authority has one.
    pub window: Option<Window>,
    /// Where the authority explains its window.
    pub explanation: Option<String>,
    /// How many orders in a row have failed.
    pub failures: u32,
    /// Why the last one has failed, and when, in seconds since 1970.
    pub last_failure: Option<(i64, Failure)>,
    /// When it is tried again, in seconds since 1970.
    pub next_attempt: Option<i64>,
    /// The records that have to be in the DNS once, as lines of a zone file, if the
    /// gateway is the name server for the challenge.
    pub records: Vec<String>,
    /// What is missing of these records; empty if all are there, or nobody has looked yet.
    pub missing: Vec<String>,
}

/// How a name is getting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The first certificate has not been issued yet.
    Pending,
    /// It has a certificate that is not due for renewal.
    Valid,
    /// It is being renewed, or that is due.
    Renewing,
    /// The last order has failed.
    Failing,
    /// The authority has revoked its certificate.
    Revoked,
}

/// Something that has happened to a certificate.
#[derive(Debug, Clone)]
pub struct Event {
    /// The name that it is for.
    pub name: String,
    /// What has happened.
    pub state: EventState,
    /// The same as a sentence.
    pub text: String,
    /// More of it, for programs.
    pub details: serde_json::Value,
    /// When, in seconds since 1970.
    pub time: i64,
}

/// What has happened to a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// The first one was issued.
    Issued,
    /// A new one has taken the place of the former.
    Renewed,
    /// An order has failed, after others had succeeded.
    Failed,
    /// It will soon expire and could not be renewed.
    Expiring,
    /// It has expired.
    Expired,
    /// It was revoked.
    Revoked,
}

impl EventState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Renewed => "renewed",
            Self::Failed => "failed",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}
