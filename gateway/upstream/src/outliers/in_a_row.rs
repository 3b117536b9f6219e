//! Errors of an endpoint in a row, for each kind.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::rule::ErrorLimits;
use super::standing::EjectionReason;

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The endpoint could not be connected to.
    Connect,
    /// The connection was lost, or what came was no response.
    Reset,
    /// No response came in time.
    Timeout,
    /// The response has an error status.
    Status,
}

/// Errors in a row, by kind: four numbers of 16 bits in one word.
#[derive(Debug, Default)]
pub(super) struct InARow(AtomicU64);

const BITS: u32 = 16;
const MASK: u64 = (1 << BITS) - 1;

impl InARow {
    /// Counts the outcome of a request. Returns the error if it is one too many.
    pub(super) fn count(
        &self,
        error: Option<ErrorKind>,
        limits: &ErrorLimits,
    ) -> Option<ErrorKind> {
        let Some(error) = error else {
            // The usual case writes nothing.
            if self.0.load(Relaxed) != 0 {
                self.reset();
            }
            return None;
        };
        let (place, limit) = match error {
            ErrorKind::Connect => (0, limits.connect),
            ErrorKind::Reset => (1, limits.reset),
            ErrorKind::Timeout => (2, limits.timeout),
            ErrorKind::Status => (3, limits.status),
        };
        let shift = place * BITS;
        let next = |word: u64| {
            let count = (word >> shift & MASK).saturating_add(1).min(MASK);
            // A response shows that it can be connected to and answers in time.
            let others = match error {
                ErrorKind::Status => 0,
                _ => word & !(MASK << shift),
            };
            Some(others | count << shift)
        };
        let before = self.0.fetch_update(Relaxed, Relaxed, next);
        let before = before.unwrap_or_else(|word| word);
        let count = (before >> shift & MASK) + 1;
        (limit > 0 && count >= u64::from(limit).min(MASK)).then_some(error)
    }

    pub(super) fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

impl From<ErrorKind> for EjectionReason {
    fn from(error: ErrorKind) -> Self {
        match error {
            ErrorKind::Connect => Self::Connect,
            ErrorKind::Reset => Self::Reset,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Status => Self::Status,
        }
    }
}
