//! Questions to the DNS.
//!
//! Nothing is cached, so that a change is seen as soon as it is there; resolvers
//! have caches of their own.

mod ask;
mod delegation;
mod persist;
mod propagation;
mod resolvers;
mod response;
mod servers;
mod target;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::names;
use crate::records::Zones;

pub use delegation::{DelegationError, Missing};
pub use persist::{Persist, persist_value};

/// Asks the DNS. It holds settings only; each question has a socket of its own.
/// Its methods run on tokio and can be moved between threads.
#[derive(Debug, Clone)]
pub struct Lookup {
    settings: LookupSettings,
}

/// How the DNS is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupSettings {
    /// Recursive resolvers, which are asked one after the other until one has an
    /// answer. None means those of `/etc/resolv.conf`, which is read each time.
    pub resolvers: Vec<SocketAddr>,
    /// Who has to know a value before an authority is asked to look for it.
    pub check: Check,
    /// How long one server may take for one answer. A datagram is sent three times
    /// within it.
    pub timeout: Duration,
    /// The port of authoritative name servers. Only tests use another than 53.
    pub authoritative_port: u16,
}

/// Who has to know a value before an authority is asked to look for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// All name servers of the zone. An authority asks one of them, and no cache
    /// is involved.
    #[default]
    Authoritative,
    /// The resolvers, for networks that reach no others. A resolver that was asked
    /// before the value was there may not see it before its negative answer
    /// expires, as the SOA record of the zone says: often minutes.
    Resolvers,
    /// Nobody.
    Off,
}

impl Lookup {
    /// Opens no socket yet.
    ///
    /// # Errors
    /// If the timeout is zero.
    pub fn new(settings: LookupSettings) -> Result<Self, Error> {
        if settings.timeout.is_zero() {
            return Err(Error::new(
                "The time limit of a question to the DNS is zero.",
            ));
        }
        Ok(Self { settings })
    }

    /// Where the value for a domain belongs: the last name of the aliases (CNAME)
    /// that begin at its [`challenge_name`](crate::challenge_name), which is that
    /// itself if it is none. The last name need not exist.
    ///
    /// # Errors
    /// If there are more than eight aliases or they go round in a circle, or if no
    /// resolver answers.
    pub async fn challenge_target(&self, domain: &str) -> Result<String, Error> {
        let name = names::parse(&names::challenge_name(domain))?;
        let target = self.follow(name).await?;
        Ok(names::text(&target))
    }

    /// Waits until everybody who has to (see [`Check`]) answers with this TXT
    /// value at the name. They are asked at growing intervals, from half a second
    /// to ten seconds.
    ///
    /// All addresses of a server are asked. It may be silent at some, so that an
    /// address of IPv6 does no harm where there is no IPv6.
    ///
    /// A value at the gateway's own [`Responder`](crate::Responder) is there at
    /// once. It needs no waiting, which fails besides where the gateway cannot
    /// reach itself at its public address.
    ///
    /// # Errors
    /// At the deadline, what each server last answered: `ns2.example.net.
    /// (192.0.2.2) does not have the value yet; it has 1 other value`.
    pub async fn wait_for(&self, name: &str, value: &str, deadline: Instant) -> Result<(), Error> {
        let name = names::parse(name)?;
        self.wait(&name, value, deadline.into()).await
    }

    /// Whether the records that delegate the challenges of a domain are there, as
    /// resolvers see them. The challenge name may be an alias of an alias: what
    /// counts is where it ends.
    ///
    /// The resolvers ask the [`Responder`](crate::Responder) itself for its zone:
    /// so this fails too if it does not run or cannot be reached.
    ///
    /// # Errors
    /// The records that are missing, with what is there instead.
    pub async fn verify_delegation(
        &self,
        domain: &str,
        zones: &Zones,
    ) -> Result<(), DelegationError> {
        self.verify(domain, zones).await
    }

    /// Looks for the record of `dns-persist-01` at `_validation-persist.` and the
    /// domain that names one of these issuers and this account, and that has not
    /// expired. Of several, one for wildcards comes first, and then the one that
    /// is valid longest.
    ///
    /// # Errors
    /// If no resolver answers.
    pub async fn persist_record(
        &self,
        domain: &str,
        issuers: &[String],
        account_uri: &str,
    ) -> Result<Persist, Error> {
        self.find_persist(domain, issuers, account_uri).await
    }
}
