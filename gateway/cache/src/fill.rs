//! A body on its way in: written by the one who asked the upstream, read by
//! everyone who wants it, on any worker, from the first byte on.
//!
//! While it may still be stored, all of it is kept. Once it proves larger than
//! what may be stored, or the fills together hold too much, it leaves the
//! index: later requests do not find it, its present readers still get all of
//! it, only what the slowest of them lacks is kept, and the writer waits while
//! that is more than [`MAX_LAG`](crate::MAX_LAG). A writer that goes away before the end is
//! told to every reader as [`Aborted`](crate::Aborted), and the entry is gone.

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

    /// The entry as it was published; its body is this one.
    #[must_use]
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// A reader from the first byte on; `None` once the beginning is gone.
    #[must_use]
    pub fn reader(&self) -> Option<FillReader> {
        Growth::reader(&self.growth)
    }

    /// Ready while more may be written without outrunning the readers. Never
    /// pends while the body may still be stored.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.growth.poll_ready(cx)
    }

    /// False if the body can no longer be stored and nobody reads it: the rest
    /// need not be fetched.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.growth.is_wanted()
    }

    /// Appends a copy of `data`.
    pub fn write(&mut self, data: &[u8]) {
        self.write_bytes(Bytes::copy_from_slice(data));
    }

    /// Appends `data`, which is held as it is: a small piece of a large buffer
    /// keeps all of that in memory until the body is whole.
    pub fn write_bytes(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let limit = self.store.max_object();
        if self.growth.write(data, limit) == Written::TooLarge {
            self.store.forget(&self.entry);
        }
    }

    /// Says that the body is whole. Returns the entry as it is stored from now
    /// on; `None` if it could not be stored, or if fewer or more bytes came
    /// than were announced, which aborts it.
    pub fn finish(self) -> Option<Arc<Entry>> {
        if self
            .length
            .is_some_and(|length| length != self.growth.written())
        {
            return None;
        }
        let whole = self.growth.finish()?;
        Some(self.store.settle(&self.entry, &self.growth, whole))
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
