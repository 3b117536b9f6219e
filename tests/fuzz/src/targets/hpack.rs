//! Field blocks of HTTP/2: [`Decoder`] and [`Encoder`]. The first byte of the input is the size
//! of the table, in units of 32 bytes; the rest is a block, which is sent twice, so that it meets
//! a table with entries too.

use std::ops::ControlFlow;

use httlib_hpack as other;
use janua_hpack::{DEFAULT_TABLE_SIZE, Decoder, ENTRY_OVERHEAD, Encoder, Error, Field, Indexing};

use super::cuts;

pub(crate) const WORDS: &[&str] = &[
    "\x20",
    "\x3f\x21",
    "\x40\x01a\x01b",
    "\x40\x03abc",
    "\x41\x0fwww.example.com",
    "\x7e\x01c",
    "\x7f\x00\x01c",
    "\x00\x01a\x01b",
    "\x10\x01a\x01b",
    "\x0f\x2f\x01c",
    "\x1f\x2f\x01c",
    "\x04\x02/a",
    "\x7f\x7f",
];

/// The most that is decoded of a block, counted as SETTINGS_MAX_HEADER_LIST_SIZE is.
const MAX_DECODED: usize = 1 << 16;

type Owned = (Vec<u8>, Vec<u8>, bool);

pub(crate) fn run(input: &[u8]) {
    let (size, block) = input.split_first().unwrap_or((&0, &[]));
    let limit = usize::from(*size) * 32;
    let mut one = Connection::new(limit);
    let mut same = Connection::new(limit);
    for _ in 0..2 {
        let (fields, result) = one.decode(block);
        check_bounds(&one, block, &fields);
        assert_eq!(same.decode(block), (fields.clone(), result), "not the same");
        check_written(&fields, limit);
        if result.is_err() {
            break;
        }
    }
    check_cuts(block, limit);
    check_other(block, limit);
}

/// The decoder of a connection, and its scratch memory.
struct Connection {
    decoder: Decoder,
    scratch: Vec<u8>,
    limit: usize,
}

impl Connection {
    fn new(limit: usize) -> Self {
        Self {
            decoder: Decoder::new(limit),
            scratch: Vec::new(),
            limit,
        }
    }

    /// The fields up to the error, and the error.
    fn decode(&mut self, block: &[u8]) -> (Vec<Owned>, Result<(), Error>) {
        let mut fields = Vec::new();
        let mut size = 0;
        let result = self.decoder.decode(block, &mut self.scratch, |field| {
            let Field { name, value, .. } = field;
            size += name.len() + value.len() + ENTRY_OVERHEAD;
            fields.push((name.to_vec(), value.to_vec(), field.never_indexed));
            match size > MAX_DECODED {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        (fields, result)
    }
}

/// No field is larger than a table or the block can make it, and the table is within its limit.
fn check_bounds(connection: &Connection, block: &[u8], fields: &[Owned]) {
    let Connection { decoder, limit, .. } = connection;
    let decoded = block.len() * 8 / 5;
    for (name, value, _) in fields {
        let most = (*limit).max("if-unmodified-since".len()) + decoded;
        assert!(name.len() + value.len() <= most, "larger than its source");
    }
    assert!(decoder.table_size() <= *limit, "the table is too large");
    // Vectors grow by doubling; the arena has unused bytes, and the entry that is being added.
    assert!(decoder.capacity() <= 8 * limit + 1024, "too much memory");
}

/// What the encoder writes, the decoder reads as the same, but for the letter case of names; and
/// both have the same table afterwards.
fn check_written(fields: &[Owned], limit: usize) {
    let limit = limit.min(DEFAULT_TABLE_SIZE);
    let mut encoder = Encoder::new();
    let mut decoder = Decoder::new(DEFAULT_TABLE_SIZE);
    encoder.set_max_table_size(limit / 2);
    encoder.set_max_table_size(limit);
    decoder.set_max_table_size(limit / 2);
    decoder.set_max_table_size(limit);
    let mut connection = Connection {
        decoder,
        scratch: Vec::new(),
        limit,
    };
    for round in 0..2 {
        let mut block = Vec::new();
        encoder.begin(&mut block);
        let mut expected = Vec::new();
        let mut size = 0;
        for (place, (name, value, never_indexed)) in fields.iter().enumerate() {
            size += name.len() + value.len() + ENTRY_OVERHEAD;
            if size > MAX_DECODED {
                break;
            }
            let indexing = match (never_indexed, place % 3) {
                (true, _) => Indexing::Never,
                (false, 0) => Indexing::of(name, value),
                (false, 1) => Indexing::Add,
                (false, _) => Indexing::Without,
            };
            encoder.field(name, value, indexing, &mut block);
            let is_never = indexing == Indexing::Never;
            expected.push((name.to_ascii_lowercase(), value.clone(), is_never));
        }
        let read = connection.decode(&block);
        assert_eq!(read, (expected, Ok(())), "what was written, round {round}");
        let size = connection.decoder.table_size();
        assert_eq!(encoder.table_size(), size, "size of the tables");
        assert!(size <= connection.limit, "the table is too large");
    }
}

/// The beginning of a block has the same fields, as far as it goes.
fn check_cuts(block: &[u8], limit: usize) {
    let (fields, result) = Connection::new(limit).decode(block);
    for cut in cuts(block) {
        let (front, end) = Connection::new(limit).decode(&block[..cut]);
        assert!(fields.starts_with(&front), "other fields at {cut}");
        let is_expected = matches!(end, Ok(()) | Err(Error::Truncated)) || end == result;
        assert!(is_expected, "{end:?} at {cut}, but {result:?} of all");
    }
}

/// An independent decoder, which accepts more, reads the same fields in a block that is accepted.
fn check_other(block: &[u8], limit: usize) {
    let (fields, result) = Connection::new(limit).decode(block);
    if result.is_err() || limit > DEFAULT_TABLE_SIZE {
        return;
    }
    let mut decoder = other::Decoder::with_dynamic_size(limit as u32);
    let mut read = Vec::new();
    let result = decoder.decode(&mut block.to_vec(), &mut read);
    assert!(result.is_ok(), "{result:?} of the other");
    let never = other::Decoder::NEVER_INDEXED;
    let read: Vec<Owned> = read
        .into_iter()
        .map(|(name, value, flags)| (name, value, flags & never != 0))
        .collect();
    assert_eq!(fields, read, "fields of the other");
}
