//! A connection to an upstream.

use crate::wire::{Reader, Writer};

/// A connection to an endpoint.
pub(crate) struct Upstreamed {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}
