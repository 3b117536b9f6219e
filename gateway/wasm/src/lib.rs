//! The policy host: loads WebAssembly components, configures them, calls them
//! for verdicts, and caches the verdicts.
//!
//! A policy is a function from the inputs that it declares to a verdict, which
//! is data. A verdict is therefore reused for the same inputs for as long as the
//! policy allows (`memo`), and most requests need no call.
//! This is the only crate that uses wasmtime, and its API does not expose it.
//!
//! From a component to a verdict:
//!
//! | step | where | file |
//! |---|---|---|
//! | compile and check a component | off the workers | `engine`, `component`, `compile_cache` |
//! | configure it: declaration, grants | off the workers | `policy`, `declaration`, `permission`, `grants`, `plan` |
//! | reuse a verdict or call the component | each worker | `worker`, `key`, `memo`, `host`, `instance` |
//! | give it the secrets that it declared | each worker | `capabilities` |
//! | limit its CPU time, memory and failures | each worker | `deadline`, `limits`, `breaker` |
//! | check and convert its verdict | each worker | `convert`, `rules`, `verdict` |
//! | take tokens from its rate-limit buckets | shared | `bucket` |
//!
//! Threads: everything reachable from [`Runtime`], [`Component`], [`Policy`]
//! and [`Buckets`] is shared; [`WorkerHost`] and [`WorkerPolicy`] belong to one
//! worker and are not `Send`.

mod bindings;
mod breaker;
mod bucket;
mod capabilities;
mod compile_cache;
mod component;
mod configure_error;
mod convert;
mod counters;
mod cpu_share;
mod deadline;
mod declaration;
mod engine;
mod failure;
mod failure_log;
mod fingerprint;
mod grants;
mod host;
mod input;
mod input_buffer;
mod instance;
mod interner;
mod key;
mod limits;
mod log;
mod memo;
mod permission;
mod plan;
mod policy;
mod rules;
mod sampler;
mod state;
mod verdict;
mod wasi;
mod worker;

pub use breaker::{BreakerOptions, BreakerState};
pub use bucket::{BucketName, BucketOptions, Buckets, TakeOutcome};
pub use capabilities::SecretUse;
pub use component::{Component, Description, LoadError};
pub use configure_error::ConfigureError;
pub use counters::Counts;
pub use engine::{Runtime, RuntimeError, RuntimeOptions};
pub use failure::{FailureKind, PolicyFailure};
pub use grants::{GrantName, MissingGrants, Secrets, grant_name};
pub use host::WorkerHost;
pub use input::{Facts, Input, Lookup, Now, Phase, PrefixLengths};
pub use permission::FieldPattern;
pub use plan::Plan;
pub use policy::{Isolation, OnError, Policy, PolicySpec, PolicyStatus};
pub use verdict::{
    AbsentKey, Annotation, CacheLookup, CacheRule, Edit, Effect, Outcome, ParameterName, Part,
    Purge, PurgeScope, QueryKey, Reply, Storage, Take, Value, Verdict,
};
pub use worker::{Decision, WorkerPolicy};
