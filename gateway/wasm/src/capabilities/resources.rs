//! What the host holds for policies, and how a remembered verdict depends on it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use janua_datasets::Datasets;
use janua_secrets::Secrets;

use crate::permission::Resource;

/// The secrets and datasets of the published configuration. Policies of a configuration that is not
/// published yet are prepared with those of the one before.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    secrets: ArcSwap<Secrets>,
    datasets: ArcSwap<Datasets>,
    /// Grows after each change.
    changes: AtomicU64,
}

/// A resource that a call has used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) resource: Resource,
    pub(crate) name: Arc<str>,
    /// Its generation at that time; 0 if there was nothing with this name.
    pub(crate) generation: u64,
}

/// The state of the resources that a verdict was made with. The verdict is worth nothing when
/// one of them has changed since.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tie {
    used: Box<[Used]>,
    /// The count of changes at which it was last found to hold.
    checked_at: Cell<u64>,
}

impl Resources {
    pub(crate) fn set_secrets(&self, secrets: Arc<Secrets>) {
        self.secrets.store(secrets);
        // After the store: who sees this count sees the new secrets as well.
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        self.secrets.load_full()
    }

    pub(crate) fn set_datasets(&self, datasets: Arc<Datasets>) {
        self.datasets.store(datasets);
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn datasets(&self) -> Arc<Datasets> {
        self.datasets.load_full()
    }

    /// Whether all are in the state in which they were used.
    pub(crate) fn are_as(&self, used: &[Used]) -> bool {
        let is_same = |used: &Used| self.generation(used.resource, &used.name) == used.generation;
        used.iter().all(is_same)
    }

    fn generation(&self, resource: Resource, name: &str) -> u64 {
        match resource {
            Resource::Secret => self.secrets.load().generation(name),
            Resource::Dataset => self.datasets.load().generation(name),
            Resource::Outbound | Resource::Upstream => 0,
        }
    }
}

impl Tie {
    /// None if nothing was used.
    pub(crate) fn new(used: Vec<Used>) -> Option<Self> {
        (!used.is_empty()).then(|| Self {
            used: used.into(),
            // At the first look-up everything is compared: something may have changed since
            // the call.
            checked_at: Cell::new(u64::MAX),
        })
    }

    pub(crate) fn used(&self) -> Vec<Used> {
        self.used.to_vec()
    }

    /// Whether this was made with the same state.
    pub(crate) fn is_as(&self, used: &[Used]) -> bool {
        *self.used == *used
    }

    /// Whether nothing has changed since.
    #[inline]
    pub(crate) fn holds(&self, resources: &Resources) -> bool {
        let changes = resources.changes.load(Ordering::Acquire);
        self.checked_at.get() == changes || self.compare(resources, changes)
    }

    #[cold]
    fn compare(&self, resources: &Resources, changes: u64) -> bool {
        let holds = resources.are_as(&self.used);
        if holds {
            self.checked_at.set(changes);
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use janua_secrets::{Content, Kind};

    use super::*;

    fn set(resources: &Resources, secrets: &[(&str, &str)]) {
        let contents = secrets.iter().map(|(name, text)| {
            let file = text.as_bytes().to_vec().into();
            let content = Content::read(Kind::Raw, vec![file]).unwrap();
            ((*name).to_owned(), content)
        });
        let new = Secrets::new(contents, &resources.secrets());
        resources.set_secrets(Arc::new(new));
    }

    fn used(resources: &Resources, name: &str) -> Used {
        Used {
            resource: Resource::Secret,
            name: name.into(),
            generation: resources.generation(Resource::Secret, name),
        }
    }

    #[test]
    fn a_dataset_that_changes_ends_a_tie() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list");
        let resources = Resources::default();
        let publish = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let source = janua_datasets::Source {
                kind: janua_datasets::Kind::Strings,
                file: file.clone(),
            };
            let before = resources.datasets();
            let dataset = source.load(before.get("list")).unwrap();
            let datasets = [("list".to_owned(), dataset)].into_iter().collect();
            resources.set_datasets(Arc::new(datasets));
        };
        publish("a\n");
        let used = Used {
            resource: Resource::Dataset,
            name: "list".into(),
            generation: resources.generation(Resource::Dataset, "list"),
        };
        let tie = Tie::new(vec![used]).unwrap();
        assert!(tie.holds(&resources));
        publish("a\n");
        assert!(tie.holds(&resources), "the file is as before");
        publish("b\n");
        assert!(!tie.holds(&resources));
    }

    #[test]
    fn a_tie_holds_until_one_of_its_resources_changes() {
        let resources = Resources::default();
        let (one, two) = ("0123456789abcdef", "fedcba9876543210");
        set(&resources, &[("a", one), ("b", one)]);
        let both = vec![used(&resources, "a"), used(&resources, "b")];
        let both = Tie::new(both).unwrap();
        let a = Tie::new(vec![used(&resources, "a")]).unwrap();
        let absent = Tie::new(vec![used(&resources, "c")]).unwrap();
        for _ in 0..2 {
            assert!(both.holds(&resources) && a.holds(&resources) && absent.holds(&resources));
        }
        set(&resources, &[("a", one), ("b", two)]);
        assert!(!both.holds(&resources));
        assert!(a.holds(&resources));
        set(&resources, &[("a", one), ("b", one), ("c", one)]);
        assert!(!both.holds(&resources), "another content came between");
        assert!(a.holds(&resources));
        assert!(!absent.holds(&resources), "it is there now");
        set(&resources, &[("b", one)]);
        assert!(!a.holds(&resources), "it is gone");
        assert!(Tie::new(Vec::new()).is_none());
    }
}
