//! Stores a body while it arrives: the request that fetches it writes it, and any request
//! on any worker may read it from the first byte on.
//!
//! While the body may still be stored, all of it is kept. Once it proves too large to be
//! stored, or all bodies that are being received hold too much memory, its entry is removed
//! from the index, so that later requests do not find it. Its present readers still get the
//! complete body: the part that the slowest of them has not read is kept, and the writer
//! waits while that is more than [`MAX_LAG`](crate::MAX_LAG). If the writer is dropped
//! before the end, every reader gets [`Aborted`](crate::Aborted), and the entry is removed.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::entry::Entry;
use crate::growth::{FillReader, Growth, Written};
use crate::store::Store;

/// The writing end of a body that is being stored. Dropped without
/// [`finish`](Self::finish), it aborts the body.
#[derive(Debug)]
pub struct Fill {
    store: Arc<Store>,
    entry: Arc<Entry>,
    growth: Arc<Growth>,
    /// From `Content-Length`.
    length: Option<u64>,
}

impl Fill {
    pub(crate) fn new(
        store: Arc<Store>,
        entry: Arc<Entry>,
        growth: Arc<Growth>,
        length: Option<u64>,
    ) -> Self {
        Self {
            store,
            entry,
            growth,
            length,
        }
    }

    /// The entry whose body this writes.
    #[must_use]
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// A reader from the first byte on; `None` once the beginning has been dropped.
    #[must_use]
    pub fn reader(&self) -> Option<FillReader> {
        Growth::reader(&self.growth)
    }

    /// Ready if more may be written. Pending while the slowest reader is too far
    /// behind, which never happens while the body may still be stored.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.growth.poll_ready(cx)
    }

    /// False if the body can no longer be stored and has no reader: the rest need not
    /// be fetched.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.growth.is_wanted()
    }

    /// Appends a copy of `data`.
    pub fn write(&mut self, data: &[u8]) {
        self.write_bytes(Bytes::copy_from_slice(data));
    }

    /// Appends `data` without a copy. A small slice of a large buffer keeps the whole
    /// buffer in memory until the body is complete.
    pub fn write_bytes(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let limit = self.store.max_object();
        if self.growth.write(data, limit) == Written::TooLarge {
            self.store.forget(&self.entry);
        }
    }

    /// Ends a complete body. Returns the entry that is stored from now on; `None` if it
    /// could not be stored, or if its length is not that of `Content-Length`, which
    /// aborts the body.
    pub fn finish(self) -> Option<Arc<Entry>> {
        if self
            .length
            .is_some_and(|length| length != self.growth.written())
        {
            return None;
        }
        let whole = self.growth.finish()?;
        Some(self.store.complete(&self.entry, &self.growth, whole))
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        if self.growth.abort() {
            self.store.forget(&self.entry);
        }
    }
}

#[cfg(test)]
mod tests;
