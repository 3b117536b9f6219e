//! The figures of the cache, and the stored responses of an address.

use std::sync::Arc;

use crate::background::Background;
use crate::disk::DiskFigures;
use crate::entry::{Body, Entry};
use crate::key::Address;
use crate::purge::PurgeState;
use crate::store::Store;
use crate::store::index::Slot;

/// Current figures; counters count since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Slots of the memory store: entries and a few markers.
    pub objects: u64,
    /// Their weight in bytes.
    pub bytes: u64,
    /// The most that they may weigh, in bytes.
    pub budget: u64,
    /// Entries evicted to stay within the budget.
    pub evictions: u64,
    /// Bodies that are being received.
    pub fills: u64,
    /// The memory that those hold, in bytes.
    pub fill_bytes: u64,
    /// Requests to upstreams that other requests may wait for.
    pub flights: u64,
    /// Number of the newest purge; counts purges and invalidations.
    pub purges: u64,
    /// Recorded purges that no sweep has carried out yet.
    pub purge_lines: u64,
    /// True while a sweep runs.
    pub sweeping: bool,
    /// The disk store, if there is one.
    pub disk: Option<DiskFigures>,
}

impl CacheFigures {
    pub(crate) fn of(store: &Store, flights: usize, background: &Background) -> Self {
        Self {
            objects: store.index.len(),
            bytes: store.index.weight(),
            budget: store.index.capacity(),
            evictions: store.index.evicted(),
            fills: store.fill_budget.fills(),
            fill_bytes: store.fill_budget.held(),
            flights: flights as u64,
            purges: store.purges.counted(),
            purge_lines: store.purges.lines() as u64,
            sweeping: background.is_sweeping(),
            disk: store.disk.as_ref().map(|disk| DiskFigures {
                opened: store.opened.len(),
                ..disk.figures()
            }),
        }
    }
}

/// The address whose stored responses `janua cache get` lists.
#[derive(Clone, Copy, Debug)]
pub struct AddressFilter<'a> {
    /// `http` or `https`; `None` for both.
    pub scheme: Option<&'a [u8]>,
    /// Host, with the port if the requests had one; in any letter case.
    pub host: &'a [u8],
    /// Normalised path.
    pub path: &'a [u8],
    /// The query; `None` for every query.
    pub query: Option<&'a [u8]>,
}

impl AddressFilter<'_> {
    pub(crate) fn accepts(&self, address: &Address<'_>) -> bool {
        self.scheme.is_none_or(|scheme| scheme == address.scheme)
            && self.host.eq_ignore_ascii_case(address.host)
            && self.path == address.path
            && (self.query.is_none() || self.query == address.query || address.query_edited)
    }
}

/// A stored response and where its body is.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The stored response.
    pub entry: Arc<Entry>,
    /// Where its body is.
    pub place: Place,
}

/// Where a body is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory.
    Memory,
    /// It is still being received.
    Filling,
    /// On the disk only.
    Disk,
}

pub(crate) fn inspect(store: &Store, filter: &AddressFilter<'_>) -> Vec<Inspected> {
    let mut all: Vec<Inspected> = Vec::new();
    let add = |entry: Arc<Entry>, all: &mut Vec<Inspected>| {
        let is_accepted = entry
            .address()
            .is_some_and(|address| filter.accepts(&address));
        let known = |one: &Inspected| one.entry.is(entry.primary(), entry.variant());
        if !is_accepted
            || all.iter().any(known)
            || entry.purge_state(&store.purges) == PurgeState::Dead
        {
            return;
        }
        let place = match entry.body() {
            Body::Bytes(_) => Place::Memory,
            Body::Growing(_) => Place::Filling,
            Body::File { .. } => Place::Disk,
        };
        all.push(Inspected { entry, place });
    };
    for (_, slot) in store.index.iter().chain(store.opened.iter()) {
        if let Slot::Entry(entry) = slot {
            add(entry, &mut all);
        }
    }
    if let Some(disk) = &store.disk {
        disk.each(|entry| add(Arc::new(entry), &mut all));
    }
    all
}
