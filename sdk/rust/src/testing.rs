//! Runs a policy natively with a simulated exchange and applies its verdict.
//!
//! ```
//! # use janua_sdk::{Inputs, Policy, Request, Subscription, Verdict, testing};
//! # #[derive(serde::Deserialize)] struct Config {}
//! # struct Hello;
//! # impl Policy for Hello {
//! #     type Config = Config;
//! #     fn new(_: Config, subscription: &mut Subscription) -> Result<Self, String> {
//! #         subscription.request(); Ok(Self)
//! #     }
//! #     fn on_request(&self, _: &Inputs<Request>) -> Result<Verdict<Request>, String> {
//! #         Ok(Verdict::proceed().set_header("x-hello", "world"))
//! #     }
//! # }
//! let policy = testing::configure::<Hello>("{}").unwrap();
//! let got = policy.request(&testing::Exchange::get("https://shop.example/a?b=1"));
//! assert_eq!(got.exchange.request_header("x-hello"), Some("world"));
//! ```

mod destination;
mod effects;
mod exchange;
mod outcome;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::bindings::janua::policy::types::{self, Verdict};
use crate::{Configured, Policy};
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
/// The message that the operator would get.
pub fn configure<P: Policy>(json: &str) -> Result<Trial<P>, String> {
    let configured = Configured::new(json)?;
    Ok(Trial { configured })
}

impl<P: Policy> Trial<P> {
    /// The policy's subscription.
    pub fn subscription(&self) -> &types::Subscription {
        self.configured.subscription()
    }

    /// Runs the phase `request`. As in the gateway, the policy is not called if it does not
    /// subscribe to the phase.
    ///
    /// # Panics
    /// If the policy returns an error, or a verdict that the gateway would refuse.
    #[must_use]
    pub fn request(&self, exchange: &Exchange) -> Outcome {
        let phase = self.subscription().request.as_ref();
        run(phase, exchange, false, |inputs| {
            self.configured.on_request(inputs)
        })
    }

    /// Runs the phase `fetched`. See [`Trial::request`].
    ///
    /// # Panics
    /// If the policy returns an error, or a verdict that the gateway would refuse.
    #[must_use]
    pub fn fetched(&self, exchange: &Exchange) -> Outcome {
        let phase = self.subscription().fetched.as_ref();
        run(phase, exchange, true, |inputs| {
            self.configured.on_fetched(inputs)
        })
    }

    /// Runs the phase `missing`. See [`Trial::request`].
    ///
    /// # Panics
    /// If the policy returns an error, or a verdict that the gateway would refuse.
    #[must_use]
    pub fn missing(&self, exchange: &Exchange) -> Outcome {
        let phase = self.subscription().missing.as_ref();
        run(phase, exchange, true, |inputs| {
            self.configured.on_missing(inputs)
        })
    }

    /// Runs the phase `response`. See [`Trial::request`].
    ///
    /// # Panics
    /// If the policy returns an error, or a verdict that the gateway would refuse.
    #[must_use]
    pub fn response(&self, exchange: &Exchange) -> Outcome {
        let phase = self.subscription().response.as_ref();
        run(phase, exchange, true, |inputs| {
            self.configured.on_response(inputs)
        })
    }
}

#[allow(clippy::panic, reason = "a test is to fail here, with the reason")]
fn run(
    phase: Option<&types::Phase>,
    exchange: &Exchange,
    on_response: bool,
    hook: impl FnOnce(Vec<Option<String>>) -> Result<Verdict, String>,
) -> Outcome {
    let Some(phase) = phase else {
        return Outcome::untouched(exchange);
    };
    let inputs = phase
        .inputs
        .iter()
        .map(|input| exchange.input(input))
        .collect();
    let verdict = match hook(inputs) {
        Ok(verdict) => verdict,
        Err(message) => panic!("the policy failed: {message}"),
    };
    match outcome::carry_out(phase, exchange, on_response, verdict) {
        Ok(outcome) => outcome,
        Err(refusal) => panic!("the gateway would refuse this verdict: {refusal}"),
    }
}
