//! Byte ranges (RFC 9110 §14): selects the parts of a representation that are sent, and writes
//! the fields and delimiters of a 206 or 416.
//!
//! Range requests can be used for attacks, so they are limited (§17.15): to at most
//! [`MAX_RANGES`] ranges, of which overlapping and adjacent ones are joined. If all ranges
//! together are longer than the representation, it is sent as a whole.

use std::io::Write;

use crate::conditional::Validators;
use crate::date;
use crate::etag::EntityTag;
use crate::fields;
use crate::request::RequestHead;

/// The most ranges of a request. If there are more, `Range` is ignored.
pub const MAX_RANGES: usize = 32;

/// A part of a representation. Both ends are inclusive, so a part is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Offset of the first byte.
    pub first: u64,
    /// Offset of the last byte, at least `first`.
    pub last: u64,
}

impl Part {
    /// The number of bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a part is never empty")]
    pub fn len(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// The result of a range request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// The whole representation, in a 200.
    Whole,
    /// No requested range overlaps the representation: 416 with [`write_unsatisfied`].
    Unsatisfiable,
    /// These parts, in a 206: a single part with [`write_content_range`], several in a
    /// [`Multipart`]. There is at least one part, each ends before the length, and no two
    /// overlap or are adjacent. Unless parts were joined, they are in the requested order.
    Parts(Vec<Part>),
}

/// The ranges that a request selects of a representation of `length` bytes. Call this if the
/// preconditions evaluate to
/// [`Proceed`](crate::conditional::Precondition::Proceed) and the response would be a 200.
/// `Range` is ignored if the method is not `GET`, if it is malformed or has another unit, or
/// if `If-Range` does not match (§14.2, §13.1.5).
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

/// Evaluates `If-Range` (§13.1.5): true if the client's parts are of the current version, or
/// if the field is absent. A date must equal `Last-Modified` exactly. If two versions may have
/// the same date (§8.8.2.2), the caller leaves `modified` out.
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

/// A range as it is specified in the request.
#[derive(Clone, Copy)]
enum Spec {
    /// `first-last`, or `first-` up to the end.
    From(u64, u64),
    /// `-length`: the last `length` bytes.
    Suffix(u64),
}

impl Spec {
    /// Parses the grammar of §14.1.1. A number beyond `u64` is replaced by the largest.
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

    /// The part of a representation of `length` bytes, unless it is empty.
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

/// The result for a range set; `None` if it is malformed or exceeds the limits.
fn select(set: &[u8], length: u64) -> Option<Ranges> {
    let mut members = 0;
    let mut parts = Vec::new();
    for member in fields::list(set) {
        members += 1;
        if members > MAX_RANGES {
            return None;
        }
        let spec = Spec::parse(member)?;
        // A suffix of an empty representation is satisfiable but empty, which
        // `Content-Range` cannot express.
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

/// Joins overlapping and adjacent parts. The result is sorted only if parts were joined:
/// otherwise the requested order is kept (§15.3.7.2).
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

/// Appends the value of `Content-Range` for a part: `bytes 0-9/100` (§14.4).
pub fn write_content_range(part: Part, length: u64, out: &mut Vec<u8>) {
    // Writing to a vector does not fail, here and below.
    let _ = write!(out, "bytes {}-{}/{length}", part.first, part.last);
}

/// Appends the value of `Content-Range` for a 416: `bytes */100` (§15.5.17).
pub fn write_unsatisfied(length: u64, out: &mut Vec<u8>) {
    let _ = write!(out, "bytes */{length}");
}

/// A body of the type `multipart/byteranges` (§14.6): for each part its header and its bytes,
/// and then the closing delimiter.
#[derive(Clone, Copy, Debug)]
pub struct Multipart<'a> {
    /// The boundary between parts: up to 70 letters and digits, which are random so that the
    /// representation does not contain them (RFC 2046 §5.1.1).
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

    /// Appends the delimiter and the header before the bytes of a part.
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

    /// Appends the closing delimiter after the last part.
    pub fn write_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(self.boundary);
        out.extend_from_slice(b"--\r\n");
    }

    /// The length of the whole body in bytes, for `Content-Length`.
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
