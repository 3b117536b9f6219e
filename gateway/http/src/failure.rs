//! Everything that can go wrong with an exchange, as one type.
//!
//! Each kind of failure has a responsible party, a status code, a word for the access log and
//! the metrics, and an error type in `Proxy-Status` (RFC 9209 §2.3). One place in the proxy
//! turns a failure into a response.

use std::borrow::Cow;

use crate::head::HeadError;

/// Who is responsible for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client's.
    Client,
    /// The upstream's.
    Upstream,
    /// The gateway's own, or its configuration's.
    Gateway,
    /// A policy's.
    Policy,
}

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table in `facts` describes each kind")]
pub enum Kind {
    BadRequest,
    RequestHeadTooLarge,
    RequestBodyTooLarge,
    RequestTimeout,
    ClientGone,
    MethodRefused,
    TransferCoding,
    HttpVersion,
    Misdirected,
    TooManyRequests,
    NoSite,
    NoRoute,
    MethodNotAllowed,
    NoFile,
    FileDenied,
    FilesBusy,
    FileFailed,
    NotStored,
    PolicyFailed,
    PolicyThrottled,
    PolicyOverloaded,
    PolicyInput,
    ConnectionRefused,
    ConnectTimeout,
    TlsHandshake,
    TlsCertificate,
    NoHttp2,
    NoUpgrade,
    Unreachable,
    Dns,
    NoneHealthy,
    NoWeight,
    ConnectionLimit,
    Overloaded,
    ConnectionReset,
    ResponseTimeout,
    ResponseMalformed,
    ResponseHeadTooLarge,
    ResponseIncomplete,
    ResponseStatus,
    WholeTimeout,
    Draining,
    Internal,
}

/// All kinds, for metrics and for the generated reference.
pub const KINDS: [Kind; 43] = [
    Kind::BadRequest,
    Kind::RequestHeadTooLarge,
    Kind::RequestBodyTooLarge,
    Kind::RequestTimeout,
    Kind::ClientGone,
    Kind::MethodRefused,
    Kind::TransferCoding,
    Kind::HttpVersion,
    Kind::Misdirected,
    Kind::TooManyRequests,
    Kind::NoSite,
    Kind::NoRoute,
    Kind::MethodNotAllowed,
    Kind::NoFile,
    Kind::FileDenied,
    Kind::FilesBusy,
    Kind::FileFailed,
    Kind::NotStored,
    Kind::PolicyFailed,
    Kind::PolicyThrottled,
    Kind::PolicyOverloaded,
    Kind::PolicyInput,
    Kind::ConnectionRefused,
    Kind::ConnectTimeout,
    Kind::TlsHandshake,
    Kind::TlsCertificate,
    Kind::NoHttp2,
    Kind::NoUpgrade,
    Kind::Unreachable,
    Kind::Dns,
    Kind::NoneHealthy,
    Kind::NoWeight,
    Kind::ConnectionLimit,
    Kind::Overloaded,
    Kind::ConnectionReset,
    Kind::ResponseTimeout,
    Kind::ResponseMalformed,
    Kind::ResponseHeadTooLarge,
    Kind::ResponseIncomplete,
    Kind::ResponseStatus,
    Kind::WholeTimeout,
    Kind::Draining,
    Kind::Internal,
];

struct Facts {
    fault: Fault,
    status: u16,
    word: &'static str,
    proxy_status: &'static str,
    words: &'static str,
}

impl Kind {
    /// The table of all kinds: fault, status, word, RFC 9209 error type, description.
    fn facts(self) -> Facts {
        use Fault::{Client, Gateway, Policy, Upstream};
        let (fault, status, word, proxy_status, words) = match self {
            Self::BadRequest => (
                Client,
                400,
                "bad_request",
                "http_request_error",
                "the request is malformed",
            ),
            Self::RequestHeadTooLarge => (
                Client,
                431,
                "request_head_too_large",
                "http_request_error",
                "the request head is larger than the limit",
            ),
            Self::RequestBodyTooLarge => (
                Client,
                413,
                "request_body_too_large",
                "http_request_error",
                "the request body is larger than the limit",
            ),
            Self::RequestTimeout => (
                Client,
                408,
                "request_timeout",
                "http_request_error",
                "the client did not send its request in time",
            ),
            Self::ClientGone => (
                Client,
                499,
                "client_gone",
                "http_request_error",
                "the client went away",
            ),
            Self::MethodRefused => (
                Client,
                405,
                "method_refused",
                "http_request_denied",
                "this gateway does not forward this method",
            ),
            Self::TransferCoding => (
                Client,
                501,
                "transfer_coding",
                "http_request_error",
                "a transfer coding other than chunked",
            ),
            Self::HttpVersion => (
                Client,
                505,
                "http_version",
                "http_request_error",
                "an HTTP version other than 1.0 and 1.1",
            ),
            Self::Misdirected => (
                Client,
                421,
                "misdirected",
                "http_request_denied",
                "the TLS connection was made for another host",
            ),
            Self::TooManyRequests => (
                Client,
                429,
                "too_many_requests",
                "http_request_denied",
                "the client has too many requests in progress",
            ),
            Self::NoSite => (
                Client,
                404,
                "no_site",
                "destination_not_found",
                "no site has this host",
            ),
            Self::NoRoute => (
                Client,
                404,
                "no_route",
                "destination_not_found",
                "no route of the site matches",
            ),
            Self::MethodNotAllowed => (
                Client,
                405,
                "method_not_allowed",
                "http_request_denied",
                "no route takes this method here",
            ),
            Self::NoFile => (
                Client,
                404,
                "no_file",
                "destination_not_found",
                "there is no such file",
            ),
            Self::FileDenied => (
                Gateway,
                403,
                "file_denied",
                "http_request_denied",
                "the gateway may not read this file",
            ),
            Self::FilesBusy => (
                Gateway,
                503,
                "files_busy",
                "proxy_internal_error",
                "too many files are being opened at once",
            ),
            Self::FileFailed => (
                Gateway,
                500,
                "file_failed",
                "proxy_internal_error",
                "the file cannot be read",
            ),
            Self::NotStored => (
                Client,
                504,
                "not_stored",
                "http_request_denied",
                "only a stored response was wanted, and there is none",
            ),
            Self::PolicyFailed => (
                Policy,
                503,
                "policy_failed",
                "proxy_internal_error",
                "a policy failed",
            ),
            Self::PolicyThrottled => (
                Client,
                429,
                "policy_throttled",
                "http_request_denied",
                "the client's requests take too much of a policy's time",
            ),
            Self::PolicyOverloaded => (
                Policy,
                503,
                "policy_overloaded",
                "proxy_internal_error",
                "a policy has no time left",
            ),
            Self::PolicyInput => (
                Client,
                400,
                "policy_input",
                "http_request_error",
                "the request has a value that a policy cannot take",
            ),
            Self::ConnectionRefused => (
                Upstream,
                502,
                "refused",
                "connection_refused",
                "the upstream refused the connection",
            ),
            Self::TlsHandshake => (
                Upstream,
                502,
                "tls_handshake",
                "tls_protocol_error",
                "the TLS handshake with the upstream failed",
            ),
            Self::TlsCertificate => (
                Upstream,
                502,
                "tls_certificate",
                "tls_certificate_error",
                "the certificate of the upstream is not accepted",
            ),
            Self::NoHttp2 => (
                Upstream,
                502,
                "no_http2",
                "http_protocol_error",
                "the upstream does not speak HTTP/2",
            ),
            Self::NoUpgrade => (
                Gateway,
                502,
                "no_upgrade",
                "http_upgrade_failed",
                "requests to this upstream cannot switch to another protocol",
            ),
            Self::ConnectTimeout => (
                Upstream,
                504,
                "connect_timeout",
                "connection_timeout",
                "the upstream did not accept the connection in time",
            ),
            Self::Unreachable => (
                Upstream,
                502,
                "unreachable",
                "destination_ip_unroutable",
                "the upstream cannot be reached",
            ),
            Self::Dns => (
                Upstream,
                502,
                "dns",
                "dns_error",
                "the upstream's name could not be resolved",
            ),
            Self::NoneHealthy => (
                Upstream,
                503,
                "none_healthy",
                "destination_unavailable",
                "no endpoint of the upstream is available",
            ),
            Self::NoWeight => (
                Gateway,
                503,
                "no_weight",
                "destination_unavailable",
                "no upstream of the route has a weight",
            ),
            Self::ConnectionLimit => (
                Upstream,
                503,
                "connection_limit",
                "connection_limit_reached",
                "every endpoint of the upstream is at its connection limit",
            ),
            Self::Overloaded => (
                Gateway,
                503,
                "overloaded",
                "connection_limit_reached",
                "the upstream is at a limit of the gateway",
            ),
            Self::ConnectionReset => (
                Upstream,
                502,
                "reset",
                "connection_terminated",
                "the upstream closed the connection before it answered",
            ),
            Self::ResponseTimeout => (
                Upstream,
                504,
                "response_timeout",
                "http_response_timeout",
                "the upstream did not answer in time",
            ),
            Self::ResponseMalformed => (
                Upstream,
                502,
                "response_malformed",
                "http_protocol_error",
                "the upstream's response is malformed",
            ),
            Self::ResponseHeadTooLarge => (
                Upstream,
                502,
                "response_head_too_large",
                "http_response_header_section_size",
                "the upstream's response head is larger than the limit",
            ),
            Self::ResponseIncomplete => (
                Upstream,
                502,
                "response_incomplete",
                "http_response_incomplete",
                "the upstream's response ended too early",
            ),
            Self::ResponseStatus => (
                Upstream,
                502,
                "response_status",
                "http_protocol_error",
                "the upstream answered with an error",
            ),
            Self::WholeTimeout => (
                Gateway,
                504,
                "whole_timeout",
                "http_response_timeout",
                "the request took longer than the route allows",
            ),
            Self::Draining => (
                Gateway,
                503,
                "draining",
                "proxy_internal_response",
                "the gateway is shutting down",
            ),
            Self::Internal => (
                Gateway,
                500,
                "internal",
                "proxy_internal_error",
                "an error in the gateway",
            ),
        };
        Facts {
            fault,
            status,
            word,
            proxy_status,
            words,
        }
    }

    /// Who is responsible for it.
    #[must_use]
    pub fn fault(self) -> Fault {
        self.facts().fault
    }

    /// The status code that the client gets; 499 appears only in the log.
    #[must_use]
    pub fn status(self) -> u16 {
        self.facts().status
    }

    /// The identifier in the access log and the metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.facts().word
    }

    /// The error type in `Proxy-Status` (RFC 9209 §2.3).
    #[must_use]
    pub fn proxy_status(self) -> &'static str {
        self.facts().proxy_status
    }

    /// A description for the client and the operator.
    #[must_use]
    pub fn words(self) -> &'static str {
        self.facts().words
    }

    /// True if nothing of the request has reached an upstream, so that it may be retried with
    /// any method.
    #[must_use]
    pub fn is_before_send(self) -> bool {
        matches!(
            self,
            Self::ConnectionRefused
                | Self::ConnectTimeout
                | Self::Unreachable
                | Self::Dns
                | Self::ConnectionLimit
                | Self::Overloaded
        )
    }
}

/// What went wrong with an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of the failure.
    pub kind: Kind,
    /// Details for the log and `Proxy-Status`; never anything secret.
    pub detail: Cow<'static, str>,
}

impl Failure {
    /// A failure without details.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            detail: Cow::Borrowed(""),
        }
    }

    /// The failure of a request whose head is refused.
    #[must_use]
    pub fn of_request_head(error: HeadError) -> Self {
        let kind = match error {
            HeadError::TooLarge | HeadError::TooManyFields => Kind::RequestHeadTooLarge,
            HeadError::Malformed(_) => Kind::BadRequest,
            HeadError::TransferCoding => Kind::TransferCoding,
            HeadError::Version => Kind::HttpVersion,
        };
        Self::with(kind, error.words())
    }

    /// The failure of a request whose response has a head that is refused.
    #[must_use]
    pub fn of_response_head(error: HeadError) -> Self {
        match error {
            HeadError::TooLarge | HeadError::TooManyFields => Kind::ResponseHeadTooLarge.into(),
            _ => Self::with(Kind::ResponseMalformed, error.words()),
        }
    }

    /// A failure with details.
    #[must_use]
    pub fn with(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

impl From<Kind> for Failure {
    fn from(kind: Kind) -> Self {
        Self::new(kind)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.kind.words())?;
        if self.detail.is_empty() {
            return Ok(());
        }
        write!(formatter, " ({})", self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_each() {
        let mut words: Vec<_> = KINDS.iter().map(|kind| kind.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| (400..600).contains(&kind.status())));
    }
}
