//! Why a field block cannot be decoded.

use std::fmt;

/// A field block cannot be decoded. The dynamic table may be out of step with the peer's from
/// then on, so that the connection must be closed with COMPRESSION_ERROR (RFC 9113 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The block ends within a field.
    Truncated,
    /// An integer is larger, or written in more bytes, than is of any use.
    IntegerTooLarge,
    /// An index refers to no entry of the two tables (RFC 7541 §2.3.3).
    NoSuchEntry,
    /// A Huffman-coded string ends with more than 7 bits of padding, or with padding that is
    /// not all ones (RFC 7541 §5.2).
    Padding,
    /// A Huffman-coded string contains the symbol for its end (RFC 7541 §5.2).
    EndOfString,
    /// A size update is larger than the size that was advertised (RFC 7541 §6.3).
    SizeUpdateTooLarge,
    /// A size update follows a field (RFC 7541 §4.2).
    SizeUpdateMisplaced,
    /// There are more than two size updates (RFC 7541 §4.2).
    TooManySizeUpdates,
    /// The peer has acknowledged a smaller table, and does not begin its next block with a size
    /// update to that (RFC 9113 §4.3.1).
    SizeUpdateMissing,
    /// The receiver of the fields wants no more of them, so that the rest was not decoded.
    Stopped,
}

impl Error {
    /// A description for the log.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Truncated => "the block ends within a field",
            Self::IntegerTooLarge => "an integer is too large",
            Self::NoSuchEntry => "an index refers to no entry",
            Self::Padding => "the padding of a Huffman-coded string is not valid",
            Self::EndOfString => "a Huffman-coded string contains EOS",
            Self::SizeUpdateTooLarge => "the table is made larger than it may be",
            Self::SizeUpdateMisplaced => "the size of the table changes after a field",
            Self::TooManySizeUpdates => "the size of the table changes more than twice",
            Self::SizeUpdateMissing => "the table was not made smaller as acknowledged",
            Self::Stopped => "there are too many fields, or they are too large",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl std::error::Error for Error {}
