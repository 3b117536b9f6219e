//! What the ACME challenge DNS-01 (RFC 8555, section 8.4) needs of the DNS.
//!
//! An authority gives a value, and looks for it in a TXT record at
//! `_acme-challenge.` and the domain. There are three ways to get it there:
//!
//! - [`Responder`] is a name server of the gateway's own, which has the values
//!   and nothing else. The operator delegates to it once: the [`records`] say
//!   how, and [`Lookup::verify_delegation`] whether it was done.
//! - [`Webhook`] tells a service of the operator's, which changes the zone.
//! - With `dns-persist-01`, a record that the operator adds once stays:
//!   [`persist_value`], and [`Lookup::persist_record`].
//!
//! [`Lookup`] finds out where a value belongs, and waits until the name servers
//! of its zone have it.
//!
//! This crate knows neither the configuration nor the ACME client. It speaks the
//! DNS with the codec of hickory-proto, over sockets of its own:
//!
//! - hickory-server starts a task for each datagram and accepts any number of
//!   connections, has no rate limit, writes a line of the log for each query,
//!   and decodes all records of a query before it can be refused. It is on the
//!   open internet, where all of these need a bound.
//! - hickory-resolver follows CNAME records itself and does not tell which when
//!   the last name does not exist, as is normal here; and it asks resolvers,
//!   where the servers of a zone have to be asked.
//!
//! `domain` and `hickory-proto` are the two maintained codecs; the gateway's
//! resolver already contains the latter.

mod error;
mod lookup;
mod names;
mod records;
mod responder;
mod webhook;

pub use error::Error;
pub use lookup::{Check, DelegationError, Lookup, LookupSettings, Missing, Persist, persist_value};
pub use names::{challenge_name, cname_target};
pub use records::{Record, RecordKind, Zones, records};
pub use responder::{Answers, Responder};
pub use webhook::Webhook;
