//! Loading from the disk: blocking, in the pool of the caller.

use std::sync::Arc;

use crate::disk::Content;
use crate::entry::{Body, Entry};
use crate::key::Key;
use crate::store::Store;

/// A response that is perhaps on the disk.
#[derive(Debug)]
pub struct OnDisk {
    store: Arc<Store>,
    name: u128,
    primary: Box<[u8]>,
    variant: Box<[u8]>,
}

/// What was on the disk.
#[derive(Debug)]
pub enum Loaded {
    /// This response; it is in the index now.
    Entry(Arc<Entry>),
    /// What the key varies on: look again, which knows the variant then. A
    /// second `Again` for one request is a miss.
    Again,
    /// Nothing that may be used: join the flight.
    Miss,
}

impl OnDisk {
    pub(crate) fn new(store: &Arc<Store>, name: u128, key: &Key) -> Self {
        Self {
            store: Arc::clone(store),
            name,
            primary: key.primary.0.as_slice().into(),
            variant: key.variant.0.as_slice().into(),
        }
    }

    /// Reads it. Blocks: run it in the pool of blocking work. Whatever is wrong
    /// with the file is a miss.
    #[must_use]
    pub fn load(self) -> Loaded {
        let store = &self.store;
        // Another request may have loaded it while this one waited for a thread.
        if let Some(entry) = store.in_memory(&self.primary, &self.variant) {
            return Loaded::Entry(entry);
        }
        let Some(disk) = &store.disk else {
            return Loaded::Miss;
        };
        match disk.load(self.name, &self.primary, &self.variant) {
            None => Loaded::Miss,
            Some(Content::Variance(variance)) => {
                store.mark(&self.primary, &variance);
                Loaded::Again
            }
            Some(Content::Entry(entry)) => {
                let entry = Arc::new(entry);
                store.take_up(&entry);
                // A newer file may have come while this one was read; its
                // writer looked for us before or finds us now.
                if let Body::File { file, .. } = entry.body()
                    && !disk.is_current(self.name, file)
                {
                    store.forget(&entry);
                }
                entry.hit();
                Loaded::Entry(entry)
            }
        }
    }
}
