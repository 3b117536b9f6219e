//! Byte ranges (RFC 9110 §14): which parts of a representation are sent, and
//! the words around them in a 206 or 416.
//!
//! Ranges are asked for by anyone, so what is asked is bounded (§17.15): at
//! most [`MAX_RANGES`] of them, those that overlap or touch are sent as one, and
//! when all together exceed the representation, it is sent whole.

use std::io::Write;

use crate::conditional::Validators;
use crate::date;
use crate::etag::EntityTag;
use crate::fields;
use crate::request::RequestHead;

/// A request for more ranges than this is answered with the whole.
pub const MAX_RANGES: usize = 32;

/// Some bytes of a representation: both ends are sent, so it is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Offset of the first byte.
    pub first: u64,
    /// Offset of the last byte, at least `first`.
    pub last: u64,
}

impl Part {
    /// How many bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a part is never empty")]
    pub fn len(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// What a request asks of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// All of it, in a 200.
    Whole,
    /// Nothing that it has: 416 with [`write_unsatisfied`].
    Unsatisfiable,
    /// These parts, in a 206: one with [`write_content_range`], more in a
    /// [`Multipart`]. There is at least one, each ends below the length, no two
    /// overlap or touch, and they are in the order asked for if nothing was joined.
    Parts(Vec<Part>),
}

/// Which ranges a request asks for of a representation of `length` bytes. Ask
/// when the preconditions say
/// [`Proceed`](crate::conditional::Precondition::Proceed) and the answer would
/// be a 200. `Range` counts in a `GET` only; a malformed one, another unit, or an
/// `If-Range` that does not hold gives the whole (§14.2, §13.1.5).
#[must_use]
pub fn requested(request: &RequestHead, validators: Validators<'_>, length: u64) -> Ranges {
    let mut values = request.fields.get_all(b"range");
    let (Some(value), None) = (values.next(), values.next()) else {
        return Ranges::Whole;
    };
    if request.method != b"GET" || !if_range_holds(request, validators) {
        return Ranges::Whole;
    }
    byte_ranges(value)
        .and_then(|set| select(set, length))
        .unwrap_or(Ranges::Whole)
}

/// `If-Range` (§13.1.5): the client's parts are of this very version. True if
/// the field is not there. A date must be the same as `Last-Modified`, to the
/// second; whether two versions could share a second (§8.8.2.2) is for the
/// caller to know, who then leaves `modified` out.
fn if_range_holds(request: &RequestHead, validators: Validators<'_>) -> bool {
    let mut values = request.fields.get_all(b"if-range");
    let Some(value) = values.next() else {
        return true;
    };
    if values.next().is_some() {
        return false;
    }
    match (EntityTag::parse(value), validators.tag()) {
        (Some(asked), Some(current)) => asked.matches_strongly(current),
        (Some(_), None) => false,
        (None, _) => date::parse(value).is_some_and(|date| validators.modified == Some(date)),
    }
}

/// One member of the set as sent.
#[derive(Clone, Copy)]
enum Spec {
    /// `first-last`; without `last` up to the end.
    From(u64, u64),
    /// `-length`: that many bytes at the end.
    Suffix(u64),
}

impl Spec {
    /// Grammar of §14.1.1; a number beyond `u64` is as good as the largest.
    fn parse(text: &[u8]) -> Option<Self> {
        let dash = memchr::memchr(b'-', text)?;
        let (first, last) = (text.get(..dash)?, text.get(dash + 1..)?);
        match (first, last) {
            (b"", _) => Some(Self::Suffix(number(last)?)),
            (_, b"") => Some(Self::From(number(first)?, u64::MAX)),
            _ => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, last))
            }
        }
    }

    /// The bytes it means of `length`, if there are any.
    fn part(self, length: u64) -> Option<Part> {
        let end = length.checked_sub(1)?;
        match self {
            Self::From(first, last) => (first <= end).then(|| Part {
                first,
                last: last.min(end),
            }),
            Self::Suffix(0) => None,
            Self::Suffix(size) => Some(Part {
                first: length.saturating_sub(size),
                last: end,
            }),
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(sum.saturating_mul(10).saturating_add(digit))
    })
}

/// The set after `bytes=`.
fn byte_ranges(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.trim_ascii().split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

/// The parts that the set means; `None` if it is malformed or asks too much.
fn select(set: &[u8], length: u64) -> Option<Ranges> {
    let mut members = 0;
    let mut parts = Vec::new();
    for member in fields::list(set) {
        members += 1;
        if members > MAX_RANGES {
            return None;
        }
        let spec = Spec::parse(member)?;
        // A suffix of nothing is nothing, which no Content-Range can say.
        if length == 0 && matches!(spec, Spec::Suffix(1..)) {
            return None;
        }
        parts.extend(spec.part(length));
    }
    if members == 0 {
        return None;
    }
    if parts.is_empty() {
        return Some(Ranges::Unsatisfiable);
    }
    let sum = parts
        .iter()
        .map(|part| part.len())
        .fold(0, u64::saturating_add);
    (sum <= length).then(|| Ranges::Parts(join(parts)))
}

/// Joins what overlaps or touches, and only then sorts: a client that asks
/// for parts in another order wants them so (§15.3.7.2).
fn join(parts: Vec<Part>) -> Vec<Part> {
    let mut sorted = parts.clone();
    sorted.sort_unstable_by_key(|part| part.first);
    let mut joined: Vec<Part> = Vec::with_capacity(sorted.len());
    for part in sorted {
        match joined.last_mut() {
            Some(before) if part.first <= before.last.saturating_add(1) => {
                before.last = before.last.max(part.last);
            }
            _ => joined.push(part),
        }
    }
    if joined.len() == parts.len() {
        parts
    } else {
        joined
    }
}

/// Appends the value of `Content-Range` of one part: `bytes 0-9/100` (§14.4).
pub fn write_content_range(part: Part, length: u64, out: &mut Vec<u8>) {
    // Writing into memory does not fail, here and below.
    let _ = write!(out, "bytes {}-{}/{length}", part.first, part.last);
}

/// Appends the value of `Content-Range` of a 416: `bytes */100` (§15.5.17).
pub fn write_unsatisfied(length: u64, out: &mut Vec<u8>) {
    let _ = write!(out, "bytes */{length}");
}

/// A body of the type `multipart/byteranges` (§14.6): for each part a head and
/// its bytes, then the end.
#[derive(Clone, Copy, Debug)]
pub struct Multipart<'a> {
    /// What separates the parts: up to 70 letters and digits that the
    /// representation does not hold, so random ones (RFC 2046 §5.1.1).
    pub boundary: &'a [u8],
    /// The `Content-Type` of the representation.
    pub content_type: Option<&'a [u8]>,
    /// The length of the representation, in bytes.
    pub length: u64,
}

impl Multipart<'_> {
    /// Appends the `Content-Type` of the whole body.
    pub fn write_type(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"multipart/byteranges; boundary=");
        out.extend_from_slice(self.boundary);
    }

    /// Appends what stands before the bytes of a part, the first one too.
    pub fn write_head(&self, part: Part, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(self.boundary);
        out.extend_from_slice(b"\r\n");
        if let Some(content_type) = self.content_type {
            fields::write_field(out, b"Content-Type", content_type);
        }
        out.extend_from_slice(b"Content-Range: ");
        write_content_range(part, self.length, out);
        out.extend_from_slice(b"\r\n\r\n");
    }

    /// Appends what stands behind the bytes of the last part.
    pub fn write_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(self.boundary);
        out.extend_from_slice(b"--\r\n");
    }

    /// How many bytes the body has, for `Content-Length`.
    #[must_use]
    pub fn body_length(&self, parts: &[Part]) -> u64 {
        let mut words = Vec::with_capacity(256);
        self.write_end(&mut words);
        let mut total = words.len() as u64;
        for part in parts {
            words.clear();
            self.write_head(*part, &mut words);
            total = total
                .saturating_add(words.len() as u64)
                .saturating_add(part.len());
        }
        total
    }
}

#[cfg(test)]
mod tests;
