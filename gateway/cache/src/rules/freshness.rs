//! How long a response is fresh, and how old it is when it comes
//! (RFC 9111 §4.2).

use janua_http::{Fields, date};

use super::Source;
use super::control::{CacheControl, MOST_SECONDS, seconds};

/// The longest that the heuristic lets a response be fresh, in seconds: beyond
/// a day RFC 9111's predecessor asked for a warning.
pub const MOST_HEURISTIC: u32 = 86_400;

/// When a response was asked for and when its head was there: Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When the request was sent.
    pub requested_ms: u64,
    /// When the head of the answer was received.
    pub received_ms: u64,
}

/// How old a response is when it is received (§4.2.3): what `Age` says and the
/// time it took, or what `Date` says if that is more. `None` if `Age` cannot be
/// understood: the response is then stale.
pub(crate) fn initial_age(fields: &Fields, times: Times) -> Option<u32> {
    let age = stated_age(fields).ok()?;
    let delay = times.received_ms.saturating_sub(times.requested_ms) / 1000;
    let corrected = u64::from(age).saturating_add(delay);
    let age = corrected.max(apparent_age(fields, times));
    Some(u32::try_from(age).unwrap_or(MOST_SECONDS).min(MOST_SECONDS))
}

/// How old `Date` makes it; the clock of an upstream that runs ahead makes
/// nothing younger.
pub(crate) fn apparent_age(fields: &Fields, times: Times) -> u64 {
    let date = fields.get(b"date").and_then(date::parse);
    date.map_or(0, |date| (times.received_ms / 1000).saturating_sub(date))
}

/// `Age` says something that it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

/// `Age` is one number. RFC 9111 §5.1 has a list read as its first member and
/// ignores what is no number. Here only a list that its sender wrote, as in
/// `0,7200`, is read so; several lines, or lines that someone joined with a
/// comma and a space (RFC 9110 §5.3), are two caches that disagree.
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

/// For how many seconds from its making a response is fresh, and what says so
/// (§4.2.1). `Expires` counts only where `Cache-Control` is not replaced by a
/// `targeted` field.
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
            // What is no date is in the past (§5.3), `0` before all.
            let expires = date::parse(expires).unwrap_or(0);
            let span = expires.saturating_sub(made_at(fields, received_ms));
            (within(span), Source::Expires)
        }
        _ => (0, Source::None),
    }
}

/// A tenth of the time since it was last modified, a day at most (§4.2.2);
/// `None` if it does not say when, or its status forbids guessing.
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

/// RFC 9110 §15.1, without 206, which is never stored here.
fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(
        status,
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// `Date`, or when it came if there is none that can be read.
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
