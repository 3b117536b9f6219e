//! Who waits for something that takes long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whoever waits for a reload, and may leave before it has ended. The default is one who
/// does not leave.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    has_left: Arc<AtomicBool>,
}

/// While this value exists, the asker waits.
pub(crate) struct Waiting(Asker);

impl Asker {
    /// An asker who waits as long as the second value exists.
    pub(crate) fn waiting() -> (Self, Waiting) {
        let asker = Self::default();
        (asker.clone(), Waiting(asker))
    }

    /// Leaves: what still takes long for this asker alone ends.
    pub fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
    }

    /// Set once the asker has left.
    #[must_use]
    pub fn has_left(&self) -> &Arc<AtomicBool> {
        &self.has_left
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.leave();
    }
}
