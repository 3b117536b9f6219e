//! A listener as its connections use it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use janua_http::head::Limits;
use janua_router::Router;

use crate::client_limits::ClientLimits;
use crate::handshake::ListenerTls;
use crate::http2_settings::Http2Settings;
use crate::min_rate::MinRates;
use crate::stats::RouteStats;

/// The settings of a listener.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) trusted: Box<[IpNet]>,
    pub(crate) limits: Limits,
    pub(crate) idle_timeout: Duration,
    pub(crate) head_timeout: Duration,
    pub(crate) min_rates: MinRates,
    /// None for cleartext.
    pub(crate) tls: Option<Arc<ListenerTls>>,
    /// The peers that must begin each connection with a PROXY header.
    pub(crate) proxy_protocol: Box<[IpNet]>,
    /// Fields that are added to responses that no route made.
    pub(crate) headers: Box<[(Box<str>, Box<str>)]>,
    pub(crate) router: Router,
    /// Maps the indices of the router's sites to those of the snapshot.
    pub(crate) sites: Arc<[usize]>,
    /// The most open connections, of all workers together; 0 is no limit.
    pub(crate) max_connections: usize,
    /// What a client may take; none if nothing is limited.
    pub(crate) client_limits: Option<ClientLimits>,
    /// How many requests are answered on a connection; none for any number.
    pub(crate) max_requests: Option<u64>,
    /// The age from which on a connection is closed after its request.
    pub(crate) max_age: Option<Duration>,
    /// Settings of HTTP/2; none if clients must not use it.
    pub(crate) http2: Option<Http2Settings>,
    /// Counters of requests that matched no site.
    pub(crate) stats: Arc<RouteStats>,
}

impl Listener {
    /// True if the peer must begin each connection with a PROXY header.
    pub(crate) fn demands_proxy_header(&self, address: IpAddr) -> bool {
        let mut networks = self.proxy_protocol.iter();
        networks.any(|network| network.contains(&address))
    }

    /// True if the peer is a trusted proxy, whose forwarding fields are used.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }
}
