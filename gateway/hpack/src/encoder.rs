//! Encoding field blocks.

use std::collections::VecDeque;

use janua_http::fields::is_same_name;

use crate::dynamic_table::{DynamicTable, Name};
use crate::static_table::{self, NameHash};
use crate::{DEFAULT_TABLE_SIZE, ENTRY_OVERHEAD, Indexing, huffman, integer};

/// The longest value that is written as it is if it is not added to the dynamic table: an identifier
/// of a request, a length.
const SHORT: usize = 40;
/// The most entries of the dynamic table that are searched for a field, the newest ones.
const SEARCHED: usize = 64;

/// Encodes the field blocks that are sent to a peer, all of a connection and in order.
///
/// Strings are Huffman-coded if that is shorter, except short values that are not added to the
/// dynamic table: to code them for each response takes more than the few bytes are worth.
#[derive(Debug)]
pub struct Encoder {
    table: DynamicTable,
    /// A tag for each entry of the table, the newest first.
    tags: VecDeque<Tag>,
    /// What the size of the table must be from the next block on.
    max_size: usize,
    /// The smallest of the sizes that were set since the last block.
    lowest: usize,
    /// A name in lower case.
    lower: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder for a new connection. Its dynamic table has [`DEFAULT_TABLE_SIZE`] bytes, as
    /// the peer's has as long as it has not advertised another size.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: DynamicTable::new(DEFAULT_TABLE_SIZE),
            tags: VecDeque::new(),
            max_size: DEFAULT_TABLE_SIZE,
            lowest: DEFAULT_TABLE_SIZE,
            lower: Vec::new(),
        }
    }

    /// Sets the most bytes that the peer wants to keep: its SETTINGS_HEADER_TABLE_SIZE
    /// (RFC 9113 §6.5.2). More than [`DEFAULT_TABLE_SIZE`] is not used, so that no peer decides
    /// how much memory it takes here. The next block begins with a size update if that is needed.
    pub fn set_max_table_size(&mut self, max_table_size: usize) {
        self.max_size = max_table_size.min(DEFAULT_TABLE_SIZE);
        self.lowest = self.lowest.min(self.max_size);
    }

    /// The size of all entries of the dynamic table (RFC 7541 §4.1), in bytes.
    #[must_use]
    pub fn table_size(&self) -> usize {
        self.table.size()
    }

    /// The memory that the encoder takes, in bytes: at most about 16 KiB, and nothing as long as
    /// no field is added to the dynamic table.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.table.capacity() + self.tags.capacity() * size_of::<Tag>() + self.lower.capacity()
    }

    /// Begins a block: appends the size updates that are due to `out` (RFC 7541 §4.2). There are
    /// two if the size was lowered and raised since the last block, since the peer has removed
    /// entries for the lower one.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        for size in [self.lowest, self.max_size] {
            if size != self.table.max_size() {
                integer::write(size, 5, 0x20, out);
                self.table.set_max_size(size);
            }
        }
        self.tags.truncate(self.table.len());
        self.lowest = self.max_size;
    }

    /// Appends a field to `out`. The name may be in any letter case, and is written in lower case
    /// (RFC 9113 §8.2). `indexing` applies if the field is not in a table yet; one that would take
    /// more than three quarters of the dynamic table is never added to it.
    ///
    /// A block that is not sent must not contain a field that is added, because the peer would
    /// not learn of it.
    pub fn field(&mut self, name: &[u8], value: &[u8], indexing: Indexing, out: &mut Vec<u8>) {
        let hash = NameHash::of(name);
        let cost = name.len() + value.len() + ENTRY_OVERHEAD;
        let indexing = match indexing {
            Indexing::Add if cost > self.table.max_size() / 4 * 3 => Indexing::Without,
            other => other,
        };
        if let Some(first) = static_table::find_name(name, hash) {
            self.known_field(first, hash, value, indexing, out);
            return;
        }
        let tag = Tag::of(hash, value);
        if indexing == Indexing::Add
            && let Some(place) = self.find(tag, name, value)
        {
            write_index(static_table::LEN + 1 + place, out);
            return;
        }
        let place = self.find_name(tag, name);
        match place {
            Some(place) => write_literal(static_table::LEN + 1 + place, value, indexing, out),
            None => {
                self.lower.clear();
                self.lower.extend(name.iter().map(u8::to_ascii_lowercase));
                out.push(indexing.first_byte());
                write_text(&self.lower, out);
                write_value(value, indexing, out);
            }
        }
        if indexing == Indexing::Add {
            let name = match place {
                Some(place) => Name::Of(place),
                None => Name::Given(&self.lower),
            };
            insert(&mut self.table, &mut self.tags, name, value, tag);
        }
    }

    /// Appends the pseudo-header field of a response, which must be the first field (RFC 9113
    /// §8.3.2). `status` should have three digits; of a longer number the last three are written.
    pub fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        let index = match status {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => {
                let digit = |divisor: u16| b'0' + (status / divisor % 10) as u8;
                let value = [digit(100), digit(10), digit(1)];
                self.field(b":status", &value, Indexing::Add, out);
                return;
            }
        };
        write_index(index, out);
    }

    /// Appends a field whose name is that of the entry `first` of the static table.
    fn known_field(
        &mut self,
        first: usize,
        hash: NameHash,
        value: &[u8],
        indexing: Indexing,
        out: &mut Vec<u8>,
    ) {
        if indexing != Indexing::Never
            && let Some(index) = static_table::find_value(first, value)
        {
            write_index(index, out);
            return;
        }
        if indexing != Indexing::Add {
            write_literal(first, value, indexing, out);
            return;
        }
        let name = static_table::get(first).map_or(&[][..], |entry| entry.0);
        let tag = Tag::of(hash, value);
        match self.find(tag, name, value) {
            Some(place) => write_index(static_table::LEN + 1 + place, out),
            None => {
                write_literal(first, value, indexing, out);
                insert(
                    &mut self.table,
                    &mut self.tags,
                    Name::Given(name),
                    value,
                    tag,
                );
            }
        }
    }

    /// The place of the entry with this name and value in the dynamic table.
    fn find(&self, tag: Tag, name: &[u8], value: &[u8]) -> Option<usize> {
        self.places(|other| other == tag).find(|&place| {
            self.table
                .get(place)
                .is_some_and(|entry| entry.1 == value && is_same_name(entry.0, name))
        })
    }

    /// The place of the newest entry with this name in the dynamic table.
    fn find_name(&self, tag: Tag, name: &[u8]) -> Option<usize> {
        self.places(|other| other.name() == tag.name())
            .find(|&place| {
                let entry = self.table.get(place);
                entry.is_some_and(|entry| is_same_name(entry.0, name))
            })
    }

    /// The places of the entries whose tag fulfils a condition.
    fn places(&self, is_searched: impl Fn(Tag) -> bool) -> impl Iterator<Item = usize> {
        let tags = self.tags.iter().take(SEARCHED).enumerate();
        tags.filter_map(move |(place, tag)| is_searched(*tag).then_some(place))
    }
}

/// The hash of a name, above a hash of a value: a search compares tags first, and hardly any
/// other entry as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag(u32);

impl Tag {
    #[inline]
    fn of(name: NameHash, value: &[u8]) -> Self {
        // Length and both ends tell most values apart, and take the same time for long ones.
        let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let ends = match (value.first_chunk(), value.last_chunk()) {
            (Some(first), Some(last)) => number(first) ^ number(last).rotate_left(29),
            _ => value
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        };
        let mixed = (ends ^ value.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(u32::from(name.tag()) << 16 | (mixed >> 48) as u32)
    }

    #[inline]
    const fn name(self) -> u32 {
        self.0 >> 16
    }
}

impl Indexing {
    /// The first byte of a literal, and the bits of it that an index has (RFC 7541 §6.2).
    #[inline]
    const fn first_byte(self) -> u8 {
        match self {
            Self::Add => 0x40,
            Self::Without => 0x00,
            Self::Never => 0x10,
        }
    }

    #[inline]
    const fn prefix(self) -> u32 {
        match self {
            Self::Add => 6,
            Self::Without | Self::Never => 4,
        }
    }
}

/// Adds an entry to the table, as the peer does.
fn insert(
    table: &mut DynamicTable,
    tags: &mut VecDeque<Tag>,
    name: Name<'_>,
    value: &[u8],
    tag: Tag,
) {
    table.insert(name, value);
    tags.push_front(tag);
    tags.truncate(table.len());
}

/// Appends an indexed field (RFC 7541 §6.1).
#[inline]
fn write_index(index: usize, out: &mut Vec<u8>) {
    integer::write(index, 7, 0x80, out);
}

/// Appends a literal with the name of this index.
#[inline]
fn write_literal(index: usize, value: &[u8], indexing: Indexing, out: &mut Vec<u8>) {
    integer::write(index, indexing.prefix(), indexing.first_byte(), out);
    write_value(value, indexing, out);
}

/// Appends a value.
#[inline]
fn write_value(value: &[u8], indexing: Indexing, out: &mut Vec<u8>) {
    if indexing != Indexing::Add && value.len() <= SHORT {
        write_plain(value, out);
    } else {
        write_text(value, out);
    }
}

/// Appends a string (RFC 7541 §5.2).
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let encoded = huffman::encoded_len(text);
    if encoded < text.len() {
        integer::write(encoded, 7, 0x80, out);
        out.reserve(encoded);
        huffman::encode(text, out);
    } else {
        write_plain(text, out);
    }
}

/// Appends a string that is not coded.
#[inline]
fn write_plain(text: &[u8], out: &mut Vec<u8>) {
    integer::write(text.len(), 7, 0, out);
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests;
