//! Runs a policy natively with a simulated exchange and applies its verdict.
//!
//! As in the gateway, a declaration with a word that does not exist is refused, and a
//! verdict must stay within the declaration: a test fails with the word that is missing.
//!
//! ```
//! # use janua_sdk::{Inputs, Policy, Request, Subscription, Verdict, testing};
//! # #[derive(serde::Deserialize)] struct Config {}
//! # struct Hello;
//! # impl Policy for Hello {
//! #     type Config = Config;
//! #     fn new(_: Config, subscription: &mut Subscription) -> Result<Self, String> {
//! #         subscription.request().may_edit("x-hello"); Ok(Self)
//! #     }
//! #     fn on_request(&self, _: &Inputs<Request>) -> Result<Verdict<Request>, String> {
//! #         Ok(Verdict::proceed().set_header("x-hello", "world"))
//! #     }
//! # }
//! let policy = testing::configure::<Hello>("{}").unwrap();
//! let got = policy.request(&testing::Exchange::get("https://shop.example/a?b=1"));
//! assert_eq!(got.exchange.request_header("x-hello"), Some("world"));
//! ```

mod declaration;
mod effects;
mod exchange;
mod outcome;
mod permitted;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;

use crate::bindings::janua::policy::subscriptions;
use crate::{Configured, Fetched, Finished, Kind, Missing, Policy, Request, Response};
pub use exchange::Exchange;
pub use outcome::{Answer, Outcome};

/// A configured policy under test.
pub struct Trial<P> {
    configured: Configured<P>,
}

impl<P> fmt::Debug for Trial<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.configured.fmt(f)
    }
}

/// Configures a policy with a JSON document.
///
/// # Errors
/// The message that the operator would get: from the policy, or about its declaration.
pub fn configure<P: Policy>(json: &str) -> Result<Trial<P>, String> {
    let configured = Configured::new(json)?;
    declaration::check(configured.subscription())?;
    Ok(Trial { configured })
}

impl<P: Policy> Trial<P> {
    /// The policy's declaration.
    pub fn subscription(&self) -> &subscriptions::Subscription {
        self.configured.subscription()
    }

    /// The part of the declaration for a phase, if the policy subscribes to it.
    pub fn phase<K: Kind>(&self, _: K) -> Option<&subscriptions::Phase> {
        let mut phases = self.subscription().phases.iter();
        phases.find(|phase| phase.name == K::NAME)
    }

    /// Runs the phase `request`. As in the gateway, the policy is not called if it does not
    /// subscribe to the phase.
    ///
    /// # Panics
    /// If the policy returns an error, or a verdict that the gateway would refuse.
    #[must_use]
    pub fn request(&self, exchange: &Exchange) -> Outcome {
        self.run::<Request>(exchange)
    }

    /// Runs the phase `fetched`. See [`Trial::request`].
    ///
    /// # Panics
    /// If the policy returns an error, or a verdict that the gateway would refuse.
    #[must_use]
    pub fn fetched(&self, exchange: &Exchange) -> Outcome {
        self.run::<Fetched>(exchange)
    }

    /// Runs the phase `missing`. See [`Trial::request`].
    ///
    /// # Panics
    /// If the policy returns an error, or a verdict that the gateway would refuse.
    #[must_use]
    pub fn missing(&self, exchange: &Exchange) -> Outcome {
        self.run::<Missing>(exchange)
    }

    /// Runs the phase `response`. See [`Trial::request`].
    ///
    /// # Panics
    /// If the policy returns an error, or a verdict that the gateway would refuse.
    #[must_use]
    pub fn response(&self, exchange: &Exchange) -> Outcome {
        self.run::<Response>(exchange)
    }

    /// Runs the phase `finished`. See [`Trial::request`].
    ///
    /// # Panics
    /// If the policy returns an error, or a verdict that the gateway would refuse.
    #[must_use]
    pub fn finished(&self, exchange: &Exchange) -> Outcome {
        self.run::<Finished>(exchange)
    }

    #[allow(clippy::panic, reason = "a test is to fail here, with the reason")]
    fn run<K: Kind>(&self, exchange: &Exchange) -> Outcome {
        let subscription = self.subscription();
        let mut phases = (0..).zip(&subscription.phases);
        let Some((position, phase)) = phases.find(|(_, phase)| phase.name == K::NAME) else {
            return Outcome::untouched(exchange);
        };
        let inputs = phase.inputs.iter();
        let inputs = inputs.map(|input| exchange.input(input, &phase.references));
        let verdict = match self.configured.decide(position, inputs.collect()) {
            Ok(verdict) => verdict,
            Err(message) => panic!("the policy failed: {message}"),
        };
        let carried_out = permitted::check(subscription, phase, &verdict)
            .and_then(|()| outcome::carry_out(phase, exchange, verdict));
        match carried_out {
            Ok(outcome) => outcome,
            Err(refusal) => panic!("the gateway would refuse this verdict: {refusal}"),
        }
    }
}
