#![doc = include_str!("../README.md")]

pub mod bindings;
mod component;
mod config;
mod configured;
mod effect;
mod input;
pub mod log;
mod one_or_more;
mod path_pattern;
mod phase;
mod policy;
mod reply;
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
pub use effect::{Ban, CacheLookup, CacheRule, Purge, Take, Verify};
pub use input::{Inputs, Number, Optional, Presence, Reading, Reference, Slot, Text};
pub use one_or_more::OneOrMore;
pub use path_pattern::PathPattern;
pub use phase::{Fetched, Kind, Missing, Request, Response};
pub use policy::{Described, Policy};
pub use reply::Reply;
pub use serde;
pub use subscription::{Phase, Subscription};
pub use template::{Template, input_named};
pub use value::Value;
pub use verdict::Verdict;

pub use bindings::janua::policy::types::{
    AbsentKey, Algorithm, Description, Encoding, Input, QueryKey, Storage,
};

/// State that outlives an instance. Requires the grant `key-value`. Calls block. For
/// components only: natively these functions panic.
pub use bindings::janua::policy::key_value;
/// Calls to a configured upstream. Requires the grant `outbound:<upstream>`. Calls block.
/// For components only: natively these functions panic.
pub use bindings::janua::policy::outbound;
/// Signatures made with a secret that is not passed to the policy. Requires the grant
/// `secret:<name>`. For components only: natively these functions panic.
pub use bindings::janua::policy::signatures;
