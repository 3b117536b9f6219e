//! The chunked transfer coding (RFC 9112 §7.1): a strict decoder, and functions to write it.
//!
//! The decoder holds no data: it tells which part of its input is data. Chunk extensions
//! are checked and dropped, which a recipient may do; trailer lines are collected.

use crate::fields::{Fields, Known, is_proxy_address_field, list, write_field};
use crate::path::hex;

/// The most bytes of all trailer lines of a body together.
pub(crate) const MAX_TRAILERS: usize = 16 * 1024;
/// The most trailer lines of a body.
pub(crate) const MAX_TRAILER_LINES: usize = 64;
/// The most bytes that a body may spend on framing that it could do without:
/// chunk extensions, spaces, and leading zeros of a chunk size. Without a limit
/// for the whole body, a sender could have the gateway read thousands of bytes
/// for each byte of data that counts towards `max_body`.
const MAX_SURPLUS: usize = 16 * 1024;

/// Why a chunked body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunk(pub &'static str);

/// What the decoder found at the front of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This many bytes of framing, which are consumed.
    Syntax(usize),
    /// This many bytes of data.
    Data(usize),
    /// This many bytes of framing, after which the body ends.
    End(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { digits: u8 },
    Extension(Extension),
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    Done,
}

/// The position within `*( BWS ";" BWS name [ BWS "=" BWS value ] )` (RFC 9112 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    /// After whitespace, where only another extension may follow.
    BeforeSemicolon,
    BeforeName,
    Name,
    /// After a name and whitespace.
    AfterName,
    BeforeValue,
    Token,
    Quoted,
    /// After the backslash in a quoted string.
    Escaped,
    AfterQuoted,
}

impl Extension {
    /// The position after this byte; `None` if the byte is not allowed here. The end of the line
    /// is handled by [`Self::may_end`].
    fn step(self, byte: u8) -> Option<Self> {
        let is_space = matches!(byte, b' ' | b'\t');
        Some(match (self, byte) {
            (Self::BeforeSemicolon | Self::AfterQuoted | Self::Token, _) if is_space => {
                Self::BeforeSemicolon
            }
            (Self::BeforeName | Self::AfterName | Self::BeforeValue, _) if is_space => self,
            (Self::Name, _) if is_space => Self::AfterName,
            (Self::Quoted, b'"') => Self::AfterQuoted,
            (Self::Quoted, b'\\') => Self::Escaped,
            (Self::Quoted | Self::Escaped, b'\t' | b' '..=b'~' | 0x80..) => Self::Quoted,
            (Self::BeforeValue, b'"') => Self::Quoted,
            (
                Self::BeforeSemicolon
                | Self::Name
                | Self::AfterName
                | Self::Token
                | Self::AfterQuoted,
                b';',
            ) => Self::BeforeName,
            (Self::Name | Self::AfterName, b'=') => Self::BeforeValue,
            (Self::BeforeName | Self::Name, _) if is_token(byte) => Self::Name,
            (Self::BeforeValue | Self::Token, _) if is_token(byte) => Self::Token,
            _ => return None,
        })
    }

    /// True if the line may end here.
    fn may_end(self) -> bool {
        matches!(self, Self::Name | Self::Token | Self::AfterQuoted)
    }
}

/// True for a character of a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Decodes a chunked body piece by piece.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    remaining: u64,
    surplus: usize,
    trailers: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            state: State::Size { digits: 0 },
            remaining: 0,
            surplus: 0,
            trailers: Vec::new(),
        }
    }
}

/// Checks whether the available beginning of a body conforms to the chunked coding.
///
/// # Errors
/// The first violation.
pub fn check(front: &[u8]) -> Result<(), BadChunk> {
    let mut decoder = Decoder::default();
    let mut rest = front;
    while !rest.is_empty() {
        let count = match decoder.next(rest)? {
            Piece::Syntax(count) | Piece::Data(count) => count,
            Piece::End(_) => return decoder.trailers(&mut Fields::default()),
        };
        rest = rest.get(count..).unwrap_or_default();
    }
    Ok(())
}

impl Decoder {
    /// Decodes the front of `input`, which must not be empty.
    ///
    /// # Errors
    /// Any violation of the coding.
    pub fn next(&mut self, input: &[u8]) -> Result<Piece, BadChunk> {
        if self.state == State::Data {
            let available = usize::try_from(self.remaining)
                .unwrap_or(usize::MAX)
                .min(input.len());
            self.remaining -= available as u64;
            if self.remaining == 0 {
                self.state = State::DataCr;
            }
            return Ok(Piece::Data(available));
        }
        for (index, &byte) in input.iter().enumerate() {
            self.step(byte)?;
            match self.state {
                State::Data => return Ok(Piece::Syntax(index + 1)),
                State::Done => return Ok(Piece::End(index + 1)),
                _ => {}
            }
        }
        Ok(Piece::Syntax(input.len()))
    }

    fn step(&mut self, byte: u8) -> Result<(), BadChunk> {
        self.state = match (self.state, byte) {
            (State::Size { digits }, _) if hex(byte).is_some() => {
                if digits == 16 {
                    return Err(BadChunk("chunk size too large"));
                }
                if digits > 0 && self.remaining == 0 {
                    self.spend()?;
                }
                self.remaining = self.remaining << 4 | u64::from(hex(byte).unwrap_or_default());
                State::Size { digits: digits + 1 }
            }
            (State::Size { digits: 1.. }, b'\r') => State::SizeLf,
            (State::Size { digits: 1.. }, b';') => {
                self.spend()?;
                State::Extension(Extension::BeforeName)
            }
            (State::Size { digits: 1.. }, b' ' | b'\t') => {
                self.spend()?;
                State::Extension(Extension::BeforeSemicolon)
            }
            (State::Size { .. }, _) => return Err(BadChunk("bad chunk size")),
            (State::Extension(extension), b'\r') if extension.may_end() => State::SizeLf,
            (State::Extension(extension), _) => {
                self.spend()?;
                let next = extension.step(byte);
                State::Extension(next.ok_or(BadChunk("bad chunk extension"))?)
            }
            (State::SizeLf, b'\n') if self.remaining == 0 => State::Trailers,
            (State::SizeLf, b'\n') => State::Data,
            (State::SizeLf, _) => return Err(BadChunk("bad chunk size line")),
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { digits: 0 },
            (State::Trailers, _) => self.trailer(byte)?,
            (State::Data | State::DataCr | State::DataLf | State::Done, _) => {
                return Err(BadChunk("bad chunk end"));
            }
        };
        Ok(())
    }

    /// Counts a byte of surplus framing.
    fn spend(&mut self) -> Result<(), BadChunk> {
        self.surplus += 1;
        if self.surplus > MAX_SURPLUS {
            return Err(BadChunk("too many bytes of chunk framing"));
        }
        Ok(())
    }

    /// Adds a byte to the trailer section. A byte that makes the section invalid is refused at
    /// once: otherwise the gateway would wait for the end of the section while the sender
    /// waits for a response.
    fn trailer(&mut self, byte: u8) -> Result<State, BadChunk> {
        const BAD: BadChunk = BadChunk("bad trailer");
        let is_after_cr = self.trailers.last() == Some(&b'\r');
        if is_after_cr != (byte == b'\n') {
            return Err(BAD);
        }
        if matches!(byte, 0x7f | 0..=0x1f) && !matches!(byte, b'\t' | b'\r' | b'\n') {
            return Err(BAD);
        }
        if self.trailers.len() == MAX_TRAILERS {
            return Err(BadChunk("trailers too long"));
        }
        self.trailers.push(byte);
        let is_end = self.trailers == b"\r\n" || self.trailers.ends_with(b"\r\n\r\n");
        Ok(if is_end { State::Done } else { State::Trailers })
    }

    /// Stores the trailer fields in `fields` once the body has ended. Fields that concern framing,
    /// routing or authentication are dropped (RFC 9110 §6.5.1).
    ///
    /// # Errors
    /// The trailer section is malformed.
    pub fn trailers(&self, fields: &mut Fields) -> Result<(), BadChunk> {
        fields.clear();
        if self.trailers.len() <= 2 {
            return Ok(());
        }
        let mut table = [httparse::EMPTY_HEADER; MAX_TRAILER_LINES];
        match httparse::parse_headers(&self.trailers, &mut table) {
            Ok(httparse::Status::Complete((_, headers))) => {
                for header in headers
                    .iter()
                    .filter(|header| is_allowed(header.name.as_bytes()))
                {
                    fields.append(header.name.as_bytes(), header.value);
                }
                Ok(())
            }
            _ => Err(BadChunk("bad trailer")),
        }
    }
}

/// True for a field that is allowed as a trailer. Fields that concern framing, routing or
/// authentication are not (RFC 9110 §6.5.1).
pub(crate) fn is_allowed(name: &[u8]) -> bool {
    const REFUSED: [&str; 10] = [
        "authorization",
        "cache-control",
        "content-encoding",
        "content-range",
        "content-type",
        "cookie",
        "max-forwards",
        "proxy-authorization",
        "set-cookie",
        "range",
    ];
    // Applications behind CGI cannot distinguish `X_Real_IP` from `X-Real-IP`.
    Known::of(name) == Known::Other
        && !name.contains(&b'_')
        && !is_proxy_address_field(name)
        && !REFUSED
            .iter()
            .any(|refused| name.eq_ignore_ascii_case(refused.as_bytes()))
}

/// The value of a `Trailer` field reduced to the names that are allowed and for which
/// `passes` is true; none if no name is left.
#[must_use]
pub fn announced(trailer: &[u8], passes: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let names = list(trailer).filter(|name| is_allowed(name) && passes(name));
    let kept: Vec<&[u8]> = names.collect();
    (!kept.is_empty()).then(|| kept.join(&b", "[..]))
}

/// Appends the line before a chunk of `size` bytes, which must not be 0.
pub fn write_size(out: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let first = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for position in (0..first).rev() {
        out.push(
            DIGITS
                .get(size >> (position * 4) & 15)
                .copied()
                .unwrap_or(b'0'),
        );
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk and the trailers.
pub fn write_end(out: &mut Vec<u8>, trailers: &Fields) {
    out.extend_from_slice(b"0\r\n");
    for (_, name, value) in trailers.iter() {
        write_field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
