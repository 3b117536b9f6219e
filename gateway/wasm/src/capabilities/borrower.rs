//! Which secrets and datasets a call may use, and which it has used.
//!
//! Policies share instances, so the instance does not know for which one it is called. Each
//! call therefore brings its [`Borrower`] along, and outside of calls there is none.

use std::sync::Arc;

use janua_datasets::Dataset;
use janua_secrets::Secret;

use super::{Resources, Used};
use crate::permission::Resource;
use crate::state::HostState;

/// A policy, as the secrets and datasets see it.
#[derive(Debug)]
pub(crate) struct Borrower {
    /// Its configured name.
    pub(crate) policy: Arc<str>,
    /// The secrets that it has declared and that it was granted.
    pub(crate) secrets: Box<[Arc<str>]>,
    /// Its datasets.
    pub(crate) datasets: Box<[Arc<str>]>,
    pub(crate) resources: Arc<Resources>,
}

/// The secrets and datasets of the call under way.
#[derive(Debug, Default)]
pub(crate) struct Borrowed {
    borrower: Option<Arc<Borrower>>,
    used: Vec<Used>,
}

impl Borrowed {
    /// Begins a call for a policy.
    pub(crate) fn begin(&mut self, borrower: Option<&Arc<Borrower>>) {
        self.borrower = borrower.map(Arc::clone);
        self.used.clear();
    }

    /// Ends a call. What it has used, each generation once.
    pub(crate) fn end(&mut self) -> Vec<Used> {
        self.borrower = None;
        std::mem::take(&mut self.used)
    }

    /// What has this name, with its generation, if the policy has declared it. That counts as
    /// a use, also if there is nothing with this name: the verdict may depend on that.
    fn use_of<T>(
        &mut self,
        resource: Resource,
        name: &str,
        find: impl FnOnce(&Resources, &str) -> Option<(Arc<T>, u64)>,
    ) -> Option<Arc<T>> {
        let borrower = self.borrower.as_ref()?;
        let declared = match resource {
            Resource::Secret => &borrower.secrets,
            Resource::Dataset => &borrower.datasets,
            Resource::Outbound | Resource::Upstream => return None,
        };
        let name = declared.iter().find(|known| &***known == name)?;
        let found = find(&borrower.resources, name);
        let used = Used {
            resource,
            name: Arc::clone(name),
            generation: found.as_ref().map_or(0, |(_, generation)| *generation),
        };
        if !self.used.contains(&used) {
            self.used.push(used);
        }
        found.map(|(found, _)| found)
    }
}

impl HostState {
    /// The secret with this name, and the policy that is being called.
    pub(super) fn secret(&mut self, name: &str) -> Option<(Arc<Secret>, Arc<str>)> {
        let find = |resources: &Resources, name: &str| {
            let secret = resources.secrets().get(name).cloned()?;
            let generation = secret.generation();
            Some((secret, generation))
        };
        let secret = self.borrowed.use_of(Resource::Secret, name, find)?;
        let borrower = self.borrowed.borrower.as_ref()?;
        Some((secret, Arc::clone(&borrower.policy)))
    }

    /// The dataset with this name.
    pub(super) fn dataset(&mut self, name: &str) -> Option<Arc<Dataset>> {
        let find = |resources: &Resources, name: &str| {
            let dataset = resources.datasets().get(name).cloned()?;
            let generation = dataset.generation();
            Some((dataset, generation))
        };
        self.borrowed.use_of(Resource::Dataset, name, find)
    }
}
