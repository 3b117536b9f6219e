//! The exports of a component. Compiled on all targets, so that native builds check it,
//! but exported by [`export!`](crate::export) only in WebAssembly.

use std::marker::PhantomData;

use crate::bindings::exports::janua::policy::policies::{self, Guest, GuestPolicy};
use crate::bindings::janua::policy::subscriptions::{Description, Subscription};
use crate::bindings::janua::policy::verdicts::Verdict;
use crate::{Configured, Described, Policy};

/// The exports for one policy type.
#[derive(Debug)]
pub struct Component<P>(PhantomData<P>);

impl<P: Policy + Described> Guest for Component<P> {
    type Policy = Configured<P>;

    fn describe() -> Description {
        P::describe()
    }
}

impl<P: Policy> GuestPolicy for Configured<P> {
    fn configure(config: String) -> Result<policies::Policy, String> {
        Self::new(&config).map(policies::Policy::new)
    }

    fn subscription(&self) -> Subscription {
        self.subscription().clone()
    }

    fn decide(&self, phase: u32, inputs: Vec<Option<String>>) -> Result<Verdict, String> {
        self.decide(phase, inputs)
    }
}
