//! What the endpoints of an upstream are asked for, and how they are reached.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};
use janua_proxy_protocol::Version;
use janua_tls::Client;

use crate::expectation::Expectation;
use crate::timing::Timing;

/// The checks of an upstream.
#[derive(Debug, Clone)]
pub struct Check {
    /// What an endpoint is asked for.
    pub probe: Probe,
    /// How it is reached.
    pub reach: Reach,
    /// How often it is asked, and what follows.
    pub timing: Timing,
}

/// What an endpoint is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A response to a request.
    Http(Box<HttpRequest>),
    /// A connection, with TLS if the upstream has it.
    Tcp,
    /// The state of a service by the gRPC health protocol.
    Grpc(GrpcCall),
}

/// A request over HTTP, and the response with which a check passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The path, and the query if there is one. Begins with a slash.
    pub path: String,
    /// `Host`; none for the address of the endpoint.
    pub host: Option<String>,
    /// Further fields.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What the response must be.
    pub expectation: Expectation,
}

/// A call of `grpc.health.v1.Health/Check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcCall {
    /// The service that is asked about; empty for the whole server.
    pub service: String,
    /// The authority; none for the address of the endpoint.
    pub host: Option<String>,
    /// Further metadata.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// How endpoints are reached: as requests reach them.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The port to which checks connect; none for that of the endpoint.
    pub port: Option<u16>,
    /// None for cleartext.
    pub tls: Option<Arc<Client>>,
    /// The version of HTTP.
    pub protocol: Protocol,
    /// The version of the PROXY header that begins each connection; none for no header. It says
    /// that the gateway speaks for itself.
    pub proxy_header: Option<Version>,
}

/// The version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
    /// The one that the endpoint selects by ALPN.
    Auto,
}

impl Check {
    /// Whether the other one asks for the same in the same way, however often: its results are
    /// then as good as those of this one.
    pub(crate) fn asks_the_same(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.reach, &other.reach);
        let same_tls = match (&ours.tls, &theirs.tls) {
            (Some(one), Some(other)) => one.same_settings(other),
            (None, None) => true,
            _ => false,
        };
        self.probe == other.probe
            && same_tls
            && ours.port == theirs.port
            && ours.protocol == theirs.protocol
            && ours.proxy_header == theirs.proxy_header
    }
}
