//! An upstream as requests are sent to it.

use std::sync::Arc;
use std::time::Duration;

use janua_http::head::Limits;
use janua_upstream::Upstream;
use janua_wasm::Input;

use crate::discovery::Discovery;
use crate::retries::Retries;
use crate::stats::UpstreamStats;
use crate::sticky::Sticky;
use crate::upstream_http2::{Protocol, Sharing};
use crate::upstream_tls::UpstreamTls;

/// An upstream and how requests are sent to it.
#[derive(Clone, Debug)]
pub(crate) struct Forwarding {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) response_limits: Limits,
    pub(crate) retries: Arc<Retries>,
    pub(crate) response_head_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    /// Connections are encrypted in this way; none for cleartext.
    pub(crate) tls: Option<UpstreamTls>,
    /// The version of HTTP on connections.
    pub(crate) protocol: Protocol,
    /// Which connections of HTTP/2 requests may share.
    pub(crate) shared: Sharing,
    /// The sessions of clients; none if each request is balanced by itself.
    pub(crate) sticky: Option<Arc<Sticky>>,
    /// What requests are balanced by; none if nothing ties them to an endpoint.
    pub(crate) balanced_by: Option<BalancedBy>,
    /// The version of the PROXY header that each connection begins with; none for no header.
    pub(crate) proxy_header: Option<janua_proxy_protocol::Version>,
    pub(crate) stats: Arc<UpstreamStats>,
    /// Where its endpoints come from, unless the configuration names all of them.
    pub(crate) discovery: Option<Arc<Discovery>>,
}

/// What the requests to an upstream are balanced by.
#[derive(Clone, Debug)]
pub(crate) enum BalancedBy {
    /// The client's address.
    Client,
    /// The hash of a value.
    Input(Input),
}
