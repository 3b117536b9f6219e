//! One look for many that ask for the same at the same time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ahash::RandomState;
use tokio::sync::oneshot;

use crate::entries::Key;
use crate::lookup::Lookup;

/// The looks that are under way, and who waits for each.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<(Key, u64), Waiting, RandomState>>);

type Waiting = Vec<oneshot::Sender<Lookup>>;

impl Flights {
    /// Waits for the look at this key in this generation of its root; if there
    /// is none, `start` begins one, and says false if it cannot.
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
        // Under the lock, so that nobody joins what was refused. Starting is a
        // push to a queue.
        if !start(key.clone()) {
            return None;
        }
        flights.insert((key, generation), vec![sender]);
        Some(receiver)
    }

    /// Ends a look. Without a result, those who wait learn that it was lost.
    pub(crate) fn land(&self, key: Key, generation: u64, result: Option<&Lookup>) {
        let waiting = self.lock().remove(&(key, generation)).unwrap_or_default();
        if let Some(result) = result {
            for sender in waiting {
                // One that has gone away does not matter.
                let _ = sender.send(result.clone());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Key, u64), Waiting, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
