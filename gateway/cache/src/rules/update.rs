//! What a 304, or the answer to a `HEAD`, changes in what is stored
//! (RFC 9111 §3.2, §4.3.3 to §4.3.5).
//!
//! To renew: [`identifies`], then [`renew`], then [`admit`](super::admit()) on the
//! result, and only then [`retain_storable`](super::stored::retain_storable).
//! `Vary` may have changed with it.

use janua_http::conditional::Validators;
use janua_http::{Fields, Known, fields::list};

/// True if a 304 speaks of what is stored, which is what was asked about
/// (§4.3.4). If not, nothing is known, and the upstream is asked again for the
/// whole.
///
/// A 304 without validators does: it answers a request that named one. One with
/// another strong tag does not (this is an origin that contradicts itself).
#[must_use]
pub fn identifies(stored: &Fields, not_modified: &Fields) -> bool {
    let (stored, answered) = (Validators::of(stored), Validators::of(not_modified));
    match (stored.tag(), answered.tag()) {
        // Either may be weak because it was compressed on its way.
        (Some(stored), Some(answered)) => stored.matches_weakly(answered),
        (None, Some(answered)) if !answered.weak => false,
        _ => match (stored.modified, answered.modified) {
            (Some(stored), Some(answered)) => stored == answered,
            _ => true,
        },
    }
}

/// What the answer to a `HEAD` does to what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadEffect {
    /// It is the same: its fields and lifetime are renewed.
    Renew,
    /// It is another: what is stored is stale now.
    Expire,
    /// Nothing can be told.
    Keep,
}

/// Compares the answer to a `HEAD` with what is stored (§4.3.5); `length` is
/// that of the stored body in bytes.
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

/// Puts the fields of a 304, or of the answer to a `HEAD`, onto those that are
/// stored: each name that it has replaces all lines of that name (§3.2).
///
/// What describes the stored bytes stays: `Content-Length`, `Content-Encoding`,
/// `Content-Range`, `Content-MD5`, `Content-Digest`, `Digest` and `ETag`. `Set-Cookie` is taken
/// over only if `shares_cookies`, which the stored
/// [`Terms`](super::Terms::shares_cookies) say: a cookie that a 304 sets was for
/// one client. Without `Date` in the answer there is none afterwards, so that the
/// old one makes nothing old.
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
