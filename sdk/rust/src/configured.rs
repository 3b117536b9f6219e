//! A configured policy with the types of the contract, for the component's exports and
//! for native tests.

use std::fmt;

use crate::bindings::janua::policy::{subscriptions, verdicts};
use crate::{
    Fetched, Finished, Inputs, Kind, Missing, Policy, Request, Response, Subscription, Verdict,
    config,
};

/// A configured policy and its subscription.
pub struct Configured<P> {
    policy: P,
    subscription: subscriptions::Subscription,
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
    pub fn subscription(&self) -> &subscriptions::Subscription {
        &self.subscription
    }

    /// The policy itself.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// Calls the hook of the phase at this position of the subscription.
    ///
    /// # Errors
    /// Those of the policy, and a position without a phase.
    pub fn decide(
        &self,
        phase: u32,
        inputs: Vec<Option<String>>,
    ) -> Result<verdicts::Verdict, String> {
        let policy = &self.policy;
        let phase = self.subscription.phases.get(phase as usize);
        match phase.map_or("", |phase| &phase.name) {
            <Request as Kind>::NAME => contract(policy.on_request(&Inputs::new(inputs))),
            <Fetched as Kind>::NAME => contract(policy.on_fetched(&Inputs::new(inputs))),
            <Missing as Kind>::NAME => contract(policy.on_missing(&Inputs::new(inputs))),
            <Response as Kind>::NAME => contract(policy.on_response(&Inputs::new(inputs))),
            <Finished as Kind>::NAME => contract(policy.on_finished(&Inputs::new(inputs))),
            _ => Err("the policy does not subscribe to this phase".to_owned()),
        }
    }
}

fn contract<K: Kind>(verdict: Result<Verdict<K>, String>) -> Result<verdicts::Verdict, String> {
    verdict.map(Verdict::into_contract)
}
