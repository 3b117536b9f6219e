//! What a policy may ask for, independent of the contract's version.

use std::fmt;

/// The moments at which a policy may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Once for each request, before the cache.
    Request,
    /// Once for each answer of the target (an upstream's answer or
    /// revalidation, or a file), before the cache stores it.
    Fetched,
    /// When the target has no such thing: no file, or an upstream's 404 if asked.
    Missing,
    /// On every delivery, whatever made the response.
    Response,
}

impl Phase {
    /// All of them, in the order of an exchange.
    pub const ALL: [Self; 4] = [Self::Request, Self::Fetched, Self::Missing, Self::Response];

    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Fetched => "fetched",
            Self::Missing => "missing",
            Self::Response => "response",
        }
    }
}

/// One thing about an exchange that a policy may ask for. The meaning of each
/// is written in `wit/types.wit`. Field names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// The request method.
    Method,
    /// `http` or `https`.
    Scheme,
    /// `1.0`, `1.1` or `2`.
    HttpVersion,
    /// The client's address behind trusted proxies.
    ClientIp,
    /// The address of the connection's peer.
    PeerIp,
    /// The identifier of the request.
    RequestId,
    /// The first name of the matched site.
    Site,
    /// The path or name of the matched route.
    Route,
    /// The host as the client asked for it.
    OriginalHost,
    /// The normalised path as the client asked for it.
    OriginalPath,
    /// The query as the client sent it.
    OriginalQuery,
    /// The host as edited so far.
    Host,
    /// The path as edited so far.
    Path,
    /// The path exactly as sent.
    RawPath,
    /// The extension of the last path segment.
    Extension,
    /// The query as edited so far.
    Query,
    /// A request field.
    Header(Box<str>),
    /// Whether the request has a field.
    HeaderPresent(Box<str>),
    /// The first cookie of this name.
    Cookie(Box<str>),
    /// Whether there is a cookie of this name.
    CookiePresent(Box<str>),
    /// A query parameter, decoded.
    QueryParameter(Box<str>),
    /// A query parameter, as sent.
    RawQueryParameter(Box<str>),
    /// The TLS version.
    TlsVersion,
    /// The server name that the client indicated.
    TlsServerName,
    /// The subject of the client's certificate. Not carried out yet.
    TlsClientSubject,
    /// The fingerprint of the client's certificate. Not carried out yet.
    TlsClientFingerprint,
    /// Unix seconds. Handed over, but no part of the memo key.
    Now,
    /// The body as text, up to this many bytes. Not carried out yet.
    BodyText(u32),
    /// The body in base64, up to this many bytes. Not carried out yet.
    BodyBase64(u32),
    /// The status of the response.
    Status,
    /// A response field.
    ResponseHeader(Box<str>),
    /// Whether the response has a field.
    ResponseHeaderPresent(Box<str>),
    /// What made the response.
    AnsweredBy,
}

impl Input {
    /// Credentials by their nature, whatever the policy says: these enter a
    /// memo only as a keyed MAC and are never printed.
    pub fn is_credential(&self) -> bool {
        match self {
            Self::Header(name) => {
                matches!(&**name, "authorization" | "proxy-authorization" | "cookie")
            }
            Self::ResponseHeader(name) => &**name == "set-cookie",
            Self::Cookie(_) => true,
            _ => false,
        }
    }

    /// Whether it has a meaning in a phase: what tells of a response has none
    /// before there is one, and what made it is said on delivery.
    pub fn is_known_in(&self, phase: Phase) -> bool {
        match self {
            Self::Status | Self::ResponseHeader(_) | Self::ResponseHeaderPresent(_) => {
                phase != Phase::Request
            }
            Self::AnsweredBy => phase == Phase::Response,
            _ => true,
        }
    }

    /// Whether this version of the gateway does not provide it.
    pub(crate) fn is_waiting_for_a_later_version(&self) -> bool {
        matches!(
            self,
            Self::TlsClientSubject
                | Self::TlsClientFingerprint
                | Self::BodyText(_)
                | Self::BodyBase64(_)
        )
    }
}

/// As the contract spells it, for example `header(x-api-key)`.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = match self {
            Self::Method => "method",
            Self::Scheme => "scheme",
            Self::HttpVersion => "http-version",
            Self::ClientIp => "client-ip",
            Self::PeerIp => "peer-ip",
            Self::RequestId => "request-id",
            Self::Site => "site",
            Self::Route => "route",
            Self::OriginalHost => "original-host",
            Self::OriginalPath => "original-path",
            Self::OriginalQuery => "original-query",
            Self::Host => "host",
            Self::Path => "path",
            Self::RawPath => "raw-path",
            Self::Extension => "extension",
            Self::Query => "query",
            Self::TlsVersion => "tls-version",
            Self::TlsServerName => "tls-server-name",
            Self::TlsClientSubject => "tls-client-subject",
            Self::TlsClientFingerprint => "tls-client-fingerprint",
            Self::Now => "now",
            Self::Status => "status",
            Self::AnsweredBy => "answered-by",
            Self::Header(name) => return write!(f, "header({name})"),
            Self::HeaderPresent(name) => return write!(f, "header-present({name})"),
            Self::Cookie(name) => return write!(f, "cookie({name})"),
            Self::CookiePresent(name) => return write!(f, "cookie-present({name})"),
            Self::QueryParameter(name) => return write!(f, "query-parameter({name})"),
            Self::RawQueryParameter(name) => return write!(f, "raw-query-parameter({name})"),
            Self::ResponseHeader(name) => return write!(f, "response-header({name})"),
            Self::ResponseHeaderPresent(name) => {
                return write!(f, "response-header-present({name})");
            }
            Self::BodyText(limit) => return write!(f, "body-text({limit})"),
            Self::BodyBase64(limit) => return write!(f, "body-base64({limit})"),
        };
        f.write_str(plain)
    }
}

/// What the proxy knows of an exchange.
pub trait Facts {
    /// Appends the bytes of an input to `out` and returns true, or appends
    /// nothing and returns false if it is absent. [`Input::Now`] is never
    /// asked for: the host has it.
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool;
}

/// The time, taken once a request by the proxy.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Milliseconds of a clock that never goes back, from any origin that all workers share.
    pub monotonic_ms: u64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: u64,
}
