//! HPACK, the compression of the field sections of HTTP/2 (RFC 7541): a [`Decoder`] for the
//! field blocks that a peer sends, and an [`Encoder`] for those that are sent to it. A
//! connection has one of each, and both live as long as it does: each block may refer to fields
//! of the blocks before it.
//!
//! Nothing here reads a socket or knows of frames. The caller joins the fragments of a block
//! (HEADERS, PUSH_PROMISE and CONTINUATION, RFC 9113 §4.3) and limits its length; it also checks
//! what a field means, since every sequence of bytes is a name or value here.
//!
//! ```
//! use std::ops::ControlFlow;
//! use janua_hpack::{DEFAULT_TABLE_SIZE, Decoder, Encoder, Indexing};
//!
//! let mut encoder = Encoder::new();
//! let mut block = Vec::new();
//! encoder.begin(&mut block);
//! encoder.status(200, &mut block);
//! encoder.field(b"Vary", b"accept", Indexing::of(b"Vary", b"accept"), &mut block);
//!
//! let mut decoder = Decoder::new(DEFAULT_TABLE_SIZE);
//! let mut scratch = Vec::new();
//! let mut fields = Vec::new();
//! decoder.decode(&block, &mut scratch, |field| {
//!     fields.push((field.name.to_vec(), field.value.to_vec()));
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!(fields[0], (b":status".to_vec(), b"200".to_vec()));
//! assert_eq!(fields[1], (b"vary".to_vec(), b"accept".to_vec()));
//! # Ok::<(), janua_hpack::Error>(())
//! ```

mod decoder;
mod dynamic_table;
mod encoder;
mod error;
mod huffman;
mod indexing;
mod integer;
mod static_table;

pub use decoder::{Decoder, Field};
pub use encoder::Encoder;
pub use error::Error;
pub use indexing::Indexing;

/// The size of a dynamic table in bytes, as long as no other one has been agreed upon
/// (SETTINGS_HEADER_TABLE_SIZE, RFC 9113 §6.5.2).
pub const DEFAULT_TABLE_SIZE: usize = 4096;

/// What an entry of a dynamic table counts in addition to its name and value, in bytes
/// (RFC 7541 §4.1). SETTINGS_MAX_HEADER_LIST_SIZE counts fields in the same way
/// (RFC 9113 §6.5.2).
pub const ENTRY_OVERHEAD: usize = 32;
