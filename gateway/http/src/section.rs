//! Field sections as HTTP/2 carries them: fields that a decoder passes on one by one
//! (RFC 9113 §8.2), and what is common to those of heads and of trailers.
//!
//! A section that violates HTTP/2 is *malformed*, and its stream is reset. A head that is well
//! formed, but that the gateway refuses, is answered as in HTTP/1. [`SectionError`] keeps
//! the two apart.

use crate::byte_set::ByteSet;
use crate::chunked::{MAX_TRAILER_LINES, MAX_TRAILERS, is_allowed};
use crate::fields::{Fields, Known};
use crate::head::HeadError;

/// What a field counts in the size of a list beyond its name and value (RFC 9113 §6.5.2).
pub(crate) const OVERHEAD: usize = 32;

/// Why a field section was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionError {
    /// It is malformed, for this reason: a stream error of type `PROTOCOL_ERROR`
    /// (RFC 9113 §8.1.1).
    Malformed(&'static str),
    /// The gateway answers it with an error.
    Head(HeadError),
}

impl From<HeadError> for SectionError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

/// A trailer section that is being received (RFC 9113 §8.1).
pub struct TrailerSection<'f> {
    fields: &'f mut Fields,
    size: usize,
    count: usize,
    error: Option<SectionError>,
}

impl<'f> TrailerSection<'f> {
    /// Begins a section, and clears `fields` for it.
    #[must_use]
    pub fn new(fields: &'f mut Fields) -> Self {
        fields.clear();
        Self {
            fields,
            size: 0,
            count: 0,
            error: None,
        }
    }

    /// Takes the next field. After an error the rest is ignored.
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        if self.error.is_none() {
            self.error = self.take(name, value).err();
        }
    }

    /// Ends the section. Fields that concern framing, routing or authentication were dropped
    /// (RFC 9110 §6.5.1), as those of a chunked body are.
    ///
    /// # Errors
    /// A pseudo-field, a connection-specific field, a malformed one; or
    /// [`HeadError::TooLarge`] and [`HeadError::TooManyFields`] for more than 16 KiB or 64
    /// fields.
    pub fn finish(self) -> Result<(), SectionError> {
        self.error.map_or(Ok(()), Err)
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), SectionError> {
        self.size += name.len() + value.len() + OVERHEAD;
        self.count += 1;
        if self.size > MAX_TRAILERS {
            return Err(HeadError::TooLarge.into());
        }
        if self.count > MAX_TRAILER_LINES {
            return Err(HeadError::TooManyFields.into());
        }
        check(name, value)?;
        if Known::of(name).is_hop_by_hop() {
            return Err(SectionError::Malformed("connection-specific field"));
        }
        if is_allowed(name) {
            self.fields.append(name, value);
        }
        Ok(())
    }
}

/// Checks the bytes of a field that is not a pseudo-field (RFC 9113 §8.2.1). As in HTTP/1, no
/// control character but the tab may be in a value.
pub(crate) fn check(name: &[u8], value: &[u8]) -> Result<(), SectionError> {
    static NAME: ByteSet = ByteSet::new(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz");
    // Names are nearly always good, and short: this has one branch less for each byte.
    let is_good = (name.iter()).fold(true, |good, &byte| good & NAME.contains(byte));
    if name.is_empty() || !is_good {
        return Err(SectionError::Malformed("bad field name"));
    }
    check_value(value)
}

/// Checks the bytes of a value.
pub(crate) fn check_value(value: &[u8]) -> Result<(), SectionError> {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    // Without an early end this compares many bytes at once.
    let has_control = value.iter().fold(false, |found, &byte| {
        found | (byte < b' ' && byte != b'\t') | (byte == 0x7f)
    });
    if has_control || is_space(value.first()) || is_space(value.last()) {
        return Err(SectionError::Malformed("bad field value"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
