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
    pub(crate) declared: Box<[Arc<str>]>,
    /// The datasets.
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

    fn add(&mut self, used: Used) {
        if !self.used.contains(&used) {
            self.used.push(used);
        }
    }
}

impl HostState {
    /// The secret with this name and the policy that is being called, if it has declared the
    /// secret. That counts as a use, also if there is no such secret: the verdict may depend
    /// on that.
    pub(super) fn secret(&mut self, name: &str) -> Option<(Arc<Secret>, Arc<str>)> {
        let borrowed = &mut self.borrowed;
        let borrower = borrowed.borrower.as_ref()?;
        let name = borrower.declared.iter().find(|known| &***known == name)?;
        let secret = borrower.resources.secrets().get(name).cloned();
        let used = Used {
            resource: Resource::Secret,
            name: Arc::clone(name),
            generation: secret.as_ref().map_or(0, |secret| secret.generation()),
        };
        let policy = Arc::clone(&borrower.policy);
        borrowed.add(used);
        Some((secret?, policy))
    }

    /// The same of a dataset.
    pub(super) fn dataset(&mut self, name: &str) -> Option<Arc<Dataset>> {
        let borrowed = &mut self.borrowed;
        let borrower = borrowed.borrower.as_ref()?;
        let name = borrower.datasets.iter().find(|known| &***known == name)?;
        let dataset = borrower.resources.datasets().get(name).cloned();
        let used = Used {
            resource: Resource::Dataset,
            name: Arc::clone(name),
            generation: dataset.as_ref().map_or(0, |dataset| dataset.generation()),
        };
        borrowed.add(used);
        dataset
    }
}
