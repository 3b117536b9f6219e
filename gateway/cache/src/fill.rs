//! A body on its way in: written by the one who asked the upstream, read by
//! everyone who wants it, on any worker, from the first byte on.
//!
//! While it may still be stored, all of it is kept. Once it proves larger than
//! what may be stored, or the fills together hold too much, it leaves the
//! index: later requests do not find it, its present readers still get all of
//! it, only what the slowest of them lacks is kept, and the writer waits while
//! that is more than [`MAX_LAG`]. A writer that goes away before the end is
//! told to every reader as [`Aborted`], and the entry is gone.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::entry::{Body, Entry};
use crate::store::Store;

mod budget;
mod growth;

pub(crate) use budget::GrowingBytes;
pub(crate) use growth::Growth;

/// How far the slowest reader may lag behind the writer of a body that is not
/// kept, in bytes.
pub const MAX_LAG: u64 = 1 << 20;

/// The body ended before it was whole: its writer failed or went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted;

impl std::fmt::Display for Aborted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body ended before it was whole")
    }
}

impl std::error::Error for Aborted {}

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
        if self.growth.write(data, limit) == growth::Written::TooLarge {
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

impl Body {
    /// True if it is this body on its way in.
    pub(crate) fn is_growing_as(&self, growth: &Arc<Growth>) -> bool {
        matches!(self, Self::Growing(growing) if Arc::ptr_eq(&growing.0, growth))
    }
}

/// The reading end. Dropped, it no longer holds the writer up.
#[derive(Debug)]
pub struct FillReader {
    growth: Arc<Growth>,
    id: usize,
}

impl FillReader {
    /// The next piece; `None` after the last one of a whole body.
    ///
    /// # Errors
    /// [`Aborted`] if the writer went away before the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>> {
        self.growth.poll_next(self.id, cx)
    }

    /// As [`poll_next`](Self::poll_next), to be awaited.
    ///
    /// # Errors
    /// [`Aborted`] if the writer went away before the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, Aborted>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl Drop for FillReader {
    fn drop(&mut self) {
        self.growth.leave(self.id);
    }
}

#[cfg(test)]
mod tests;
