//! One body on its way into a content coding.

use std::fmt;

use janua_http::accept_encoding::Coding;

use crate::brotli::Brotli;
use crate::gzip::Gzip;
use crate::levels::Levels;
use crate::zstd::Zstd;

/// The streaming encoder of one body.
///
/// What goes in comes out at some time; [`flush`](Self::flush) makes it now.
/// Memory does not grow with the body. It is bounded by coding and level (see
/// [`Levels::memory`]), and less if the length is known to be small.
#[derive(Debug)]
pub struct Encoder(Inner);

#[derive(Debug)]
enum Inner {
    Gzip(Gzip),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
}

/// The library refused to go on, for want of memory or by a bug in it. What was
/// written so far cannot be completed: the answer has to be broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError(pub Coding);

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} encoder failed", self.0.token())
    }
}

impl std::error::Error for EncodeError {}

/// What a call asks of an encoder beyond taking its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Write,
    Flush,
    Finish,
}

/// Who holds the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It comes in pieces; this many bytes in all, if that is known.
    Stream(Option<u64>),
    /// All of it is at hand, this many bytes.
    Whole(u64),
}

impl Extent {
    /// The exponent of a window that holds the body, within the bounds.
    pub(crate) fn window_log(self, least: u32, most: u32) -> u32 {
        match self {
            Self::Stream(None) => most,
            Self::Stream(Some(length)) | Self::Whole(length) => length
                .checked_next_power_of_two()
                .map_or(most, u64::ilog2)
                .clamp(least, most),
        }
    }
}

impl Encoder {
    /// An encoder of a body whose length is not known.
    ///
    /// # Errors
    /// [`EncodeError`] if the library cannot start.
    pub fn new(coding: Coding, levels: Levels) -> Result<Self, EncodeError> {
        Self::start(coding, levels, Extent::Stream(None))
    }

    /// An encoder of a body of so many bytes: a small one needs less memory. A
    /// length that proves wrong costs density, nothing else.
    ///
    /// # Errors
    /// [`EncodeError`] if the library cannot start.
    pub fn for_length(coding: Coding, levels: Levels, length: u64) -> Result<Self, EncodeError> {
        Self::start(coding, levels, Extent::Stream(Some(length)))
    }

    /// An encoder of a body that is at hand, of so many bytes: with windows as
    /// large as it needs, up to what every client must take (RFC 9659: 8 MiB).
    ///
    /// # Errors
    /// [`EncodeError`] if the library cannot start.
    pub fn for_body(coding: Coding, levels: Levels, length: u64) -> Result<Self, EncodeError> {
        Self::start(coding, levels, Extent::Whole(length))
    }

    fn start(coding: Coding, levels: Levels, extent: Extent) -> Result<Self, EncodeError> {
        let level = levels.of(coding);
        Ok(Self(match coding {
            Coding::Gzip => Inner::Gzip(Gzip::new(level, extent)),
            Coding::Brotli => Inner::Brotli(Box::new(Brotli::new(level, extent))),
            Coding::Zstd => Inner::Zstd(Zstd::new(level, extent)?),
        }))
    }

    /// The coding it makes.
    #[must_use]
    pub fn coding(&self) -> Coding {
        match self.0 {
            Inner::Gzip(_) => Coding::Gzip,
            Inner::Brotli(_) => Coding::Brotli,
            Inner::Zstd(_) => Coding::Zstd,
        }
    }

    /// Takes all of `input`; appends what is ready, which may be nothing.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if input.is_empty() {
            return Ok(());
        }
        self.drive(input, out, Step::Write)
    }

    /// Appends what is still held back, so that the peer can decode all that
    /// went in. Costs a few bytes and some density each time; if nothing came
    /// in since the last, perhaps nothing.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.drive(&[], out, Step::Flush)
    }

    /// Appends the rest and the end of the coding, and gives the memory back.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.drive(&[], out, Step::Finish)
    }

    fn drive(&mut self, input: &[u8], out: &mut Vec<u8>, step: Step) -> Result<(), EncodeError> {
        match &mut self.0 {
            Inner::Gzip(gzip) => gzip.drive(input, out, step),
            Inner::Brotli(brotli) => brotli.drive(input, out, step),
            Inner::Zstd(zstd) => zstd.drive(input, out, step),
        }
    }
}

/// Codes a body that is at hand in one go, as [`Encoder::for_body`].
///
/// # Errors
/// [`EncodeError`].
pub fn whole(coding: Coding, levels: Levels, body: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::for_body(coding, levels, body.len() as u64)?;
    // Text becomes a quarter or less; what does not, grows the vector.
    let mut out = Vec::with_capacity(body.len() / 4 + 64);
    encoder.drive(body, &mut out, Step::Finish)?;
    Ok(out)
}

#[cfg(test)]
mod tests;
