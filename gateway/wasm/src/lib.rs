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
//! | configure it: subscription, grants, plan | off the workers | `policy`, `plan` |
//! | reuse a verdict or call the component | each worker | `worker`, `key`, `memo`, `host`, `instance` |
//! | limit its CPU time, memory and failures | each worker | `deadline`, `limits`, `throttle`, `breaker` |
//! | check and convert its verdict | each worker | `convert`, `rules`, `verdict` |
//! | take tokens from its rate-limit buckets | shared | `bucket` |
//!
//! Threads: everything reachable from [`Runtime`], [`Component`], [`Policy`]
//! and [`Buckets`] is shared; [`WorkerHost`] and [`WorkerPolicy`] belong to one
//! worker and are not `Send`.

mod accounts;
mod bindings;
mod breaker;
mod bucket;
mod client;
mod compile_cache;
mod component;
mod configure_error;
mod convert;
mod cost;
mod counters;
mod deadline;
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
mod plan;
mod policy;
mod rules;
mod sampler;
mod state;
mod throttle;
mod verdict;
mod wasi;
mod worker;

pub use breaker::{BreakerOptions, BreakerState};
pub use bucket::{BucketName, BucketOptions, Buckets, TakeOutcome};
pub use client::ClientKey;
pub use component::{Component, Description, LoadError};
pub use configure_error::ConfigureError;
pub use counters::Counts;
pub use engine::{Runtime, RuntimeError, RuntimeOptions};
pub use failure::{FailureKind, PolicyFailure};
pub use grants::{GrantName, grant_name};
pub use host::WorkerHost;
pub use input::{Facts, Input, Now, Phase};
pub use plan::Plan;
pub use policy::{Isolation, OnError, Policy, PolicySpec, PolicyStatus};
pub use throttle::ThrottleOptions;
pub use verdict::{
    AbsentKey, CacheLookup, CacheRule, Edit, Effect, Outcome, ParameterName, Part, Purge,
    PurgeScope, QueryKey, Reply, Storage, Take, Value, Verdict,
};
pub use worker::{Decision, WorkerPolicy};
