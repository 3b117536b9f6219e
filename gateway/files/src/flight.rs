//! Shares one lookup among concurrent requests for the same path.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ahash::RandomState;
use tokio::sync::oneshot;

use crate::entries::Key;
use crate::lookup::Lookup;

/// The lookups in progress, and who waits for each.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<(Key, u64), Waiting, RandomState>>);

type Waiting = Vec<oneshot::Sender<Lookup>>;

impl Flights {
    /// Waits for the lookup of this key in this generation of its root. If none
    /// is in progress, calls `start` to begin one; `start` returns false if it
    /// cannot.
    pub(crate) fn join(
        &self,
        key: Key,
        generation: u64,
        start: impl FnOnce(Key) -> bool,
    ) -> Option<oneshot::Receiver<Lookup>> {
        let (sender, receiver) = oneshot::channel();
        let mut flights = self.lock();
        if let Some(waiting) = flights.get_mut(&(key.clone(), generation)) {
            waiting.push(sender);
            return Some(receiver);
        }
        // Called under the lock, so that no request waits for a lookup that was
        // refused. Starting only pushes to a queue.
        if !start(key.clone()) {
            return None;
        }
        flights.insert((key, generation), vec![sender]);
        Some(receiver)
    }

    /// Ends a lookup. Without a result, those who wait learn that it was lost.
    pub(crate) fn land(&self, key: Key, generation: u64, result: Option<&Lookup>) {
        let waiting = self.lock().remove(&(key, generation)).unwrap_or_default();
        if let Some(result) = result {
            for sender in waiting {
                // A receiver that was dropped needs no result.
                let _ = sender.send(result.clone());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Key, u64), Waiting, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
