//! The order in which streams send data while it has to wait for the transport or for the
//! connection's window.
//!
//! The most urgent streams are first (RFC 9218 §10). Among equally urgent ones, incremental
//! streams take turns of one frame each, and one that is not incremental keeps its place until
//! its response is complete.

use std::collections::VecDeque;

use crate::priority::Priority;
use crate::streams::StreamKey;

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    waiting: VecDeque<(u8, StreamKey)>,
    /// How many streams have been woken to send, and have not done so yet.
    pub(crate) granted: usize,
}

impl Turns {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a stream, before its equals if `first`.
    pub(crate) fn push(&mut self, key: StreamKey, priority: Priority, first: bool) {
        let urgency = priority.urgency;
        let is_before = |&&(other, _): &&(u8, StreamKey)| match first {
            true => other < urgency,
            false => other <= urgency,
        };
        let place = match first {
            true => self.waiting.iter().take_while(is_before).count(),
            // Nearly all have the same urgency.
            false => {
                let after = self.waiting.iter().rev();
                self.waiting.len() - after.take_while(|entry| !is_before(entry)).count()
            }
        };
        self.waiting.insert(place, (urgency, key));
    }

    pub(crate) fn pop(&mut self) -> Option<StreamKey> {
        let (_, key) = self.waiting.pop_front()?;
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        Some(key)
    }

    pub(crate) fn remove(&mut self, key: StreamKey) {
        self.waiting.retain(|&(_, other)| other != key);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
