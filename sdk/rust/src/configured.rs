//! One configured use of a policy, with the types of the contract: what the
//! component exports, and what a test runs natively.

use std::fmt;

use crate::bindings::janua::policy::types;
use crate::{Inputs, Kind, Policy, Subscription, Verdict, config};

/// A policy and the subscription that its configuration led to.
pub struct Configured<P> {
    policy: P,
    subscription: types::Subscription,
}

/// Without the policy, which may hold secrets.
impl<P> fmt::Debug for Configured<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Configured");
        shown.field("subscription", &self.subscription);
        shown.finish_non_exhaustive()
    }
}

impl<P: Policy> Configured<P> {
    /// Reads a configuration, which is one JSON document.
    ///
    /// # Errors
    /// What is wrong with it, beginning with the path to the field.
    pub fn new(json: &str) -> Result<Self, String> {
        let mut subscription = Subscription::default();
        let policy = P::new(config::read(json)?, &mut subscription)?;
        Ok(Self {
            policy,
            subscription: subscription.finish()?,
        })
    }

    /// What it takes part in.
    pub fn subscription(&self) -> &types::Subscription {
        &self.subscription
    }

    /// The policy itself.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// Phase `request`.
    ///
    /// # Errors
    /// Those of the policy.
    pub fn on_request(&self, inputs: Vec<Option<String>>) -> Result<types::Verdict, String> {
        contract(self.policy.on_request(&Inputs::new(inputs)))
    }

    /// Phase `fetched`.
    ///
    /// # Errors
    /// Those of the policy.
    pub fn on_fetched(&self, inputs: Vec<Option<String>>) -> Result<types::Verdict, String> {
        contract(self.policy.on_fetched(&Inputs::new(inputs)))
    }

    /// Phase `missing`.
    ///
    /// # Errors
    /// Those of the policy.
    pub fn on_missing(&self, inputs: Vec<Option<String>>) -> Result<types::Verdict, String> {
        contract(self.policy.on_missing(&Inputs::new(inputs)))
    }

    /// Phase `response`.
    ///
    /// # Errors
    /// Those of the policy.
    pub fn on_response(&self, inputs: Vec<Option<String>>) -> Result<types::Verdict, String> {
        contract(self.policy.on_response(&Inputs::new(inputs)))
    }
}

fn contract<K: Kind>(verdict: Result<Verdict<K>, String>) -> Result<types::Verdict, String> {
    verdict.map(Verdict::into_contract)
}
