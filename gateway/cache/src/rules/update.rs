//! How a 304, or the response to a `HEAD`, updates a stored response (RFC 9111 §3.2,
//! §4.3.3 to §4.3.5).
//!
//! The steps of an update: [`identifies`], then [`renew`], then [`admit`](super::admit())
//! for the result, and only then [`retain_storable`](super::stored::retain_storable). The
//! update may change `Vary`.

use janua_http::conditional::Validators;
use janua_http::{Fields, Known, fields::list};

/// True if a 304 refers to the stored response whose validators were sent (RFC 9111
/// §4.3.4). If not, the request is repeated without a condition.
///
/// A 304 without validators refers to it, since it responds to a request that named it.
/// One with another strong entity tag does not: that origin contradicts itself.
#[must_use]
pub fn identifies(stored: &Fields, not_modified: &Fields) -> bool {
    let (stored, answered) = (Validators::of(stored), Validators::of(not_modified));
    match (stored.tag(), answered.tag()) {
        // Either tag may have become weak by compression on the way.
        (Some(stored), Some(answered)) => stored.matches_weakly(answered),
        (None, Some(answered)) if !answered.weak => false,
        _ => match (stored.modified, answered.modified) {
            (Some(stored), Some(answered)) => stored == answered,
            _ => true,
        },
    }
}

/// What the response to a `HEAD` says about a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadEffect {
    /// It describes the stored response: update its fields and lifetime.
    Renew,
    /// It describes another one: the stored response is stale from now on.
    Expire,
    /// It says nothing, because its status is not 200: change nothing.
    Keep,
}

/// Compares the response to a `HEAD` with a stored response (RFC 9111 §4.3.5). `length`
/// is the length of the stored body in bytes.
#[must_use]
pub fn head_effect(stored: &Fields, length: u64, status: u16, answer: &Fields) -> HeadEffect {
    if status != 200 {
        return HeadEffect::Keep;
    }
    let answered_length = answer.known(Known::ContentLength).next().map(|value| {
        std::str::from_utf8(value)
            .ok()
            .and_then(|value| value.parse().ok())
    });
    let is_same_length = answered_length.is_none_or(|answered| answered == Some(length));
    let (before, after) = (Validators::of(stored), Validators::of(answer));
    let is_same_tag = after.tag().is_none_or(|after| {
        before
            .tag()
            .is_some_and(|before| before.matches_weakly(after))
    });
    let is_same_time = after.modified.is_none() || after.modified == before.modified;
    match is_same_length && is_same_tag && is_same_time {
        true => HeadEffect::Renew,
        false => HeadEffect::Expire,
    }
}

/// Updates the stored fields with those of a 304 or of the response to a `HEAD`: each of
/// its fields replaces all stored lines of that name (RFC 9111 §3.2).
///
/// The fields that describe the stored bytes do not change: `Content-Length`,
/// `Content-Encoding`, `Content-Range`, `Content-MD5`, `Content-Digest`, `Digest` and
/// `ETag`. `Set-Cookie` changes only if `shares_cookies`, which comes from the stored
/// [`Terms`](super::Terms::shares_cookies): otherwise the cookie is for one client. The
/// stored `Date` is removed even if there is no new one, so that the old date does not
/// make the updated response stale.
pub fn renew(stored: &mut Fields, answer: &Fields, shares_cookies: bool) {
    let listed: Vec<&[u8]> = answer.known(Known::Connection).flat_map(list).collect();
    let is_taken = |known: Known, name: &[u8]| {
        let is_cookie = name.eq_ignore_ascii_case(b"set-cookie");
        !known.is_hop_by_hop()
            && !describes_bytes(name)
            && (shares_cookies || !is_cookie)
            && !listed.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    stored.remove(b"age");
    stored.remove(b"date");
    for (known, name, _) in answer.iter() {
        if is_taken(known, name) {
            stored.remove(name);
        }
    }
    for (known, name, value) in answer.iter() {
        if is_taken(known, name) {
            stored.append(name, value);
        }
    }
}

fn describes_bytes(name: &[u8]) -> bool {
    [
        "content-length",
        "content-encoding",
        "content-range",
        "content-md5",
        "content-digest",
        "digest",
        "etag",
    ]
    .iter()
    .any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

#[cfg(test)]
mod tests;
