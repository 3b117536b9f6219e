//! Inputs that are looked up in datasets.

use janua_datasets::{Datasets, Found};
use janua_wasm::{Facts as _, Lookup, Single};

use super::View;
use crate::worker::Worker;

/// The datasets in which keys are looked up.
pub(crate) enum Held<'a> {
    /// Those of the snapshot with which the request is processed.
    Of(&'a Datasets),
    /// Those of the newest one: the exchange has no snapshot any more.
    Latest(&'a Worker),
}

impl View<'_> {
    /// The value of a look-up.
    pub(super) fn lookup(&self, lookup: &Lookup, out: &mut Vec<u8>) -> bool {
        let mut key = Vec::new();
        self.input(&lookup.key, &mut key) && self.found(lookup, &key, out)
    }

    /// The same if the key must have one value.
    pub(super) fn single_lookup(&self, lookup: &Lookup, out: &mut Vec<u8>) -> Single {
        let mut key = Vec::new();
        match self.single(&lookup.key, &mut key) {
            Single::Present if self.found(lookup, &key, out) => Single::Present,
            Single::Present | Single::Absent => Single::Absent,
            Single::Conflicting => Single::Conflicting,
        }
    }

    /// Appends the value of a key. What is no address is in no dataset of addresses.
    fn found(&self, lookup: &Lookup, key: &[u8], out: &mut Vec<u8>) -> bool {
        let find = |datasets: &Datasets, out: &mut Vec<u8>| {
            let dataset = datasets.get(&lookup.dataset);
            dataset.is_some_and(|it| it.find(key, &lookup.member, out) == Found::Value)
        };
        match self.datasets {
            Held::Of(datasets) => find(datasets, out),
            Held::Latest(worker) => find(worker.snapshot().datasets(), out),
        }
    }
}
