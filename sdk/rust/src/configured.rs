//! A configured policy with the types of the contract, for the component's exports and
//! for native tests.

use std::fmt;

use crate::bindings::janua::policy::types;
use crate::{Inputs, Kind, Policy, Subscription, Verdict, config};

/// A configured policy and its subscription.
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
    /// Configures a policy with a JSON document.
    ///
    /// # Errors
    /// The reason why the configuration is refused.
    pub fn new(json: &str) -> Result<Self, String> {
        let mut subscription = Subscription::default();
        let policy = P::new(config::read(json)?, &mut subscription)?;
        Ok(Self {
            policy,
            subscription: subscription.finish()?,
        })
    }

    /// Its subscription.
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
