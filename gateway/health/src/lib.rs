//! Active health checks: the gateway asks each endpoint again and again whether it works.
//!
//! A [`Check`] says what the endpoints of an upstream are asked for, how they are reached, and how
//! often. One [`Checker`] of the process has a thread of its own, on which each checked endpoint
//! has a task: it carries out a check, records the result
//! ([`record_check`](janua_upstream::Upstream::record_check)), and waits as long as [`Timing::wait`]
//! says. The endpoint's state is in `janua-upstream`, where requests consult it;
//! this crate is the only one that writes it.
//!
//! Each check opens a connection of its own and closes it: a connection that requests share would
//! tell whether that connection works. HTTP/1.1 is spoken by `hyper` and HTTP/2 by `h2`, both of
//! which the gateway has already; a client with a pool (`hyper-util`, `reqwest`) would keep the
//! connections, and the gRPC health protocol is one message of two fields, for which `tonic` would
//! bring a stack of its own.

mod check;
mod checker;
mod expectation;
mod failure;
mod follow;
mod grpc;
pub mod grpc_message;
mod http1;
mod http2;
mod probe;
mod task;
mod timing;

pub use check::{Check, GrpcCall, HttpRequest, Probe, Protocol, Reach};
pub use checker::{Assignment, Checker, awaits_first_result};
pub use expectation::{BodyPattern, Expectation, Statuses};
pub use timing::Timing;
