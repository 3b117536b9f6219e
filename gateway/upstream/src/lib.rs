//! Upstreams: choosing the endpoint for a request, and connecting to it.
//!
//! For each attempt, [`Upstream::pick`] chooses an endpoint, [`Pool::take`]
//! looks for an idle connection to it, [`Endpoint::connect`] makes a new one,
//! and [`InFlight::report`] reports the outcome.
//!
//! Ownership:
//!
//! - **Shared by all workers, and kept across reloads**: the [`Endpoint`] with
//!   its in-flight count, health, addresses and counters, which are atomics.
//!   The [`Registry`] finds it again by the upstream's name and the endpoint's
//!   address.
//! - **Shared by all workers, for one snapshot**: the [`Upstream`], which is
//!   immutable.
//! - **Owned by one worker**: its [`Pool`], and a [`Cursor`] for each upstream.
//!
//! Where names are looked up for endpoints that a snapshot does not name itself: [`Names`].
//!
//! Names are resolved on a separate thread, see [`Resolver`]; nothing else
//! waits for it. Decisions take `now_ms` as an argument: milliseconds of a
//! monotonic clock that all workers share.

mod address;
mod balance;
mod connect;
mod connection;
mod endpoint;
mod failure_streak;
mod health;
mod names;
mod pool;
mod registry;
mod resolver;
mod upstream;

pub use address::Address;
pub use balance::{Balance, Cursor, Tried};
pub use connect::{ConnectError, Remote};
pub use connection::Connection;
pub use endpoint::{Counters, DISTRUST_MS, Endpoint, EndpointId, InFlight, Resolution};
pub use failure_streak::Failing;
pub use health::{AttemptOutcome, Change, Health, PassiveHealth};
pub use names::{Family, Found, Listed, MOST_FOUND, NameList, Names, Question};
pub use pool::{Lease, Pool};
pub use registry::Registry;
pub use resolver::{HOSTS_FILE, Resolver};
pub use upstream::{EndpointSpec, Member, Picked, Unavailable, Upstream, UpstreamSpec};
