//! The header of the PROXY protocol, versions 1 and 2: a load balancer in front of the gateway
//! states for which client it has opened a connection (HAProxy's `proxy-protocol.txt`), and
//! the gateway states the same to upstreams.
//!
//! Nothing here reads a socket. The grammar is left to the crate ppp; what is here decides
//! where a header ends, so that the next byte is the client's first one.

mod read;
mod write;

pub use read::{Malformed, V1_MAX, V2_MAX, parse};
pub use write::{Certificate, Tls, Version, write};
