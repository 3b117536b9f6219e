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
//! | check its structure and compile it | a process of its own | `apart`, `structure`, `features`, `compiler` |
//! | load a compiled component and check it | off the workers | `engine`, `component`, `component_file`, `compile_cache`, `artefact` |
//! | configure it: subscription, grants, plan | off the workers | `policy`, `plan` |
//! | reuse a verdict or call the component | each worker | `worker`, `key`, `memo`, `host`, `instance` |
//! | limit its CPU time, memory and failures | each worker | `deadline`, `limits`, `breaker` |
//! | check and convert its verdict | each worker | `convert`, `rules`, `verdict` |
//! | take tokens from its rate-limit buckets | shared | `bucket` |
//!
//! Threads: everything reachable from [`Runtime`], [`Component`], [`Policy`]
//! and [`Buckets`] is shared; [`WorkerHost`] and [`WorkerPolicy`] belong to one
//! worker and are not `Send`.

mod apart;
mod artefact;
mod bindings;
mod breaker;
mod bucket;
mod compile_cache;
mod compiler;
mod component;
mod component_file;
mod configure_error;
mod convert;
mod counters;
mod cpu_share;
mod deadline;
mod engine;
mod failure;
mod failure_log;
mod features;
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
mod structure;
mod verdict;
mod wasi;
mod worker;

pub use apart::{Apart, CompileLimits, Confinement, compile_component};
pub use breaker::{BreakerOptions, BreakerState};
pub use bucket::{BucketName, BucketOptions, Buckets, TakeOutcome};
pub use compiler::Compiler;
pub use component::{Component, Description, LoadError};
pub use component_file::{FileError, read_component};
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
