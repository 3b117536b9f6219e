//! A parser for the chunked transfer coding that counts the data and drops it.

/// The position of the next byte in the coding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// In the line with the size of a chunk; true once the digits have ended.
    Size { size: usize, ended: bool },
    /// In the data of a chunk, this many bytes before its end.
    Data(usize),
    /// In the line break after the data.
    Behind,
    /// In the trailer section, after this many bytes of the current line.
    Trailers(usize),
    /// After the empty line at the end.
    Done,
}

/// A body in the chunked coding that is being received.
#[derive(Debug)]
pub(super) struct Chunks(At);

const START: At = At::Size {
    size: 0,
    ended: false,
};

impl Chunks {
    /// A body at its beginning.
    pub(super) fn new() -> Self {
        Self(START)
    }

    /// True if the body is complete.
    pub(super) fn done(&self) -> bool {
        self.0 == At::Done
    }

    /// Parses received bytes. Returns the number of data bytes; `None` if the coding is invalid
    /// or continues after its end.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Option<usize> {
        let mut data = 0;
        while let Some((&first, rest)) = bytes.split_first() {
            self.0 = match self.0 {
                At::Data(left) => {
                    let here = left.min(bytes.len());
                    data += here;
                    bytes = bytes.get(here..)?;
                    self.0 = if here == left {
                        At::Behind
                    } else {
                        At::Data(left - here)
                    };
                    continue;
                }
                At::Size { size: 0, .. } if first == b'\n' => At::Trailers(0),
                At::Size { size, .. } if first == b'\n' => At::Data(size),
                At::Size { size, ended: false } if first.is_ascii_hexdigit() => {
                    let digit = char::from(first).to_digit(16)?;
                    let size = size.checked_mul(16)?.checked_add(digit as usize)?;
                    At::Size { size, ended: false }
                }
                At::Size { size, .. } => At::Size { size, ended: true },
                At::Behind if first == b'\n' => START,
                At::Behind if first == b'\r' => At::Behind,
                At::Behind => return None,
                At::Trailers(0) if first == b'\n' => At::Done,
                At::Trailers(_) if first == b'\n' => At::Trailers(0),
                At::Trailers(length) if first == b'\r' => At::Trailers(length),
                At::Trailers(length) => At::Trailers(length + 1),
                At::Done => return None,
            };
            bytes = rest;
        }
        Some(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_counted_however_it_is_cut() {
        for (text, expected) in [
            ("0\r\n\r\n", Some((0, true))),
            ("3\r\nabc\r\n0\r\n\r\n", Some((3, true))),
            (
                "a;x=y\r\n0123456789\r\n1\r\nz\r\n0\r\n\r\n",
                Some((11, true)),
            ),
            ("2\r\nab\r\n0\r\nDate: now\r\n\r\n", Some((2, true))),
            ("3\r\nab", Some((2, false))),
            ("3\r\nabc\r\n0\r\n", Some((3, false))),
            ("3\r\nabcd\r\n", None),
            ("0\r\n\r\nmore", None),
        ] {
            for step in 1..=text.len() {
                let mut chunks = Chunks::new();
                let mut pieces = text.as_bytes().chunks(step);
                let sum = pieces.try_fold(0, |sum, piece| Some(sum + chunks.take(piece)?));
                let seen = sum.map(|sum| (sum, chunks.done()));
                assert_eq!(seen, expected, "{text:?} by {step}");
            }
        }
    }
}
