//! The bundled policy `headers`: sets, adds and removes fields.
//!
//! All values are text and references. The verdict is therefore the same for all
//! requests, and for responses it depends at most on the status.

mod always;
mod config;
mod edits;
mod fields;
#[cfg(test)]
mod tests;

use janua_sdk::{Inputs, Number, Policy, Request, Response, Slot, Subscription, Verdict};

use crate::always::Always;
use crate::config::Config;
use crate::edits::Edits;

/// A configured `headers`.
#[derive(Debug)]
pub struct Headers {
    request: Option<Edits<Request>>,
    response: Option<OnResponse>,
}

#[derive(Debug)]
struct OnResponse {
    edits: Edits<Response>,
    only: Option<(Slot<Response, Number>, Always)>,
}

impl Policy for Headers {
    type Config = Config;

    fn new(config: Config, subscription: &mut Subscription) -> Result<Self, String> {
        if config.request.is_none() && config.response.is_none() {
            return Err("nothing to do: give `request`, `response` or both".to_owned());
        }
        let request = match config.request {
            Some(fields) => Some(Edits::new("request", fields, subscription.request())?),
            None => None,
        };
        let response = match config.response {
            Some(config) => {
                let phase = subscription.response();
                let (fields, always) = config.split();
                let only = (always != Always::Yes).then(|| (phase.status(), always));
                let edits = Edits::new("response", fields, phase)?;
                Some(OnResponse { edits, only })
            }
            None => None,
        };
        Ok(Self { request, response })
    }

    fn on_request(&self, _: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        let verdict = Verdict::proceed().until_reload();
        Ok(match &self.request {
            Some(edits) => edits.add_to(verdict),
            None => verdict,
        })
    }

    fn on_response(&self, inputs: &Inputs<Response>) -> Result<Verdict<Response>, String> {
        let verdict = Verdict::proceed().until_reload();
        Ok(match &self.response {
            Some(OnResponse { edits, only }) => match only {
                Some((status, always)) if !always.covers(inputs.get(*status)) => verdict,
                _ => edits.add_to(verdict),
            },
            None => verdict,
        })
    }
}

janua_sdk::export!(
    Headers,
    name = "headers",
    schema = include_str!("../schema.json")
);
