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
//!   address. The same holds for the [`Group`], which all endpoints of an
//!   upstream share, and which the registry finds by the name alone.
//! - **Shared by all workers, for one snapshot**: the [`Upstream`], which is
//!   immutable.
//! - **Owned by one worker**: its [`Pool`], and a [`Cursor`] for each upstream,
//!   with the endpoints that may be chosen. It is worked out anew only after
//!   [`Group::change`], or when an [`Admission`] ends by time: a choice costs the
//!   same among three endpoints and among a thousand.
//!
//! [`split::Split`] comes before all of that: it chooses the upstream itself, for routes that
//! divide their requests among several. A name may also stand for several endpoints, which are
//! found while the gateway runs: see [`Names`].
//!
//! Names are resolved on a separate thread, see [`Resolver`]; nothing else
//! waits for it. Decisions take `now_ms` as an argument: milliseconds of a
//! monotonic clock that all workers share.

mod adaptive;
mod address;
mod admission;
mod balance;
mod check;
mod condition;
mod connect;
mod connection;
mod cursor;
mod eligibility;
mod endpoint;
mod failure_streak;
mod group;
mod head_times;
mod health;
mod latency;
mod limits;
mod names;
mod outliers;
mod panic;
mod pool;
mod random;
mod registry;
mod repeats;
mod resolver;
mod retry_budget;
mod slow_start;
pub mod split;
#[cfg(test)]
mod testing;
mod tier;
mod tried;
mod upstream;
mod waiting;

pub use adaptive::AdaptiveRule;
pub use address::Address;
pub use admission::{Admission, Entry};
pub use balance::{Affinity, Balance, Key};
pub use check::{CheckFailing, CheckFailure, CheckResult, CheckRule, CheckState, Checks};
pub use condition::{FailingRequests, Ill, Observer, Shown, Transition};
pub use connect::{ConnectError, Remote};
pub use connection::Connection;
pub use cursor::Cursor;
pub use endpoint::{Counters, DISTRUST_MS, Endpoint, EndpointId, InFlight, Resolution};
pub use failure_streak::Failing;
pub use group::Group;
pub use head_times::HeadTimes;
pub use health::{AttemptOutcome, Change, Health, PassiveHealth};
pub use limits::{Limit, Limits, Place};
pub use names::{Family, Found, Listed, MOST_FOUND, NameList, Names, Question};
pub use outliers::{
    Ejection, EjectionReason, ErrorKind, ErrorLimits, Outliers, RetryAfter, Shift, SuccessRate,
};
pub use panic::Panic;
pub use pool::{Lease, Pool};
pub use registry::Registry;
pub use repeats::{Held, Repeats};
pub use resolver::{HOSTS_FILE, Resolver};
pub use retry_budget::RetryBudget;
pub use split::Split;
pub use tried::Tried;
pub use upstream::{EndpointSpec, Member, Picked, Unavailable, Upstream, UpstreamSpec};
pub use waiting::{Handover, Waiter};
