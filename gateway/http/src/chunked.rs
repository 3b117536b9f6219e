//! The chunked transfer coding (RFC 9112 §7.1), read strictly and written anew.
//!
//! The reader holds no data: it says which part of what came is data. Chunk
//! extensions are dropped, as a recipient may; trailer lines are collected.

use crate::fields::{Fields, Known, write_field};
use crate::path::hex;

/// The most bytes of one chunk-size line, and of all trailer lines together.
const MAX_LINE: usize = 4096;
const MAX_TRAILERS: usize = 16 * 1024;

/// Why a chunked body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunk(pub &'static str);

/// What the front of the input was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This many bytes of syntax, done with.
    Syntax(usize),
    /// This many bytes of data.
    Data(usize),
    /// This many bytes of syntax, and the body is at its end.
    End(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { digits: u8 },
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    Done,
}

/// Reads a chunked body piece by piece.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    remaining: u64,
    line: usize,
    trailers: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            state: State::Size { digits: 0 },
            remaining: 0,
            line: 0,
            trailers: Vec::new(),
        }
    }
}

impl Decoder {
    /// Looks at the front of `input`, which is not empty.
    ///
    /// # Errors
    /// Anything that is not the coding to the letter.
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
                self.remaining = self.remaining << 4 | u64::from(hex(byte).unwrap_or_default());
                State::Size { digits: digits + 1 }
            }
            (State::Size { digits: 1.. }, b'\r') => State::SizeLf,
            (State::Size { digits: 1.. }, b';' | b' ' | b'\t') => State::Extension,
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, byte) if byte != b'\n' && byte != 0 => {
                self.line += 1;
                if self.line > MAX_LINE {
                    return Err(BadChunk("chunk extension too long"));
                }
                State::Extension
            }
            (State::SizeLf, b'\n') => {
                self.line = 0;
                if self.remaining == 0 {
                    State::Trailers
                } else {
                    State::Data
                }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { digits: 0 },
            (State::Trailers, byte) => {
                self.trailers.push(byte);
                if self.trailers.len() > MAX_TRAILERS {
                    return Err(BadChunk("trailers too long"));
                }
                if self.trailers == b"\r\n" || self.trailers.ends_with(b"\r\n\r\n") {
                    State::Done
                } else {
                    State::Trailers
                }
            }
            (State::Size { .. }, _) => return Err(BadChunk("bad chunk size")),
            (State::Extension | State::SizeLf, _) => return Err(BadChunk("bad chunk size line")),
            _ => return Err(BadChunk("bad chunk end")),
        };
        Ok(())
    }

    /// The trailer fields, once the body is at its end. Those that concern
    /// framing, routing or authentication are dropped (RFC 9110 §6.5.1).
    ///
    /// # Errors
    /// Lines that are not fields.
    pub fn trailers(&self, fields: &mut Fields) -> Result<(), BadChunk> {
        fields.clear();
        if self.trailers.len() <= 2 {
            return Ok(());
        }
        if crate::head::has_lone_lf(&self.trailers) {
            return Err(BadChunk("bad trailer"));
        }
        let mut table = [httparse::EMPTY_HEADER; 64];
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

fn is_allowed(name: &[u8]) -> bool {
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
    // Behind CGI and its kin `X_Real_IP` and `X-Real-IP` are one name.
    Known::of(name) == Known::Other
        && !name.contains(&b'_')
        && !REFUSED
            .iter()
            .any(|refused| name.eq_ignore_ascii_case(refused.as_bytes()))
}

/// Appends the line before a chunk of this many bytes, which is not 0.
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
mod tests {
    use super::*;

    /// All data, and what is left over, feeding `step` bytes at a time.
    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, usize, Decoder), BadChunk> {
        let mut decoder = Decoder::default();
        let (mut data, mut at) = (Vec::new(), 0);
        while at < input.len() {
            let window = &input[at..input.len().min(at + step)];
            match decoder.next(window)? {
                Piece::Syntax(n) => at += n,
                Piece::Data(n) => {
                    data.extend_from_slice(&window[..n]);
                    at += n;
                }
                Piece::End(n) => return Ok((data, at + n, decoder)),
            }
        }
        Err(BadChunk("unfinished"))
    }

    #[test]
    fn reads_at_any_cut() {
        let input = b"5;x=\"y\"\r\nhello\r\n00A \r\n, world...\r\n0\r\nX-T: 1\r\nContent-Length: 9\r\n\r\nNEXT";
        for step in 1..input.len() {
            let (data, end, decoder) = decode(input, step).unwrap();
            assert_eq!(data, b"hello, world...");
            assert_eq!(&input[end..], b"NEXT");
            let mut trailers = Fields::default();
            decoder.trailers(&mut trailers).unwrap();
            assert_eq!(trailers.iter().count(), 1);
            assert_eq!(trailers.get(b"x-t"), Some(&b"1"[..]));
        }
    }

    #[test]
    fn refusals() {
        for input in [
            &b"\r\n"[..],
            b"g\r\n",
            b"-1\r\n",
            b"0x1\r\n",
            b"1\nx\r\n0\r\n\r\n",
            b"1\r\nxx\r\n",
            b"1\r\nx\n0\r\n\r\n",
            b"1\r\r\nx\r\n",
            b";\r\n",
            b"1;\0\r\n",
            b"11111111111111111\r\n",
        ] {
            assert!(
                matches!(decode(input, 1), Err(BadChunk(why)) if why != "unfinished"),
                "{input:?}"
            );
        }
        let long = [b"1;".to_vec(), vec![b'x'; 5000]].concat();
        assert!(decode(&long, 4096).is_err());
        let trailers = [b"0\r\n".to_vec(), b"X: y\r\n".repeat(4000)].concat();
        assert!(decode(&trailers, 4096).is_err());
    }

    #[test]
    fn writes_what_it_reads() {
        for size in [1, 15, 16, 255, 256, 65_536] {
            let mut out = Vec::new();
            write_size(&mut out, size);
            out.extend(std::iter::repeat_n(b'x', size));
            out.extend_from_slice(b"\r\n");
            write_end(&mut out, &Fields::default());
            let (data, end, _) = decode(&out, 1000).unwrap();
            assert_eq!((data.len(), end), (size, out.len()));
        }
    }
}
