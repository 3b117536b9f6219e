//! When endpoints are ejected as outliers.

use std::time::Duration;

use super::success_rate::SuccessRate;

/// When endpoints are ejected as outliers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outliers {
    /// How many errors in a row eject an endpoint.
    pub errors: ErrorLimits,
    /// The period over which success rates are compared, and after which good
    /// behaviour makes up for one ejection.
    pub interval: Duration,
    /// The length of the first ejection.
    pub eject: Duration,
    /// At most this share of the endpoints is ejected at once, in percent; but
    /// always one may be.
    pub most: u8,
    /// None if success rates are not compared.
    pub success_rate: Option<SuccessRate>,
    /// Which `Retry-After` is heeded; none if none is.
    pub retry_after: Option<RetryAfter>,
}

impl Outliers {
    /// The numbers of Envoy.
    pub const DEFAULT: Self = Self {
        errors: ErrorLimits {
            connect: 5,
            reset: 5,
            timeout: 5,
            status: 5,
        },
        interval: Duration::from_secs(10),
        eject: Duration::from_secs(30),
        most: 10,
        success_rate: Some(SuccessRate::DEFAULT),
        retry_after: Some(RetryAfter::DEFAULT),
    };
}

/// How many errors of a kind in a row eject an endpoint; 0: none do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorLimits {
    /// Failures to connect.
    pub connect: u32,
    /// Lost connections and malformed responses.
    pub reset: u32,
    /// Responses that did not come in time.
    pub timeout: u32,
    /// Responses with an error status.
    pub status: u32,
}

/// Which wishes of endpoints are heeded that nothing be sent to them for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter {
    /// Those in responses with status 503, which are about the endpoint.
    pub on_503: bool,
    /// Those in responses with status 429, which are about whoever has sent the
    /// request, unless the endpoint takes the gateway for its only client.
    pub on_429: bool,
    /// No endpoint is left alone for longer.
    pub longest: Duration,
}

impl RetryAfter {
    /// What an endpoint says of itself, for five minutes.
    pub const DEFAULT: Self = Self {
        on_503: true,
        on_429: false,
        longest: Duration::from_secs(300),
    };

    /// Whether the field is heeded in a response with this status.
    pub fn heeds(&self, status: u16) -> bool {
        match status {
            503 => self.on_503,
            429 => self.on_429,
            _ => false,
        }
    }
}
