//! Makes the instances of a family, one configuration at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::configured::Configured;
use crate::deadline::Caller;
use crate::failure::{FailureKind, PolicyFailure};
use crate::family::MAX_INSTANCES;
use crate::policy::Policy;

/// How often configurations are made again that were lost to the failure of another one.
const MAX_RESTARTS: u32 = 4;

/// Instances in the making. Policies of one family go into one instance until that is
/// nearly full, and then into the next.
pub(crate) struct Building {
    waiting: VecDeque<Arc<Policy>>,
    current: Option<Configured>,
    /// The policies in the current instance.
    inside: Vec<Arc<Policy>>,
    /// The most policies in an instance, as far as it is known.
    most: usize,
    restarts: u32,
    made: Vec<Configured>,
    failed: Vec<Failed>,
}

/// A policy that could not be configured, although it could once before.
pub(crate) struct Failed {
    pub(crate) policy: Arc<Policy>,
    pub(crate) failure: PolicyFailure,
}

impl Building {
    pub(crate) fn new(policies: impl IntoIterator<Item = Arc<Policy>>) -> Self {
        Self {
            waiting: policies.into_iter().collect(),
            current: None,
            inside: Vec::new(),
            most: usize::MAX,
            restarts: 0,
            made: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Configures the next policy, which takes at most about its `configure_deadline` in
    /// CPU time. False if there is none left.
    pub(crate) fn step(&mut self, caller: &Caller) -> bool {
        let Some(policy) = self.waiting.pop_front() else {
            return false;
        };
        if self.made.len() >= MAX_INSTANCES {
            let failure = PolicyFailure {
                kind: FailureKind::Memory,
                detail: format!(
                    "{MAX_INSTANCES} instances are full with the policies of this component"
                ),
            };
            self.failed.push(Failed { policy, failure });
            return true;
        }
        let current = match self.current.take() {
            Some(current) => Ok(current),
            None => Configured::new(&policy, caller),
        };
        let mut current = match current {
            Ok(current) => current,
            Err(failure) => {
                self.failed.push(Failed { policy, failure });
                return true;
            }
        };
        match current.add(&policy, caller) {
            Ok(_) => {
                self.inside.push(policy);
                self.current = Some(current);
                self.close_if_full();
            }
            Err(failure) if failure.kind.discards_instance() => self.restart(policy, failure),
            Err(failure) => {
                self.failed.push(Failed { policy, failure });
                self.current = Some(current);
            }
        }
        true
    }

    /// The instances, and the policies that are in none of them.
    pub(crate) fn finish(mut self) -> (Vec<Configured>, Vec<Failed>) {
        self.made.extend(self.current.take());
        self.made.retain(|made| made.policies().len() > 0);
        (self.made, self.failed)
    }

    fn close_if_full(&mut self) {
        let is_full = |current: &mut Configured| {
            self.inside.len() >= self.most || current.instance.is_nearly_full()
        };
        if let Some(full) = self.current.take_if(is_full) {
            self.made.push(full);
            self.inside.clear();
        }
    }

    /// Goes on after a failure that cost the current instance: the policies in it are
    /// configured once more.
    fn restart(&mut self, policy: Arc<Policy>, failure: PolicyFailure) {
        let lost = std::mem::take(&mut self.inside);
        self.restarts += u32::from(!lost.is_empty());
        if self.restarts > MAX_RESTARTS {
            let rest = lost.into_iter().chain(self.waiting.drain(..));
            let all = std::iter::once(policy).chain(rest);
            self.failed.extend(all.map(|policy| Failed {
                policy,
                failure: failure.clone(),
            }));
            return;
        }
        // It has room beside fewer others.
        if failure.kind == FailureKind::Memory && !lost.is_empty() {
            self.most = lost.len();
            self.waiting.push_front(policy);
        } else {
            self.failed.push(Failed { policy, failure });
        }
        for policy in lost.into_iter().rev() {
            self.waiting.push_front(policy);
        }
    }
}
