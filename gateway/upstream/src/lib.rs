//! Upstreams: which endpoint takes a request, and how to reach it.
//!
//! On a request's way this stands between the cache and the sending of the
//! request: [`Upstream::pick`] chooses an endpoint, [`Pool::take`] looks for an
//! idle connection to it, [`Endpoint::connect`] makes a new one, and
//! [`InFlight::report`] says how it went.
//!
//! What belongs to whom:
//!
//! - **Shared by all workers, and kept across reloads**: the [`Endpoint`], with
//!   its in-flight count, health, addresses and counters, all atomics. The
//!   [`Registry`] finds it again by the upstream's name and its address.
//! - **Shared by all workers, of one snapshot**: the [`Upstream`], immutable.
//! - **Of one worker**: its [`Cursor`] in each upstream and its [`Pool`].
//!
//! Names are resolved on a thread of their own, see [`Resolver`]; nothing here
//! waits for it. Deciding takes `now_ms` as an argument: milliseconds on a
//! monotonic clock that is one and the same for all workers.

mod address;
mod balance;
mod connect;
mod connection;
mod endpoint;
mod health;
mod pool;
mod registry;
mod resolver;
mod standing;
mod upstream;

pub use address::Address;
pub use balance::{Balance, Cursor, Tried};
pub use connect::{ConnectError, Remote};
pub use connection::Connection;
pub use endpoint::{Counters, DISTRUST_MS, Endpoint, EndpointId, InFlight, Resolution};
pub use health::{AttemptOutcome, Change, Health, PassiveHealth};
pub use pool::{Lease, Pool};
pub use registry::Registry;
pub use resolver::{HOSTS_FILE, Resolver};
pub use standing::Failing;
pub use upstream::{EndpointSpec, Member, Picked, Unavailable, Upstream, UpstreamSpec};
