//! The policy host: loads WebAssembly components, configures them, asks them,
//! and remembers their verdicts.
//!
//! A policy is a function from the inputs that it declared to a verdict, which
//! is data. So most requests need no call at all: the verdict of the same
//! inputs is reused for as long as the policy said ([`memo`](crate::Policy)).
//! This is the only crate that names wasmtime; nothing of it shows in the API.
//!
//! The way of a policy, top-down:
//!
//! | step | where | file |
//! |---|---|---|
//! | compile and check a component | off the workers | `engine`, `component`, `compile_cache` |
//! | configure it: subscription, grants, plan | off the workers | `policy`, `plan` |
//! | ask it, or remember | each worker | `worker`, `key`, `memo`, `host`, `instance` |
//! | stop it when it runs away | each worker | `deadline`, `limits`, `breaker` |
//! | turn its answer into a checked verdict | each worker | `convert`, `rules`, `verdict` |
//! | take a token for it | shared | `bucket` |
//!
//! Threads: everything reachable from [`Runtime`], [`Component`], [`Policy`]
//! and [`Buckets`] is shared; [`WorkerHost`] and [`WorkerPolicy`] belong to one
//! worker and are not `Send`.

mod bindings;
mod breaker;
mod bucket;
mod compile_cache;
mod component;
mod configure_error;
mod convert;
mod counters;
mod cpu_share;
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
mod verdict;
mod wasi;
mod worker;

pub use breaker::{BreakerOptions, BreakerState};
pub use bucket::{BucketName, BucketOptions, Buckets, TakeOutcome};
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
pub use verdict::{
    AbsentKey, CacheLookup, CacheRule, Edit, Effect, Outcome, ParameterName, Part, Purge,
    PurgeScope, QueryKey, Reply, Storage, Take, Value, Verdict,
};
pub use worker::{Decision, WorkerPolicy};
