//! Token buckets of the gateway, and what is taken from them.

use std::marker::PhantomData;

use crate::bindings::janua::policy::effects::{self, Measure};
use crate::{AbsentKey, Reply, Request, Value};

/// A token bucket of the gateway, named in phase `P`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket<P> {
    bucket: effects::Bucket,
    kind: PhantomData<P>,
}

impl<P> Bucket<P> {
    /// A bucket to which `tokens` are added every `period_ms` milliseconds; both are at
    /// least 1. By default there is no burst, and all requests share one bucket.
    #[must_use]
    pub fn new(tokens: u32, period_ms: u32) -> Self {
        Self {
            bucket: effects::Bucket {
                name: String::new(),
                key: Vec::new(),
                absent: AbsentKey::Share,
                tokens,
                period_ms,
                burst: 0,
            },
            kind: PhantomData,
        }
    }

    /// Names the bucket, for policies with several.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.bucket.name);
        self
    }

    /// Gives each value of the key its own bucket. `absent` decides about requests
    /// without a key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Value<P>>, absent: AbsentKey) -> Self {
        self.bucket.key = key.into().into_parts();
        self.bucket.absent = absent;
        self
    }

    /// The number of requests at once beyond the rate: the bucket holds `burst + 1`
    /// tokens.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.bucket.burst = burst;
        self
    }
}

/// How many tokens are taken from a bucket in phase `P`. A number converts to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost<P> {
    cost: effects::Cost,
    kind: PhantomData<P>,
}

impl<P> Cost<P> {
    /// This many tokens.
    #[must_use]
    pub fn tokens(tokens: u32) -> Self {
        Self::of(effects::Cost::Tokens(tokens))
    }

    /// As many as a value of the exchange states, but at most `most`, which is at least 1;
    /// `otherwise` if it is absent or no number.
    #[must_use]
    pub fn measured(amount: impl Into<Value<P>>, otherwise: u32, most: u32) -> Self {
        Self::of(effects::Cost::Measured(Measure {
            amount: amount.into().into_parts(),
            otherwise,
            most,
        }))
    }

    fn of(cost: effects::Cost) -> Self {
        Self {
            cost,
            kind: PhantomData,
        }
    }
}

impl<P> From<u32> for Cost<P> {
    fn from(tokens: u32) -> Self {
        Self::tokens(tokens)
    }
}

/// Takes tokens from a bucket, or refuses the request. Requires
/// [`may_take`](crate::Phase::may_take).
#[derive(Clone, Debug, PartialEq)]
pub struct Take(effects::Take);

impl Take {
    /// Takes one token. The refusal is a 429.
    #[must_use]
    pub fn new(bucket: Bucket<Request>) -> Self {
        Self(effects::Take {
            bucket: bucket.bucket,
            cost: effects::Cost::Tokens(1),
            otherwise: Reply::<Request>::new(429).into_contract(),
        })
    }

    /// The number of tokens that one request takes. With 0 a request is refused only while
    /// the bucket is in debt: see [`Charge::debt`].
    #[must_use]
    pub fn cost(mut self, cost: impl Into<Cost<Request>>) -> Self {
        self.0.cost = cost.into().cost;
        self
    }

    /// The response if there are not enough tokens. The gateway adds `Retry-After`.
    #[must_use]
    pub fn otherwise(mut self, reply: Reply<Request>) -> Self {
        self.0.otherwise = reply.into_contract();
        self
    }

    pub(crate) fn into_contract(self) -> effects::Take {
        self.0
    }
}

/// Charges a bucket in phase `P`, even if there are not enough tokens: what was used is
/// known only afterwards. Requires [`may_charge`](crate::Phase::may_charge).
#[derive(Clone, Debug, PartialEq)]
pub struct Charge<P> {
    charge: effects::Charge,
    kind: PhantomData<P>,
}

impl<P> Charge<P> {
    /// Charges a bucket, which has the same rate and burst as in the [`Take`] that it
    /// belongs to. The bucket becomes empty at most.
    #[must_use]
    pub fn new(bucket: Bucket<P>, cost: impl Into<Cost<P>>) -> Self {
        Self {
            charge: effects::Charge {
                bucket: bucket.bucket,
                cost: cost.into().cost,
                debt: 0,
            },
            kind: PhantomData,
        }
    }

    /// How many tokens the bucket may lack below empty.
    #[must_use]
    pub fn debt(mut self, tokens: u32) -> Self {
        self.charge.debt = tokens;
        self
    }

    pub(crate) fn into_contract(self) -> effects::Charge {
        self.charge
    }
}
