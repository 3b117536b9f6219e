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
//! | configure it: declaration, grants | off the workers | `policy`, `declaration`, `permission`, `grants`, `plan` |
//! | make the instances of all workers | before a configuration is published | `prepare`, `building`, `configured` |
//! | reuse a verdict or call the component | each worker | `worker`, `key`, `memo`, `host`, `instance` |
//! | make spare instances, compare samples | one thread beside the workers | `workshop`, `family`, `sample` |
//! | give it the secrets and datasets that it declared | each worker | `capabilities` |
//! | limit its CPU time, memory and failures | each worker | `budget`, `deadline`, `limits`, `throttle`, `breaker` |
//! | check and convert its verdict | each worker | `convert`, `rules`, `verdict` |
//! | bound the memory of all verdicts that are kept | shared | `allowance` |
//! | take tokens from its rate-limit buckets, or a place | shared | `bucket`, `places` |
//!
//! Threads: everything reachable from [`Runtime`], [`Component`], [`Policy`]
//! and [`Buckets`] is shared; [`WorkerHost`] and [`WorkerPolicy`] belong to one
//! worker and are not `Send`.

mod accounts;
mod allowance;
mod apart;
mod artefact;
mod bindings;
mod breaker;
mod bucket;
mod budget;
mod building;
mod capabilities;
mod client;
mod compile_cache;
mod compiler;
mod component;
mod component_file;
mod configure_error;
mod configured;
mod convert;
mod counters;
mod deadline;
mod declaration;
mod engine;
mod failure;
mod failure_log;
mod family;
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
mod permission;
mod places;
mod plan;
mod policy;
mod prepare;
mod rules;
mod said;
mod sample;
mod sampler;
mod state;
mod structure;
mod throttle;
mod verdict;
mod wasi;
mod worker;
mod workshop;

pub use allowance::MemosStatus;
pub use apart::{Apart, CompileLimits, Confinement, compile_component};
pub use breaker::{BreakerOptions, BreakerState};
pub use bucket::{BucketName, BucketOptions, Buckets, TakeOutcome};
pub use client::ClientKey;
pub use compiler::Compiler;
pub use component::{Component, Description, LoadError};
pub use component_file::{FileError, read_component};
pub use configure_error::ConfigureError;
pub use counters::Counts;
pub use engine::{Runtime, RuntimeError, RuntimeOptions};
pub use failure::{FailureKind, PolicyFailure};
pub use grants::{GrantName, Guarded, MissingGrants, grant_name};
pub use host::WorkerHost;
pub use input::{Facts, Input, Lookup, Now, Phase, PrefixLengths, Single};
pub use input_buffer::BadInput;
pub use key::{KeyPart, MAX_KEY};
pub use permission::FieldPattern;
pub use places::{Place, Places};
pub use plan::Plan;
pub use policy::{Isolation, OnError, Policy, PolicyId, PolicySpec, PolicyStatus};
pub use prepare::Prepared;
pub use said::is_hidden;
pub use throttle::ThrottleOptions;
pub use verdict::{
    AbsentKey, Annotation, CacheLookup, CacheRule, Charge, Concurrency, Cost, DeclaredUpstream,
    Destination, Edit, Effect, Outcome, ParameterName, Part, Purge, PurgeScope, QueryKey, Reply,
    Share, Split, Storage, Take, TokenBucket, Value, Verdict,
};
pub use worker::{Decision, Same, Second, Trial, WorkerPolicy};
