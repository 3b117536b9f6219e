//! Decoding field blocks.

use std::ops::{ControlFlow, Range};

use crate::dynamic_table::{DynamicTable, Name};
use crate::{DEFAULT_TABLE_SIZE, Error, huffman, integer, static_table};

/// The most size updates of a block: one to the smallest size since the last block, and one to
/// the present size (RFC 7541 §4.2).
const MAX_SIZE_UPDATES: usize = 2;

/// A decoded field, lent from a table, the block, or the scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Any bytes, also upper-case letters and none at all. Names of pseudo-header fields begin
    /// with a colon.
    pub name: &'a [u8],
    /// Any bytes.
    pub value: &'a [u8],
    /// Whoever forwards the field must not index it either: see
    /// [`Indexing::Never`](crate::Indexing::Never) (RFC 7541 §6.2.3).
    pub never_indexed: bool,
}

/// Decodes the field blocks that a peer sends, all of a connection and in order.
#[derive(Debug)]
pub struct Decoder {
    table: DynamicTable,
    /// The most that the peer may set the size of the table to.
    limit: usize,
    /// The smallest limit since the last block, if that is less than the size of the table: the
    /// next block must begin with an update to at most this.
    owed: Option<usize>,
}

impl Decoder {
    /// A decoder for a new connection. The peer may make the dynamic table as large as
    /// `max_table_size` bytes. It begins with that size, but not with more than
    /// [`DEFAULT_TABLE_SIZE`], which a peer uses as long as it does not know of another.
    ///
    /// So a connection of HTTP/2 begins with at least the default, and a smaller size that was
    /// advertised is set by [`Self::set_max_table_size`] once the peer has acknowledged it.
    #[must_use]
    pub fn new(max_table_size: usize) -> Self {
        Self {
            table: DynamicTable::new(max_table_size.min(DEFAULT_TABLE_SIZE)),
            limit: max_table_size,
            owed: None,
        }
    }

    /// Changes the most that the peer may set the size of the dynamic table to, in bytes. If that
    /// is less than its present size, the next block must begin with a size update.
    ///
    /// The time for this is when the peer acknowledges the SETTINGS with that size.
    pub fn set_max_table_size(&mut self, max_table_size: usize) {
        self.limit = max_table_size;
        if max_table_size < self.owed.unwrap_or_else(|| self.table.max_size()) {
            self.owed = Some(max_table_size);
        }
    }

    /// The size of all entries of the dynamic table (RFC 7541 §4.1), in bytes. At the end of a
    /// block it is never above the size that was advertised.
    #[must_use]
    pub fn table_size(&self) -> usize {
        self.table.size()
    }

    /// The memory that the dynamic table takes, in bytes: at most about three times the size that
    /// the peer has chosen for it, and nothing as long as it is not used.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.table.capacity()
    }

    /// Decodes a complete field block, and passes the fields to `sink` one after another.
    /// `scratch` is overwritten. It is memory for Huffman-coded strings, and grows to at most 1.6
    /// times the length of the longest field; one for all connections of a thread is enough.
    ///
    /// A block can be much smaller than its fields: a byte may stand for a field as large as the
    /// dynamic table. The sink should add up what it gets, each field with
    /// [`ENTRY_OVERHEAD`](crate::ENTRY_OVERHEAD), and has a choice once that is too much:
    /// - It keeps returning `Continue`, and disregards the fields. The dynamic table remains in
    ///   step with the peer's, so that only this request or response is refused. Some such limit
    ///   should remain, since a field with an indexed name is copied into the table.
    /// - It returns `Break`, after which nothing more is decoded, and the connection is lost.
    ///
    /// # Errors
    /// The block is malformed, or the sink has stopped. The connection must be closed with
    /// COMPRESSION_ERROR (RFC 9113 §4.3), or with ENHANCE_YOUR_CALM if the sink has stopped. What
    /// a further call would return is not specified.
    pub fn decode(
        &mut self,
        block: &[u8],
        scratch: &mut Vec<u8>,
        mut sink: impl FnMut(Field<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut rest = block;
        self.read_size_updates(&mut rest)?;
        while let Some(&first) = rest.first() {
            // The representations of RFC 7541 §6, by the highest bit that is set.
            let flow = match first.leading_zeros() {
                0 => {
                    let index = integer::read(&mut rest, 7)?;
                    let (name, value) = self.entry(index)?;
                    sink(Field {
                        name,
                        value,
                        never_indexed: false,
                    })
                }
                1 => self.read_indexed_literal(&mut rest, scratch, &mut sink)?,
                2 => return Err(Error::SizeUpdateMisplaced),
                zeros => {
                    let literal = Literal::read(&mut rest, 4, scratch)?;
                    sink(Field {
                        name: literal.name(self, scratch)?,
                        value: literal.value.bytes(scratch),
                        never_indexed: zeros == 3,
                    })
                }
            };
            if flow.is_break() {
                return Err(Error::Stopped);
            }
        }
        Ok(())
    }

    /// Reads the size updates at the beginning of a block (RFC 7541 §6.3).
    fn read_size_updates(&mut self, rest: &mut &[u8]) -> Result<(), Error> {
        let mut updates = 0;
        while rest.first().is_some_and(|first| first.leading_zeros() == 2) {
            updates += 1;
            if updates > MAX_SIZE_UPDATES {
                return Err(Error::TooManySizeUpdates);
            }
            let size = integer::read(rest, 5)?;
            if size > self.limit {
                return Err(Error::SizeUpdateTooLarge);
            }
            self.owed = self.owed.filter(|&owed| size > owed);
            self.table.set_max_size(size);
        }
        match self.owed {
            Some(_) => Err(Error::SizeUpdateMissing),
            None => Ok(()),
        }
    }

    /// Reads a literal field that is added to the dynamic table (RFC 7541 §6.2.1).
    fn read_indexed_literal(
        &mut self,
        rest: &mut &[u8],
        scratch: &mut Vec<u8>,
        sink: &mut impl FnMut(Field<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let literal = Literal::read(rest, 6, scratch)?;
        let name = literal.name(self, scratch)?;
        let value = literal.value.bytes(scratch);
        let flow = sink(Field {
            name,
            value,
            never_indexed: false,
        });
        let name = match &literal.name {
            LiteralName::Text(text) => Name::Given(text.bytes(scratch)),
            LiteralName::Index(index) => match static_table::get(*index) {
                Some((name, _)) => Name::Given(name),
                None => Name::Of(index - static_table::LEN - 1),
            },
        };
        self.table.insert(name, value);
        Ok(flow)
    }

    /// The entry of one of the tables with this index (RFC 7541 §2.3.3), as name and value.
    #[inline]
    fn entry(&self, index: usize) -> Result<(&[u8], &[u8]), Error> {
        let entry = match index.checked_sub(static_table::LEN + 1) {
            Some(place) => self.table.get(place),
            None => static_table::get(index),
        };
        entry.ok_or(Error::NoSuchEntry)
    }
}

/// A field whose value, at least, is in the block (RFC 7541 §6.2).
struct Literal<'b> {
    name: LiteralName<'b>,
    value: Text<'b>,
}

enum LiteralName<'b> {
    Index(usize),
    Text(Text<'b>),
}

impl<'b> Literal<'b> {
    /// Reads a literal, the first byte of which holds `prefix` bits of the index.
    #[inline]
    fn read(rest: &mut &'b [u8], prefix: u32, scratch: &mut Vec<u8>) -> Result<Self, Error> {
        scratch.clear();
        let name = match integer::read(rest, prefix)? {
            0 => LiteralName::Text(Text::read(rest, scratch)?),
            index => LiteralName::Index(index),
        };
        let value = Text::read(rest, scratch)?;
        Ok(Self { name, value })
    }

    #[inline]
    fn name<'a>(&self, decoder: &'a Decoder, scratch: &'a [u8]) -> Result<&'a [u8], Error>
    where
        'b: 'a,
    {
        match &self.name {
            LiteralName::Index(index) => decoder.entry(*index).map(|(name, _)| name),
            LiteralName::Text(text) => Ok(text.bytes(scratch)),
        }
    }
}

/// A string (RFC 7541 §5.2).
enum Text<'b> {
    Plain(&'b [u8]),
    /// Decoded to this part of the scratch memory.
    Decoded(Range<usize>),
}

impl<'b> Text<'b> {
    /// Reads a string from the front of `rest`, and moves `rest` beyond it.
    #[inline]
    fn read(rest: &mut &'b [u8], scratch: &mut Vec<u8>) -> Result<Self, Error> {
        let is_coded = rest.first().is_some_and(|first| first & 0x80 != 0);
        let length = integer::read(rest, 7)?;
        let (bytes, after) = rest.split_at_checked(length).ok_or(Error::Truncated)?;
        *rest = after;
        if !is_coded {
            return Ok(Self::Plain(bytes));
        }
        let start = scratch.len();
        huffman::decode(bytes, scratch)?;
        Ok(Self::Decoded(start..scratch.len()))
    }

    #[inline]
    fn bytes<'a>(&self, scratch: &'a [u8]) -> &'a [u8]
    where
        'b: 'a,
    {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Decoded(range) => scratch.get(range.clone()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
