//! What heads of requests and responses have in common: limits, errors, and the function
//! that fills [`Fields`] from the lines that httparse has found.

use std::mem::MaybeUninit;

use crate::fields::{Fields, Known, list};
use crate::framing::Framing;

/// The most field lines that any head may have, regardless of the configured limits: the
/// parser's table is on the stack.
pub const MAX_FIELDS: usize = 256;

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes, from the start line to the empty line inclusive; in HTTP/2 the size of
    /// the field list (RFC 9113 §6.5.2), which counts 32 bytes for each field beyond its own.
    pub bytes: usize,
    /// The most field lines; no more than [`MAX_FIELDS`].
    pub fields: usize,
}

/// The protocol version of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2.
    Http2,
}

impl Version {
    /// The version's number, as logs and policies see it.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// Why a head was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// More bytes than the limit.
    TooLarge,
    /// More field lines than the limit.
    TooManyFields,
    /// The head is malformed or ambiguous, for this reason.
    Malformed(&'static str),
    /// A transfer coding other than `chunked`.
    TransferCoding,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    Version,
}

impl HeadError {
    /// A description for the client and the log.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::TooLarge => "head is larger than the limit",
            Self::TooManyFields => "head has more fields than the limit",
            Self::Malformed(words) => words,
            Self::TransferCoding => "transfer coding other than chunked",
            Self::Version => "HTTP version other than 1.0 and 1.1",
        }
    }
}

pub(crate) type Table<'b> = [MaybeUninit<httparse::Header<'b>>; MAX_FIELDS];

pub(crate) fn parse_error(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::TooManyHeaders => HeadError::TooManyFields,
        httparse::Error::Version => HeadError::Version,
        httparse::Error::HeaderName => HeadError::Malformed("bad field name"),
        httparse::Error::HeaderValue => HeadError::Malformed("bad field value"),
        httparse::Error::NewLine => HeadError::Malformed("bad line end"),
        httparse::Error::Token => HeadError::Malformed("bad start line"),
        httparse::Error::Status => HeadError::Malformed("bad status"),
    }
}

/// A parsed head in which every line ends with CRLF.
pub(crate) struct Parsed<'h> {
    headers: &'h [httparse::Header<'h>],
    /// The field section, if each of its lines is `name: value CRLF` with exactly one space
    /// before the value and no other whitespace around it, as in nearly all messages.
    canonical: Option<&'h [u8]>,
}

impl<'h> Parsed<'h> {
    /// Takes the field lines that the parser found in `head`.
    ///
    /// # Errors
    /// A LF without CR. The parser accepts it as a line end, but other HTTP implementations
    /// on the path may not, so it is refused (RFC 9112 §2.2).
    pub(crate) fn new(
        head: &'h [u8],
        headers: &'h [httparse::Header<'h>],
    ) -> Result<Self, HeadError> {
        let canonical = canonical(head, headers);
        // Canonical lines end with CRLF, so that only the start line has to be searched.
        let searched = head.len() - canonical.map_or(0, <[u8]>::len);
        if has_lone_lf(head.get(..searched).unwrap_or_default()) {
            return Err(HeadError::Malformed("line end without CR"));
        }
        Ok(Self { headers, canonical })
    }
}

/// The field section at the end of `head`, if all of its lines are canonical.
fn canonical<'h>(head: &'h [u8], headers: &[httparse::Header<'_>]) -> Option<&'h [u8]> {
    let place = |part: &[u8]| head.element_offset(part.first()?);
    let start = place(headers.first()?.name.as_bytes())?;
    let mut next = start;
    for header in headers {
        let name_end = next + header.name.len();
        let value_end = name_end + 2 + header.value.len();
        // An empty value has no position; for it the checks below suffice.
        let is_canonical = place(header.name.as_bytes()) == Some(next)
            && (header.value.is_empty() || place(header.value) == Some(name_end + 2))
            && head.get(name_end..name_end + 2) == Some(b": ")
            && head.get(value_end..value_end + 2) == Some(b"\r\n");
        if !is_canonical {
            return None;
        }
        next = value_end + 2;
    }
    (head.get(next..) == Some(b"\r\n")).then(|| head.get(start..))?
}

fn has_lone_lf(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head.get(at - 1) != Some(&b'\r'))
}

/// What the fields state about the framing and the connection.
pub(crate) struct MessageControl {
    pub(crate) transfer_encoding: bool,
    pub(crate) content_length: Option<u64>,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
}

/// Stores the parsed lines, and interprets those that determine the framing (RFC 9112 §6).
/// Anything that two parsers could interpret differently is an error.
pub(crate) fn take_fields(
    parsed: &Parsed<'_>,
    limits: Limits,
    fields: &mut Fields,
) -> Result<MessageControl, HeadError> {
    if parsed.headers.len() > limits.fields {
        return Err(HeadError::TooManyFields);
    }
    let mut control = MessageControl {
        transfer_encoding: false,
        content_length: None,
        close: false,
        keep_alive: false,
        upgrade: false,
    };
    let mut copied = parsed.canonical.map(|section| fields.copy_section(section));
    for header in parsed.headers {
        let name = header.name.as_bytes();
        let known = match &mut copied {
            Some(copied) => fields.append_copied(copied, name, header.value),
            None => fields.append(name, header.value),
        };
        match known {
            Known::TransferEncoding => {
                if control.transfer_encoding || !header.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(HeadError::TransferCoding);
                }
                control.transfer_encoding = true;
            }
            Known::ContentLength => {
                if control.content_length.is_some() {
                    return Err(HeadError::Malformed("more than one Content-Length"));
                }
                control.content_length = Some(length(header.value)?);
            }
            Known::Connection => {
                for option in list(header.value) {
                    control.close |= option.eq_ignore_ascii_case(b"close");
                    control.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    control.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
                }
            }
            _ => {}
        }
    }
    if control.transfer_encoding && control.content_length.is_some() {
        return Err(HeadError::Malformed(
            "both Transfer-Encoding and Content-Length",
        ));
    }
    Ok(control)
}

impl MessageControl {
    pub(crate) fn framing(&self) -> Option<Framing> {
        if self.transfer_encoding {
            return Some(Framing::Chunked);
        }
        self.content_length.map(Framing::Length)
    }

    /// True if the connection is persistent (RFC 9112 §9.3).
    pub(crate) fn persists(&self, version: Version) -> bool {
        match version {
            Version::Http11 | Version::Http2 => !self.close,
            Version::Http10 => self.keep_alive && !self.close,
        }
    }
}

/// Reads the value of `Content-Length`: digits only (RFC 9110 §8.6).
pub(crate) fn length(value: &[u8]) -> Result<u64, HeadError> {
    let bad = HeadError::Malformed("bad Content-Length");
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(bad);
    }
    std::str::from_utf8(value)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or(bad)
}

#[cfg(test)]
mod tests;
