//! HTTP/2 connections to upstreams, each of which is shared by the streams of many requests.
//!
//! The library `h2` reads and writes the frames: what it costs for each connection matters little
//! here, where a few carry everything. A task of the worker drives each connection ([`connection`]).
//! The worker looks after all of them once a second ([`Connections::tick`]): it closes those without
//! streams, and asks those that have become silent whether they are still alive ([`liveness`]).

mod connection;
mod connections;
mod io;
mod liveness;
mod opening;

pub(crate) use connection::SharedConnection;
pub(crate) use connections::Connections;
pub(crate) use opening::{Opened, Opening};

use crate::upstream_tls::UpstreamTls;

#[cfg(test)]
mod tests;

/// The version of HTTP on the connections to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http11,
    Http2,
    /// The one that the endpoint selects by ALPN.
    Auto,
}

/// What is fixed when a connection is opened: another request may use it only if its upstream has
/// the same.
#[derive(Clone, Debug)]
pub(crate) struct Sharing {
    /// None for cleartext.
    pub(crate) tls: Option<UpstreamTls>,
    /// The largest head of a response, which the upstream is told.
    pub(crate) max_head: usize,
}

impl Sharing {
    fn is_same(&self, other: &Self) -> bool {
        UpstreamTls::are_same(self.tls.as_ref(), other.tls.as_ref())
            && self.max_head == other.max_head
    }
}
