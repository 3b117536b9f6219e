//! Load balancing: which of the eligible endpoints gets the next request.
//!
//! A [`crate::Cursor`] knows the endpoints that are eligible, and asks one of the modules below.

use std::net::IpAddr;

pub(crate) mod ip_hash;
pub(crate) mod least_conn;
pub(crate) mod ring;
pub(crate) mod round_robin;
pub(crate) mod two;

/// How an upstream spreads its requests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Balance {
    /// Weighted round robin.
    #[default]
    RoundRobin,
    /// To the endpoint with the fewest requests in flight relative to its
    /// weight, counted over all workers; round robin among equals.
    LeastConn,
    /// To the endpoint with fewer requests in flight relative to its weight, of two
    /// that are drawn at random.
    RandomTwo,
    /// To the endpoint that is expected to respond sooner, of two that are drawn at
    /// random.
    Latency,
    /// By the client's address, with the numbers of nginx. Round robin for requests
    /// without [`Key::Client`].
    IpHash,
    /// By consistent hashing. Round robin for requests without [`Key::Hash`].
    Hash {
        /// How many times its share of the requests in flight an endpoint may have.
        bounded: Option<f64>,
    },
}

/// What ties a request to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Affinity {
    /// What balances by hash choose by.
    pub key: Key,
    /// The index of the endpoint that the request's session belongs to.
    pub session: Option<usize>,
}

/// What a balance by hash chooses by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Key {
    /// The request has no such value.
    #[default]
    None,
    /// The hash of a value of the request. It must be the same in every process.
    Hash(u64),
    /// The client's address.
    Client(IpAddr),
}

#[cfg(test)]
mod tests;
