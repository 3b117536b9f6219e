//! Decides which responses are encoded, from the heads of request and response
//! and the parameters of `[compression]`.

use janua_http::accept_encoding::{Accepted, Coding};
use janua_http::fields::{Fields, Known, list};
use janua_http::{RequestHead, ResponseHead, status};

use crate::levels::Levels;

/// The media types encoded by default: all kinds of text, and formats that are
/// not compressed themselves. Images, video, archives and WOFF fonts already
/// are.
pub const DEFAULT_TYPES: &[&str] = &[
    "text/plain",
    "text/html",
    "text/css",
    "text/csv",
    "text/markdown",
    "text/xml",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
    "application/json",
    "application/ld+json",
    "application/geo+json",
    "application/problem+json",
    "application/graphql-response+json",
    "application/manifest+json",
    "application/x-ndjson",
    "application/xml",
    "application/xml+rss",
    "application/rss+xml",
    "application/atom+xml",
    "application/xhtml+xml",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "image/x-icon",
];

/// The parameters of compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The codings offered, in order of preference.
    pub encodings: Vec<Coding>,
    /// A body known to be shorter than this, in bytes, is not encoded.
    pub min_length: u64,
    /// Media types without parameters, or `text/*` for all subtypes.
    pub types: Vec<Box<str>>,
    /// The level of each coding.
    pub levels: Levels,
    /// The most memory that the encoders of all streams may use together, in
    /// bytes.
    pub memory: u64,
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            encodings: vec![Coding::Zstd, Coding::Brotli, Coding::Gzip],
            min_length: 1024,
            types: DEFAULT_TYPES.iter().map(|&name| name.into()).collect(),
            levels: Levels::default(),
            memory: 256 << 20,
        }
    }
}

/// Whether a response is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eligible {
    /// It is sent in this coding: call [`mark`](crate::apply::mark) and
    /// [`vary`](crate::apply::vary) on its head.
    Yes(Coding),
    /// It could be encoded, but not for this client, which accepts none of the
    /// offered codings, prefers or requires the identity coding, or asks for a
    /// range. Call [`vary`](crate::apply::vary) on its head, because other
    /// clients get another response.
    NegotiatedIdentity,
    /// It is encoded for no client.
    No(Refusal),
}

/// Why a response is not encoded for any client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The method is not `GET`, `HEAD` or `POST`.
    Method,
    /// The status is 1xx, 204, 205, 304 or 416.
    Status,
    /// It has a `Content-Encoding` already.
    Coded,
    /// The origin forbids it with `no-transform` (RFC 9111, section 5.2.2.6).
    NoTransform,
    /// The media type is not listed, or is an event stream, which encoding
    /// would delay.
    Type,
    /// The body is shorter than the minimum length.
    Length,
}

impl Refusal {
    /// The reason as a word for logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::Coded => "coded",
            Self::NoTransform => "no-transform",
            Self::Type => "type",
            Self::Length => "length",
        }
    }
}

/// Decides whether and how the response to a request is encoded. `known` is the
/// length of the body in bytes if it is known without being in the head.
#[must_use]
pub fn eligible(
    request: &RequestHead,
    response: &ResponseHead,
    known: Option<u64>,
    options: &Compression,
) -> Eligible {
    if let Some(refusal) = refusal(request, response, known, options) {
        return Eligible::No(refusal);
    }
    // The byte range of a partial response would refer to other bytes.
    let is_part = response.status == 206 || response.fields.get(b"content-range").is_some();
    if is_part || forbids_transforming(&request.fields) {
        return Eligible::NegotiatedIdentity;
    }
    match Accepted::of(&request.fields).choose(&options.encodings) {
        Some(coding) => Eligible::Yes(coding),
        None => Eligible::NegotiatedIdentity,
    }
}

/// Why the response cannot be encoded for any client; none if it can.
#[must_use]
pub fn refusal(
    request: &RequestHead,
    response: &ResponseHead,
    known: Option<u64>,
    options: &Compression,
) -> Option<Refusal> {
    let fields = &response.fields;
    if !matches!(request.method.as_slice(), b"GET" | b"HEAD" | b"POST") {
        Some(Refusal::Method)
    } else if status::has_no_body(response.status) || matches!(response.status, 205 | 416) {
        Some(Refusal::Status)
    } else if is_coded(fields) {
        Some(Refusal::Coded)
    } else if forbids_transforming(fields) {
        Some(Refusal::NoTransform)
    } else if !has_type(fields, &options.types) {
        Some(Refusal::Type)
    } else if length(request, response, known)
        .is_some_and(|length| length < options.min_length.max(1))
    {
        Some(Refusal::Length)
    } else {
        None
    }
}

fn is_coded(fields: &Fields) -> bool {
    fields
        .get_all(b"content-encoding")
        .flat_map(list)
        .any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

fn forbids_transforming(fields: &Fields) -> bool {
    fields
        .get_all(b"cache-control")
        .flat_map(list)
        .any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

/// True if there is exactly one `Content-Type` and its type is listed.
fn has_type(fields: &Fields, types: &[Box<str>]) -> bool {
    let mut values = fields.get_all(b"content-type");
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.split(|&byte| byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii();
    !essence.eq_ignore_ascii_case(b"text/event-stream")
        && types
            .iter()
            .any(|pattern| is_of_type(essence, pattern.as_bytes()))
}

fn is_of_type(essence: &[u8], pattern: &[u8]) -> bool {
    let Some(kind) = pattern.strip_suffix(b"*") else {
        return essence.eq_ignore_ascii_case(pattern);
    };
    kind.ends_with(b"/")
        && essence
            .split_at_checked(kind.len())
            .is_some_and(|(front, rest)| !rest.is_empty() && front.eq_ignore_ascii_case(kind))
}

/// The length of the full body that a `GET` would return, if it is known. A
/// response to `HEAD` has it only in the field; a partial response has the
/// complete length after its offsets.
fn length(request: &RequestHead, response: &ResponseHead, known: Option<u64>) -> Option<u64> {
    if let Some(range) = response.fields.get(b"content-range") {
        let whole = range.rsplit(|&byte| byte == b'/').next()?;
        return number(whole);
    }
    match response.fields.known(Known::ContentLength).next() {
        Some(digits) => number(digits),
        None if request.method == b"HEAD" => None,
        None => known,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
