//! A body that is read while it is still being received: one writer, and any number
//! of readers on any worker, each from the first byte on.
//!
//! This module depends on no other of the crate: stored entries hold such a body, not the
//! other way round.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use slab::Slab;

mod budget;
mod reader;

pub(crate) use budget::FillBudget;
pub use reader::FillReader;

/// How far the slowest reader may lag behind the writer of a body that is not
/// kept, in bytes.
pub const MAX_LAG: u64 = 1 << 20;

/// The body ended before it was complete: its writer failed or was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted;

impl std::fmt::Display for Aborted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body ended before it was complete")
    }
}

impl std::error::Error for Aborted {}

/// A body that is being received.
#[derive(Debug)]
pub(crate) struct Growth {
    state: Mutex<State>,
    budget: Arc<FillBudget>,
}

#[derive(Debug)]
struct State {
    chunks: VecDeque<Bytes>,
    /// Number of the first chunk that is still there.
    first: u64,
    /// Offset of that chunk in the body, in bytes.
    start: u64,
    /// Bytes written so far.
    end: u64,
    /// Bytes of the shared budget that this body has reserved.
    reserved: u64,
    /// True while the whole body is kept, so that it can be stored.
    kept: bool,
    progress: Progress,
    readers: Slab<Reader>,
    writer: Option<Waker>,
}

#[derive(Debug)]
enum Progress {
    Growing,
    /// The body is complete. If all of it was kept it is here, and no longer in `chunks`.
    Whole(Option<Bytes>),
    Aborted,
}

#[derive(Debug, Default)]
struct Reader {
    /// Number of the chunk to read next.
    chunk: u64,
    /// Bytes read so far.
    at: u64,
    waker: Option<Waker>,
}

/// Whether the body can still be stored after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Kept,
    /// From this write on the beginning of the body is dropped once all readers have it.
    TooLarge,
    /// The beginning was being dropped already before this write.
    Passing,
}

/// Bytes of memory that a chunk takes beside its content.
const CHUNK: u64 = 64;

impl Growth {
    /// Begins a body and reserves `expected` bytes for it; `None` if the limit of all bodies
    /// together does not allow that.
    pub(crate) fn begin(budget: &Arc<FillBudget>, expected: u64) -> Option<Arc<Self>> {
        if !budget.reserve(expected) {
            return None;
        }
        budget.begin();
        Some(Arc::new(Self {
            state: Mutex::new(State {
                chunks: VecDeque::new(),
                first: 0,
                start: 0,
                end: 0,
                reserved: expected,
                kept: true,
                progress: Progress::Growing,
                readers: Slab::new(),
                writer: None,
            }),
            budget: Arc::clone(budget),
        }))
    }

    pub(crate) fn written(&self) -> u64 {
        self.lock().end
    }

    pub(crate) fn whole(&self) -> Option<Bytes> {
        match &self.lock().progress {
            Progress::Whole(whole) => whole.clone(),
            _ => None,
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        let state = self.lock();
        state.kept || !state.readers.is_empty()
    }

    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.kept || state.end - state.start <= MAX_LAG {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn write(&self, data: Bytes, limit: u64) -> Written {
        let mut state = self.lock();
        let before = state.kept;
        state.end += data.len() as u64;
        state.chunks.push_back(data);
        if state.kept {
            let cost = state.end + CHUNK * state.chunks.len() as u64;
            let more = cost.saturating_sub(state.reserved);
            if state.end > limit || (more > 0 && !self.budget.reserve(more)) {
                state.kept = false;
                self.trim(&mut state);
            } else {
                state.reserved += more;
            }
        } else {
            self.trim(&mut state);
        }
        let kept = state.kept;
        let waiting = state.take_wakers();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        match (before, kept) {
            (true, true) => Written::Kept,
            (true, false) => Written::TooLarge,
            (false, _) => Written::Passing,
        }
    }

    /// Ends the body, and returns it in one allocation of exactly its size if all of it was
    /// kept. Nothing changes between the two locks, as only the writer writes.
    pub(crate) fn finish(&self) -> Option<Bytes> {
        let (chunks, length) = {
            let state = self.lock();
            let chunks = state
                .kept
                .then(|| state.chunks.iter().cloned().collect::<Vec<_>>());
            (chunks, usize::try_from(state.end).unwrap_or_default())
        };
        let whole = chunks.map(|chunks| {
            let mut body = Vec::with_capacity(length);
            for chunk in chunks {
                body.extend_from_slice(&chunk);
            }
            Bytes::from(body.into_boxed_slice())
        });
        let mut state = self.lock();
        if whole.is_some() {
            state.chunks = VecDeque::new();
            self.budget.release(std::mem::take(&mut state.reserved));
        }
        state.progress = Progress::Whole(whole.clone());
        let waiting = state.take_wakers();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        whole
    }

    /// Aborts the body; false if it had ended already.
    pub(crate) fn abort(&self) -> bool {
        let mut state = self.lock();
        if !matches!(state.progress, Progress::Growing) {
            return false;
        }
        state.progress = Progress::Aborted;
        state.chunks.clear();
        self.budget.release(std::mem::take(&mut state.reserved));
        let waiting = state.take_wakers();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        true
    }

    pub(crate) fn poll_next(
        &self,
        id: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Aborted>>> {
        let mut state = self.lock();
        let State {
            chunks,
            first,
            progress,
            readers,
            start,
            end,
            ..
        } = &mut *state;
        let Some(reader) = readers.get_mut(id) else {
            return Poll::Ready(None);
        };
        match progress {
            Progress::Aborted => return Poll::Ready(Some(Err(Aborted))),
            Progress::Whole(Some(_)) | Progress::Growing | Progress::Whole(None)
                if reader.at == *end && !matches!(progress, Progress::Growing) =>
            {
                return Poll::Ready(None);
            }
            Progress::Whole(Some(whole)) => {
                let rest = whole.slice(usize::try_from(reader.at).unwrap_or(usize::MAX)..);
                reader.at = *end;
                return Poll::Ready(Some(Ok(rest)));
            }
            Progress::Growing | Progress::Whole(None) => {}
        }
        let index = usize::try_from(reader.chunk.saturating_sub(*first)).unwrap_or(usize::MAX);
        let Some(chunk) = chunks.get(index).cloned() else {
            // The waker is the same one most of the time.
            match &mut reader.waker {
                Some(known) => known.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        };
        let was_slowest = reader.at == *start;
        reader.chunk += 1;
        reader.at += chunk.len() as u64;
        let writer = (was_slowest && !state.kept)
            .then(|| self.trim(&mut state))
            .flatten();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(Some(Ok(chunk)))
    }

    pub(crate) fn leave(&self, id: usize) {
        let mut state = self.lock();
        let reader = state.readers.try_remove(id);
        let writer = (!state.kept).then(|| self.trim(&mut state)).flatten();
        drop(state);
        drop(reader);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Drops the chunks that every reader has read and returns their bytes to the
    /// budget. Returns the waker of the writer if it waits and may go on.
    fn trim(&self, state: &mut State) -> Option<Waker> {
        let slowest = state
            .readers
            .iter()
            .map(|(_, reader)| reader.at)
            .min()
            .unwrap_or(state.end);
        while let Some(chunk) = state.chunks.front() {
            let next = state.start + chunk.len() as u64;
            if next > slowest {
                break;
            }
            state.start = next;
            state.first += 1;
            state.chunks.pop_front();
        }
        let held = state.end - state.start;
        if held < state.reserved {
            self.budget.release(state.reserved - held);
            state.reserved = held;
        }
        if held <= MAX_LAG {
            state.writer.take()
        } else {
            None
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.release(state.reserved);
        self.budget.end();
    }
}

impl State {
    fn take_wakers(&mut self) -> Vec<Waker> {
        self.readers
            .iter_mut()
            .filter_map(|(_, reader)| reader.waker.take())
            .collect()
    }
}
