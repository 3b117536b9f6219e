#![doc = include_str!("../README.md")]

mod base64;
pub mod bindings;
mod component;
mod config;
mod configured;
mod effect;
mod input;
pub mod log;
mod named;
mod one_or_more;
mod path_pattern;
mod phase;
mod policy;
mod reply;
mod resource;
mod subscription;
pub mod syntax;
mod template;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod value;
mod verdict;

#[doc(hidden)]
pub use component::Component;
pub use config::read as read_config;
pub use configured::Configured;
pub use effect::{
    Ban, Bucket, CacheLookup, CacheRule, Charge, Concurrency, Cost, Purge, Split, Take, Verify,
};
pub use input::{
    Bytes, Inputs, Number, Optional, Presence, Reading, Reference, Slot, Text, client_network,
};
pub use named::{Named, NamedConstant};
pub use one_or_more::OneOrMore;
pub use path_pattern::PathPattern;
pub use phase::{
    Answering, BeforeResponse, Fetched, Finished, Kind, Missing, PerExchange, Request, Response,
    ResponseHead, WithHead, WithResponse,
};
pub use policy::{Described, Policy};
pub use reply::Reply;
pub use resource::{Dataset, Lookup, Secret, Upstream};
pub use serde;
pub use subscription::{Phase, Subscription};
pub use template::{Template, input_named};
pub use value::Value;
pub use verdict::Verdict;

/// The interfaces of the contract as generated, for what the types here do not cover.
pub use bindings::janua::policy as contract;
pub use bindings::janua::policy::effects::{AbsentKey, Encoding, QueryKey, Storage};
pub use bindings::janua::policy::subscriptions::{Description, Input};

/// Looks up keys in the operator's datasets. Requires [`Subscription::dataset`]. If the key
/// is known without the policy, [`Lookup`] is cheaper. For components only: natively these
/// functions panic.
pub use bindings::janua::policy::datasets;
/// State that outlives an instance. Requires the grant `key-value`. Calls may block, and the
/// verdicts of a component that imports it are not reused. For components only: natively
/// these functions panic.
pub use bindings::janua::policy::key_value;
/// Calls to a configured upstream. Requires [`Subscription::calls_upstream`]. Calls may
/// block. For components only: natively these functions panic.
pub use bindings::janua::policy::outbound;
/// Checks of passwords against a file of users that is not passed to the policy. Requires
/// [`Subscription::secret`]. Calls may block. For components only: natively these functions
/// panic.
pub use bindings::janua::policy::passwords;
/// Small values sealed with a secret that is not passed to the policy, such as a session in
/// a cookie. Requires [`Subscription::secret`]. For components only: natively these
/// functions panic.
pub use bindings::janua::policy::seal;
/// Signatures checked and made with a secret that is not passed to the policy. Requires
/// [`Subscription::secret`]. For components only: natively these functions panic.
pub use bindings::janua::policy::signatures;
