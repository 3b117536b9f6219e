//! Reads a body while it is being received.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::{Aborted, Growth, Progress, Reader};

/// A reader of a body. A dropped reader no longer makes the writer wait.
#[derive(Debug)]
pub struct FillReader {
    growth: Arc<Growth>,
    id: usize,
}

impl FillReader {
    /// The next piece; `None` after the last one of a complete body.
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

impl Growth {
    pub(crate) fn reader(this: &Arc<Self>) -> Option<FillReader> {
        let mut state = this.lock();
        if state.start > 0 && !matches!(state.progress, Progress::Whole(Some(_))) {
            return None;
        }
        let reader = Reader {
            chunk: state.first,
            ..Reader::default()
        };
        let id = state.readers.insert(reader);
        Some(FillReader {
            growth: Arc::clone(this),
            id,
        })
    }
}
