//! The freshness lifetime of a response, and its age when it is received (RFC 9111 §4.2).

use janua_http::{Fields, date};

use super::Source;
use super::control::{CacheControl, MOST_SECONDS, seconds};

/// The longest heuristic freshness lifetime, in seconds: a day, beyond which RFC 7234
/// required a warning.
pub const MOST_HEURISTIC: u32 = 86_400;

/// When a request was sent and its response received, in Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When the request was sent.
    pub requested_ms: u64,
    /// When the head of the response was received.
    pub received_ms: u64,
}

/// The age of a response when it is received, in seconds (`corrected_initial_age`,
/// RFC 9111 §4.2.3). `None` if `Age` is invalid: the response is then stale.
pub(crate) fn initial_age(fields: &Fields, times: Times) -> Option<u32> {
    let age = stated_age(fields).ok()?;
    let delay = times.received_ms.saturating_sub(times.requested_ms) / 1000;
    let corrected = u64::from(age).saturating_add(delay);
    let age = corrected.max(apparent_age(fields, times));
    Some(u32::try_from(age).unwrap_or(MOST_SECONDS).min(MOST_SECONDS))
}

/// The age by `Date`, in seconds; zero without a valid one, or if it is in the future
/// (`apparent_age`, RFC 9111 §4.2.3).
pub(crate) fn apparent_age(fields: &Fields, times: Times) -> u64 {
    let date = fields.get(b"date").and_then(date::parse);
    date.map_or(0, |date| (times.received_ms / 1000).saturating_sub(date))
}

/// The `Age` of a response is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

/// Reads `Age`, in seconds; zero if it is missing.
///
/// RFC 9111 §5.1 takes the first member of a list and ignores an invalid one. Here the
/// first member counts only if the sender itself wrote a list, such as `0,7200`. Several
/// lines, or lines joined with a comma and a space (RFC 9110 §5.3), are invalid: they
/// come from two caches that disagree.
fn stated_age(fields: &Fields) -> Result<u32, Malformed> {
    let mut lines = fields.get_all(b"age");
    let Some(line) = lines.next() else {
        return Ok(0);
    };
    if lines.next().is_some() {
        return Err(Malformed);
    }
    let first = match memchr::memchr(b',', line) {
        Some(comma) if matches!(line.get(comma + 1), Some(b' ' | b'\t')) => None,
        Some(comma) => line.get(..comma),
        None => Some(line),
    };
    first
        .and_then(|first| seconds(first.trim_ascii()))
        .ok_or(Malformed)
}

/// The freshness lifetime in seconds, and the field it comes from (RFC 9111 §4.2.1).
/// `targeted` is the field that `control` was read from, if it is not `Cache-Control`;
/// `Expires` is then ignored.
pub(crate) fn lifetime(
    control: &CacheControl,
    targeted: Option<Source>,
    fields: &Fields,
    received_ms: u64,
) -> (u32, Source) {
    if let Some(seconds) = control.s_maxage {
        return (seconds, targeted.unwrap_or(Source::SMaxage));
    }
    if let Some(seconds) = control.max_age {
        return (seconds, targeted.unwrap_or(Source::MaxAge));
    }
    match fields.get(b"expires") {
        Some(expires) if targeted.is_none() => {
            // An invalid date, especially `0`, is in the past (RFC 9111 §5.3).
            let expires = date::parse(expires).unwrap_or(0);
            let span = expires.saturating_sub(made_at(fields, received_ms));
            (within(span), Source::Expires)
        }
        _ => (0, Source::None),
    }
}

/// The heuristic freshness lifetime in seconds (RFC 9111 §4.2.2): a tenth of the time
/// between `Last-Modified` and `Date`, at most [`MOST_HEURISTIC`]. `None` without a
/// valid `Last-Modified`, or if the status code is not heuristically cacheable.
pub(crate) fn heuristic(
    control: &CacheControl,
    status: u16,
    fields: &Fields,
    received_ms: u64,
) -> Option<u32> {
    if !control.public && !is_heuristically_cacheable(status) {
        return None;
    }
    let modified = fields.get(b"last-modified").and_then(date::parse)?;
    let unchanged = made_at(fields, received_ms).saturating_sub(modified);
    Some(within(unchanged / 10).min(MOST_HEURISTIC))
}

/// True for heuristically cacheable status codes (RFC 9110 §15.1). 206 is left out, as it
/// is never stored.
fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(
        status,
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// When the origin generated the response, in Unix seconds: `Date`, or without a valid
/// one the time of receipt.
fn made_at(fields: &Fields, received_ms: u64) -> u64 {
    let date = fields.get(b"date").and_then(date::parse);
    date.unwrap_or(received_ms / 1000)
}

fn within(span: u64) -> u32 {
    u32::try_from(span)
        .unwrap_or(MOST_SECONDS)
        .min(MOST_SECONDS)
}

#[cfg(test)]
mod tests;
