//! Encodes one body in a content coding.

use std::fmt;

use janua_http::accept_encoding::Coding;

use crate::brotli::Brotli;
use crate::gzip::Gzip;
use crate::levels::Levels;
use crate::zstd::Zstd;

/// The streaming encoder of one body.
///
/// Output may lag behind input; [`flush`](Self::flush) forces it out. Memory
/// does not grow with the body: it is bounded by the coding and its level (see
/// [`Levels::memory`]), and smaller if the length is known to be small.
#[derive(Debug)]
pub struct Encoder(Inner);

#[derive(Debug)]
enum Inner {
    Gzip(Gzip),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
}

/// The compression library failed, because of a lack of memory or a bug. The
/// output so far cannot be completed: the response must be aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError(pub Coding);

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} encoder failed", self.0.token())
    }
}

impl std::error::Error for EncodeError {}

/// What a call asks of an encoder besides consuming its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Write,
    Flush,
    Finish,
}

/// How the input is provided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// In pieces; with the total number of bytes, if it is known.
    Stream(Option<u64>),
    /// The complete body at once, with its length in bytes.
    Whole(u64),
}

impl Extent {
    /// The base-2 logarithm of a window that fits the body, within the given
    /// bounds.
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

    /// An encoder for a body of known length in bytes: a small body needs less
    /// memory. A wrong length only makes the compression less effective.
    ///
    /// # Errors
    /// [`EncodeError`] if the library cannot start.
    pub fn for_length(coding: Coding, levels: Levels, length: u64) -> Result<Self, EncodeError> {
        Self::start(coding, levels, Extent::Stream(Some(length)))
    }

    /// An encoder for a complete body of known length in bytes. Its windows are
    /// as large as the body needs, up to the 8 MiB that every client must
    /// support (RFC 9659).
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

    /// The coding that is produced.
    #[must_use]
    pub fn coding(&self) -> Coding {
        match self.0 {
            Inner::Gzip(_) => Coding::Gzip,
            Inner::Brotli(_) => Coding::Brotli,
            Inner::Zstd(_) => Coding::Zstd,
        }
    }

    /// Consumes all of `input` and appends the output that is ready, possibly
    /// none.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if input.is_empty() {
            return Ok(());
        }
        self.drive(input, out, Step::Write)
    }

    /// Appends all pending output, so that the peer can decode all input so
    /// far. Each flush costs a few bytes and makes the compression less
    /// effective. May append nothing if there was no input since the last
    /// flush.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.drive(&[], out, Step::Flush)
    }

    /// Appends the remaining output and the end of the coding, and frees the
    /// encoder.
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

/// Encodes a complete body in one go, as [`Encoder::for_body`] would.
///
/// # Errors
/// [`EncodeError`].
pub fn whole(coding: Coding, levels: Levels, body: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::for_body(coding, levels, body.len() as u64)?;
    // Text shrinks to a quarter or less; for other content the vector grows.
    let mut out = Vec::with_capacity(body.len() / 4 + 64);
    encoder.drive(body, &mut out, Step::Finish)?;
    Ok(out)
}

#[cfg(test)]
mod tests;
