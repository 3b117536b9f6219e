//! The areas of the suite whose behaviour does not depend on whether clients use TLS, a second
//! time: in this binary the harness adds TLS to every configuration, and connects with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "these are tests"
)]

mod coded;
mod compression;
mod compression_streams;
mod files;
mod files_conditional;
mod files_large;
mod forwarding_bodies;
mod forwarding_connection;
mod forwarding_fields;
mod forwarding_paths;
mod framing;
mod hostile_limits;
mod hostile_rates;
mod internal_headers;
mod proxy_protocol;
mod streaming;
mod websocket;
