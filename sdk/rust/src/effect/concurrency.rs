//! Limits of concurrency.

use crate::bindings::janua::policy::effects;
use crate::{AbsentKey, Reply, Request, Value};

/// Limits how many requests are under way. Requires
/// [`may_limit_concurrency`](crate::Phase::may_limit_concurrency).
#[derive(Clone, Debug, PartialEq)]
pub struct Concurrency(effects::Concurrency);

impl Concurrency {
    /// At most this many requests at a time, at least 1. By default all requests are
    /// counted together, and the refusal is a 429.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self(effects::Concurrency {
            name: String::new(),
            key: Vec::new(),
            absent: AbsentKey::Share,
            most,
            otherwise: Reply::<Request>::new(429).into_contract(),
        })
    }

    /// Names the limit, for policies with several.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.0.name);
        self
    }

    /// Counts the requests of each value of the key on their own. `absent` decides about
    /// requests without a key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Value<Request>>, absent: AbsentKey) -> Self {
        self.0.key = key.into().into_parts();
        self.0.absent = absent;
        self
    }

    /// The response if there are too many.
    #[must_use]
    pub fn otherwise(mut self, reply: Reply<Request>) -> Self {
        self.0.otherwise = reply.into_contract();
        self
    }

    pub(crate) fn into_contract(self) -> effects::Concurrency {
        self.0
    }
}
