//! Loads a response from the disk. This blocks, and the caller provides the thread.

use std::sync::Arc;

use crate::disk::Content;
use crate::entry::{Body, Entry};
use crate::key::Key;
use crate::store::Store;

/// A response that is possibly on the disk.
#[derive(Debug)]
pub struct OnDisk {
    store: Arc<Store>,
    name: u128,
    primary: Box<[u8]>,
    variant: Box<[u8]>,
}

/// The result of loading.
#[derive(Debug)]
pub enum Loaded {
    /// The response was there; it is in the index now.
    Entry(Arc<Entry>),
    /// There was a record of what the key varies on. Look up again, which can now
    /// compute the variant; a second `Again` for one request is a miss.
    Again,
    /// There was nothing usable: join the flight of the key.
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

    /// Reads the file. This blocks: do not call it on a worker. A missing or damaged
    /// file is a miss.
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
                store.insert_loaded(&entry);
                // A newer file may have replaced this one while it was read. Its writer
                // either finds this entry in the index and removes it, or looked before
                // it was added: that is noticed here.
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
