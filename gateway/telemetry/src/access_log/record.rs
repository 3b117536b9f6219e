//! What is known about a request once it is over.

use std::net::IpAddr;

/// A finished request. Everything is borrowed; whatever a client or an upstream
/// may have chosen is bytes, and is written as text with what is not UTF-8
/// replaced.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// When the request head was parsed: milliseconds since the Unix epoch.
    pub time_unix_millis: u64,
    /// The request's id, also sent to the upstream.
    pub request_id: &'a [u8],
    /// The client's address, after trusted proxies were taken into account.
    pub client_ip: IpAddr,
    /// The request method.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host asked for, without port.
    pub host: &'a [u8],
    /// The path as the client sent it.
    pub path: &'a [u8],
    /// The query without its question mark, if there was one.
    pub query: Option<&'a [u8]>,
    /// `1.0`, `1.1` or `2`.
    pub http_version: &'a str,
    /// `1.2` or `1.3`; none without TLS.
    pub tls_version: Option<&'a str>,
    /// The status sent; none if the client left before one was.
    pub status: Option<u16>,
    /// Body bytes received from the client.
    pub bytes_in: u64,
    /// Body bytes sent to the client.
    pub bytes_out: u64,
    /// Microseconds from the parsed head to the last byte sent.
    pub duration_us: u64,
    /// The site that matched.
    pub site: Option<&'a str>,
    /// The route that matched.
    pub route: Option<&'a str>,
    /// Who made the answer: `upstream`, `files`, `cache`, `policy`, `gateway`.
    pub answered_by: Option<&'a str>,
    /// What the cache did, in a word.
    pub cache: Option<&'a str>,
    /// Why.
    pub cache_detail: Option<&'a str>,
    /// The upstream's name.
    pub upstream: Option<&'a str>,
    /// The address of the endpoint that was asked last.
    pub endpoint: Option<&'a str>,
    /// Microseconds to open the connection; none on a kept one.
    pub upstream_connect_us: Option<u64>,
    /// Microseconds from sending the request to the response head.
    pub upstream_head_us: Option<u64>,
    /// Microseconds from sending the request to the end of the response body.
    pub upstream_total_us: Option<u64>,
    /// What went wrong, in the words of `Proxy-Status` and the metrics.
    pub failure: Option<&'a str>,
    /// What policies had to say about this request, in order.
    pub notes: &'a [Note<'a>],
    /// `User-Agent` as sent.
    pub user_agent: Option<&'a [u8]>,
    /// `Referer` as sent.
    pub referer: Option<&'a [u8]>,
}

/// A policy's note on a request.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// The policy's name in the configuration.
    pub policy: &'a str,
    /// What it said.
    pub text: &'a str,
}
