//! The compression of fields (RFC 7541).
//!
//! The only file that knows which crate does it.

use janua_http::Known;

/// Reads field sections.
pub(crate) struct Decoder(loona_hpack::Decoder<'static>);

/// A section cannot be decoded, and no later one can.
#[derive(Debug)]
pub(crate) struct Error;

impl Decoder {
    pub(crate) fn new(max_table: usize) -> Self {
        let mut decoder = loona_hpack::Decoder::new();
        decoder.set_max_allowed_table_size(max_table);
        Self(decoder)
    }

    /// Passes each field of a section to `sink`, as name, value, and whether it must never be
    /// indexed.
    pub(crate) fn decode(
        &mut self,
        block: &[u8],
        sink: &mut impl FnMut(&[u8], &[u8], bool),
    ) -> Result<(), Error> {
        let each = |name: std::borrow::Cow<'_, [u8]>, value: std::borrow::Cow<'_, [u8]>| {
            sink(&name, &value, false);
        };
        self.0.decode_with_cb(block, each).map_err(|_| Error)
    }
}

/// Whether a field enters the table of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indexing {
    /// It is likely to be repeated.
    Indexed,
    /// It is not.
    Without,
    /// It is secret, and no intermediary may index it either (RFC 7541 §7.1.3).
    Never,
}

/// Writes field sections.
pub(crate) struct Encoder(loona_hpack::Encoder<'static>);

impl Encoder {
    pub(crate) fn new() -> Self {
        Self(loona_hpack::Encoder::new())
    }

    /// Begins a section.
    pub(crate) fn begin(&mut self, _out: &mut Vec<u8>) {}

    pub(crate) fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        let (mut digits, mut rest) = ([b'0'; 3], status);
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        self.field(b":status", &digits, out, Indexing::Indexed);
    }

    /// Appends a field, whose name is in lower case.
    pub(crate) fn field(
        &mut self,
        name: &[u8],
        value: &[u8],
        out: &mut Vec<u8>,
        _indexing: Indexing,
    ) {
        // Writing to a vector cannot fail.
        let _ = self.0.encode_header_into((name, value), out);
    }

    /// Takes the size of the client's table.
    pub(crate) fn set_max_table_size(&mut self, size: u32) {
        let _ = size;
    }
}

/// How a field of a response is indexed: not if it is different each time.
pub(crate) fn indexing(known: Known, name: &[u8]) -> Indexing {
    match (known, name.len()) {
        (Known::ContentLength | Known::Date, _) => Indexing::Without,
        (_, 3) if name == b"age" => Indexing::Without,
        (_, 4) if name == b"etag" => Indexing::Without,
        (_, 8) if name == b"location" => Indexing::Without,
        (_, 10) if name == b"set-cookie" => Indexing::Never,
        (_, 12) if name == b"x-request-id" => Indexing::Without,
        (_, 13) if matches!(name, b"last-modified" | b"content-range") => Indexing::Without,
        _ => Indexing::Indexed,
    }
}
