//! The cache as the proxy uses it: look up, join the flight of a miss, purge.
//!
//! ```text
//! find ─┬─ Entry ── serve, or validate (join, fetch, revalidated)
//!       ├─ OnDisk ─ load on a thread that may block, then as above
//!       ├─ Pass ─── fetch, store nothing
//!       └─ Miss ─── join ─┬─ Leader ─── fetch ─ store / pass / fail
//!                         ├─ Follower ─ wait for the landing
//!                         └─ Again ──── find
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use janua_http::accept_encoding::Coding;

use crate::background::Background;
use crate::disk::{Disk, OpenError};
use crate::entry::{Body, Entry};
use crate::figures::{AddressFilter, CacheFigures, Inspected};
use crate::flight::table::Boarded;
use crate::flight::{Flights, Follow, Joined, Lead};
use crate::key::{Key, Parts, Variance};
use crate::on_disk::OnDisk;
use crate::purge::{Purge, Purges, Scope};
use crate::store::Store;
use crate::store::index::Slot;

/// The limits of the cache, and the folder of its disk store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Byte budget of the memory store; 0 turns the cache off. Bodies that are being
    /// received take memory in addition: at most a quarter of the budget, or four of the
    /// largest objects if that is more.
    pub memory_bytes: u64,
    /// Largest body that is stored, in bytes; reduced to half of the budget of one shard
    /// of the memory store.
    pub max_object: u64,
    /// The disk store, if there is one.
    pub disk: Option<DiskOptions>,
}

/// The options of the disk store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskOptions {
    /// The folder; created with mode 0700.
    pub path: PathBuf,
    /// Byte budget.
    pub bytes: u64,
}

/// When a change of [`Options`] takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconfigured {
    /// All of it is in effect.
    Now,
    /// The folder of the disk store changes with the next start; the rest is in effect.
    DiskAtRestart,
}

/// The result of looking a request up.
#[derive(Debug)]
pub enum Found {
    /// A stored response. Whether it is fresh is for [`rules`](crate::rules) to say.
    Entry(Arc<Entry>),
    /// Not in memory, but possibly on the disk: load it on a thread that may block.
    OnDisk(OnDisk),
    /// Recently the response for this key could not be stored: send the request to
    /// the upstream without making others wait for it.
    Pass,
    /// Nothing is stored.
    Miss {
        /// True if the key is known and only this variant is not.
        vary: bool,
    },
}

/// The shared cache. Clones are handles to the same cache. `F` is the failure that a
/// leader without a response reports to the requests that wait for it.
#[derive(Debug)]
pub struct Cache<F> {
    store: Arc<Store>,
    flights: Arc<Flights<F>>,
    background: Arc<Background>,
}

impl<F> Clone for Cache<F> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            flights: Arc::clone(&self.flights),
            background: Arc::clone(&self.background),
        }
    }
}

impl<F> Cache<F> {
    /// Opens the cache and starts its background thread, which scans the disk. Until it has
    /// done so, lookups try to open files that are not known yet.
    ///
    /// # Errors
    /// [`OpenError`] if the folder of the disk store cannot be used, or the thread cannot
    /// be started.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let disk = match &options.disk {
            Some(disk) if options.memory_bytes > 0 => Some(Disk::open(&disk.path, disk.bytes)?),
            _ => None,
        };
        let purges = match &disk {
            Some(disk) => Arc::clone(disk.purges()),
            None => Arc::new(Purges::new(0, 0)),
        };
        let store = Arc::new(Store::new(
            options.memory_bytes,
            options.max_object,
            purges,
            disk,
        ));
        let background = Arc::new(Background::start(&store)?);
        Ok(Self {
            store,
            flights: Arc::new(Flights::new()),
            background,
        })
    }

    /// Applies new budgets. Entries above the memory budget are evicted at once,
    /// files above the disk budget in the background.
    pub fn reconfigure(&self, options: &Options) -> Reconfigured {
        self.store
            .set_limits(options.memory_bytes, options.max_object);
        let path = self.store.disk.as_ref().map(Disk::path);
        if let (Some(disk), Some(wanted)) = (&self.store.disk, &options.disk) {
            disk.set_budget(wanted.bytes);
            self.background.wake();
        }
        if path == options.disk.as_ref().map(|disk| disk.path.as_path()) {
            Reconfigured::Now
        } else {
            Reconfigured::DiskAtRestart
        }
    }

    /// Looks up a request. If the stored responses vary, `variant` is called to write the
    /// request's values for the [`Variance`], in its order. `now_ms` is in milliseconds
    /// since the Unix epoch.
    pub fn find(
        &self,
        key: &mut Key,
        variant: &mut dyn FnMut(&Variance, &mut Parts),
        now_ms: u64,
    ) -> Found {
        let store = &*self.store;
        key.variant.0.clear();
        let slot = store.hasher.slot(&key.primary.0, b"");
        key.lookup.primary = slot;
        key.lookup.slot = slot;
        key.lookup.landed = self.flights.landed(slot);
        if store.is_off() {
            return Found::Pass;
        }
        let mut vary = false;
        let mut found = store.index.find(slot, &key.primary.0, b"");
        if let Some(Slot::Variance(marker)) = &found {
            vary = true;
            marker.variance.begin(&mut key.variant);
            variant(&marker.variance, &mut key.variant);
            key.lookup.slot = store.hasher.slot(&key.primary.0, &key.variant.0);
            found = store
                .index
                .find(key.lookup.slot, &key.primary.0, &key.variant.0);
        }
        match found {
            Some(Slot::Entry(entry)) => {
                if let Some(entry) = store.unless_purged(entry, key.lookup.slot) {
                    entry.hit();
                    return Found::Entry(entry);
                }
                // A purge removed it, and the same purge removed the copy on the disk.
                return Found::Miss { vary };
            }
            Some(Slot::Pass(marker)) if now_ms < marker.until_ms => return Found::Pass,
            Some(Slot::Pass(_) | Slot::Variance(_)) | None => {}
        }
        self.find_on_disk(key, vary)
    }

    fn find_on_disk(&self, key: &Key, vary: bool) -> Found {
        let store = &self.store;
        let Some(disk) = &store.disk else {
            return Found::Miss { vary };
        };
        let opened = store
            .opened
            .find(key.lookup.slot, &key.primary.0, &key.variant.0);
        if let Some(Slot::Entry(entry)) = opened
            && let Some(entry) = store.unless_purged(entry, key.lookup.slot)
        {
            entry.hit();
            return Found::Entry(entry);
        }
        match disk.probe(&key.primary.0, &key.variant.0) {
            Some(name) => Found::OnDisk(OnDisk::new(store, name, key)),
            None => Found::Miss { vary },
        }
    }

    /// Joins the flight of the key that was looked up last, or begins one. Also used for an
    /// entry that must be validated.
    pub fn join(&self, key: &Key) -> Joined<F> {
        // Read before the flight begins, so that a purge from now on applies to the
        // response that the flight brings.
        let level = self.store.purges.newest();
        match self.flights.board(key) {
            Boarded::First(ticket) => Joined::Leader(Lead::new(
                Arc::clone(&self.store),
                Arc::clone(&self.flights),
                ticket,
                level,
            )),
            Boarded::Waits(receiver) => Joined::Follower(Follow {
                store: Arc::clone(&self.store),
                receiver,
            }),
            Boarded::Again => Joined::Again,
        }
    }

    /// Keeps a compressed form of an entry's body with the entry, counted in the
    /// budget; empty bytes record that compression does not pay. Returns the entry
    /// that is stored now, with all forms that others have added meanwhile.
    pub fn encoded(&self, entry: &Arc<Entry>, coding: Coding, bytes: Bytes) -> Arc<Entry> {
        let current = self.store.current(entry);
        let with = Arc::new(current.with_encoded(coding, bytes));
        // An entry whose body is still being received is replaced when it is complete.
        if !matches!(current.body(), Body::Growing(_)) {
            self.store.replace(&current, &with);
        }
        with
    }

    /// The newest stored entry of the same key, if it has the same body (with a newer
    /// head, or with another compressed form); otherwise `entry` itself.
    #[must_use]
    pub fn current(&self, entry: &Arc<Entry>) -> Arc<Entry> {
        self.store.current(entry)
    }

    /// Purges. When it returns, no lookup on any worker finds a purged response and,
    /// with a disk store, the purge survives a crash. It waits for the disk, so do
    /// not call it on a worker.
    ///
    /// # Errors
    /// The journal of the disk store could not be written: the purge is in effect,
    /// but a restart may forget it.
    pub fn purge(&self, scope: &Scope<'_>, purge: Purge) -> std::io::Result<()> {
        let number = self.store.purges.record(scope, purge);
        let written = match &self.store.disk {
            Some(disk) => disk.journal(scope, purge, number),
            None => Ok(()),
        };
        self.background.sweep();
        written
    }

    /// Purges without waiting for the disk, so a worker may call it. When it returns,
    /// no lookup finds a purged response; the journal is written a moment later.
    pub fn purge_at_once(&self, scope: &Scope<'_>, purge: Purge) {
        let number = self.store.purges.record(scope, purge);
        if let Some(disk) = &self.store.disk {
            disk.journal_later(scope, purge, number);
        }
        self.background.sweep();
    }

    /// Invalidates one address after a request with an unsafe method succeeded
    /// (RFC 9111 §4.4). Works like [`purge_at_once`](Self::purge_at_once), but the
    /// memory is freed later, since invalidations are frequent.
    pub fn invalidate(&self, scheme: &[u8], host: &[u8], path: &[u8], query: Option<&[u8]>) {
        let scope = Scope::Url {
            scheme,
            host,
            path,
            query,
        };
        let number = self.store.purges.record(&scope, Purge::Hard);
        if let Some(disk) = &self.store.disk {
            disk.journal_later(&scope, Purge::Hard, number);
        }
        self.background.sweep_later();
    }

    /// Largest body that is stored, in bytes.
    #[must_use]
    pub fn max_object(&self) -> u64 {
        self.store.max_object()
    }

    /// The current figures.
    #[must_use]
    pub fn status(&self) -> CacheFigures {
        CacheFigures::of(&self.store, self.flights.pending(), &self.background)
    }

    /// All stored responses for an address, with any other parts of the key. Scans the whole
    /// store, including the files on the disk: meant for a command of an operator, and not
    /// to be called on a worker.
    #[must_use]
    pub fn inspect(&self, filter: &AddressFilter<'_>) -> Vec<Inspected> {
        crate::figures::inspect(&self.store, filter)
    }
}

#[cfg(test)]
mod tests;
