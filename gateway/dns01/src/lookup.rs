//! Questions to the DNS.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::records::{Record, Zones};

/// Asks the DNS.
#[derive(Debug, Clone)]
pub struct Lookup;

/// How the DNS is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupSettings {
    /// Recursive resolvers; none means those of the system.
    pub resolvers: Vec<SocketAddr>,
    /// Who has to know a value before an authority is asked to look for it.
    pub check: Check,
    /// How long one server may take for one answer.
    pub timeout: Duration,
    /// The port of authoritative name servers. Tests use others than 53.
    pub authoritative_port: u16,
}

/// Who has to know a value before an authority is asked to look for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// All name servers of the zone.
    #[default]
    Authoritative,
    /// The resolvers.
    Resolvers,
    /// Nobody.
    Off,
}

/// What is wrong with a delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationError {
    /// At least one.
    pub missing: Vec<Missing>,
}

/// A record that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What has to be there.
    pub record: Record,
    /// What is there instead, as a sentence.
    pub found: String,
}

/// The result of [`Lookup::persist_record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Persist {
    /// There is a valid record.
    Found {
        /// Until when, in seconds since 1970; none means for ever.
        persist_until: Option<i64>,
        /// Whether it is also valid for wildcards and names below the domain.
        wildcard: bool,
    },
    /// There is none.
    NotFound {
        /// A sentence for each record that is there instead.
        found: Vec<String>,
    },
}

impl Lookup {
    /// Opens no socket yet.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn new(_settings: LookupSettings) -> Result<Self, Error> {
        Ok(Self)
    }

    /// Where the value for a domain belongs.
    ///
    /// # Errors
    /// If the DNS cannot be asked.
    pub async fn challenge_target(&self, _domain: &str) -> Result<String, Error> {
        Err(Error::new("unfinished"))
    }

    /// Waits until the value is there.
    ///
    /// # Errors
    /// At the deadline.
    pub async fn wait_for(
        &self,
        _name: &str,
        _value: &str,
        _deadline: Instant,
    ) -> Result<(), Error> {
        Err(Error::new("unfinished"))
    }

    /// Whether the delegation works.
    ///
    /// # Errors
    /// With the records that are missing.
    pub async fn verify_delegation(
        &self,
        _domain: &str,
        _zones: &Zones,
    ) -> Result<(), DelegationError> {
        Ok(())
    }

    /// Looks for a record of dns-persist-01.
    ///
    /// # Errors
    /// If the DNS cannot be asked.
    pub async fn persist_record(
        &self,
        _domain: &str,
        _issuers: &[String],
        _account_uri: &str,
    ) -> Result<Persist, Error> {
        Err(Error::new("unfinished"))
    }
}

/// The value of the record of dns-persist-01.
#[must_use]
pub fn persist_value(issuer: &str, account_uri: &str, wildcard: bool) -> String {
    let policy = if wildcard { "; policy=wildcard" } else { "" };
    format!("{issuer}; accounturi={account_uri}{policy}")
}

impl fmt::Display for DelegationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, missing) in self.missing.iter().enumerate() {
            let space = if n == 0 { "" } else { " " };
            let Missing { record, found } = missing;
            write!(f, "{space}The record `{record}` is missing: {found}.")?;
        }
        Ok(())
    }
}

impl std::error::Error for DelegationError {}
