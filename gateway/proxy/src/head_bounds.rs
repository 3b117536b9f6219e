//! The bounds of a head that policies and routes edit.
//!
//! What clients and upstreams send has bounds of its own (`max_head`, `max_fields` and
//! `max_response_head`), which may be wider. A head that exceeds these here as it was received is
//! not checked: it grows by no more than the edits, which are bounded themselves.

use janua_http::Fields;

/// The largest size of an edited head, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// The largest number of fields of an edited head.
const MAX_FIELDS: usize = 512;

/// Whether a head is too large.
pub(crate) fn exceed(fields: &Fields) -> bool {
    fields.exceed(MAX_BYTES, MAX_FIELDS)
}

/// A description of a head that is too large with the fields of `by`.
pub(crate) fn words(by: &str) -> String {
    format!(
        "with the fields of {by}, a head has more than {MAX_FIELDS} fields or {} KiB",
        MAX_BYTES / 1024
    )
}
