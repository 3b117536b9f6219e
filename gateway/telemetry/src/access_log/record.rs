//! The data of a finished request, for its log line.

use std::net::IpAddr;

/// A finished request. Everything is borrowed. Values that a client or an
/// upstream may have chosen are bytes; invalid UTF-8 in them is replaced when
/// they are written.
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
    /// The requested host, without its port.
    pub host: &'a [u8],
    /// The requested path, normalised.
    pub path: &'a [u8],
    /// The query without its question mark, if there is one.
    pub query: Option<&'a [u8]>,
    /// `1.0`, `1.1` or `2`.
    pub http_version: &'a str,
    /// `1.2` or `1.3`; none without TLS.
    pub tls_version: Option<&'a str>,
    /// The cipher suite by its IANA name; none without TLS.
    pub tls_cipher: Option<&'a str>,
    /// The name that the client asked for (SNI).
    pub tls_server_name: Option<&'a str>,
    /// The status code sent; none if the client closed the connection before
    /// one was.
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
    /// The source of the response: `upstream`, `files`, `cache`, `policy`,
    /// `gateway`.
    pub answered_by: Option<&'a str>,
    /// How the cache handled the request, in one word.
    pub cache: Option<&'a str>,
    /// The reason, as in the `detail` of `Cache-Status`.
    pub cache_detail: Option<&'a str>,
    /// The upstream's name.
    pub upstream: Option<&'a str>,
    /// The address of the endpoint of the last attempt.
    pub endpoint: Option<&'a str>,
    /// Microseconds to open the connection; none if a connection was reused.
    pub upstream_connect_us: Option<u64>,
    /// Microseconds from sending the request to the response head.
    pub upstream_head_us: Option<u64>,
    /// Microseconds from sending the request to the end of the response body.
    pub upstream_total_us: Option<u64>,
    /// The failure, by the same word as in `Proxy-Status` and the metrics.
    pub failure: Option<&'a str>,
    /// Details of failures, in order.
    pub notes: &'a [Note<'a>],
    /// The words that policies left on the request.
    pub annotations: &'a [Word<'a>],
    /// The variables that policies have set.
    pub variables: &'a [Word<'a>],
    /// `User-Agent` as sent.
    pub user_agent: Option<&'a [u8]>,
    /// `Referer` as sent.
    pub referer: Option<&'a [u8]>,
}

/// A word of a policy, or a variable.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// Its name, as `policy.name`.
    pub name: &'a str,
    /// Its value.
    pub value: &'a [u8],
}

/// A detail of a failure.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// The policy's name in the configuration, or the word of the failure.
    pub of: &'a str,
    /// The text of the note.
    pub text: &'a str,
}
