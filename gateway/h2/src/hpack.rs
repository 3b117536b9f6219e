//! How the compression of fields is used here: how much memory it may take, and what a section
//! may unpack to.

use std::cell::RefCell;
use std::ops::ControlFlow;

use janua_hpack::{Decoder, ENTRY_OVERHEAD, Encoder};

use crate::abuse::Abuse;
use crate::error::{Code, ConnectionError};

/// The most bytes of the table for responses, whatever the client allows. This has room for a
/// dozen fields, which is what repeats; a table of 4,096 bytes would take 12 KiB of memory
/// for each idle connection, mostly for old dates.
const ENCODER_TABLE: u32 = 1_024;

thread_local! {
    // Memory for strings in the Huffman code, for all connections of a thread.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Takes the size of the table that the client wants to keep.
pub(crate) fn limit_table(encoder: &mut Encoder, size: u32) {
    encoder.set_max_table_size(size.min(ENCODER_TABLE) as usize);
}

/// Passes each field of a section to `each`, as name and value. The table remains in step with
/// the client's even if `each` disregards them.
///
/// # Errors
/// The section is malformed, or all fields take more than `most` bytes (RFC 9113 §6.5.2); no later
/// section can be decoded.
pub(crate) fn decode(
    decoder: &mut Decoder,
    section: &[u8],
    most: usize,
    mut each: impl FnMut(&[u8], &[u8]),
) -> Result<(), ConnectionError> {
    let mut size = 0_usize;
    let decoded = SCRATCH.with_borrow_mut(|scratch| {
        decoder.decode(section, scratch, |field| {
            size = size.saturating_add(field.name.len() + field.value.len() + ENTRY_OVERHEAD);
            if size > most {
                return ControlFlow::Break(());
            }
            each(field.name, field.value);
            ControlFlow::Continue(())
        })
    });
    match decoded {
        Ok(()) => Ok(()),
        Err(_) if size > most => Err(ConnectionError::Abuse(Abuse::UnpackedHead)),
        Err(_) => Err(ConnectionError::Protocol(
            Code::COMPRESSION_ERROR,
            "a field section cannot be decoded",
        )),
    }
}
