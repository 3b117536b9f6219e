//! The areas of the suite whose behaviour does not depend on the version of HTTP that clients
//! speak, another time: in this binary the harness adds TLS to every configuration, connects
//! with HTTP/2, and translates what the tests write as HTTP/1.1 (`src/http2/adapter.rs`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "these are tests"
)]

mod cache;
mod cache_asked;
mod cache_collapse;
mod cache_disk;
mod cache_fresh;
mod cache_limits;
mod cache_purge;
mod cache_ranges;
mod cache_rules;
mod cache_stale;
mod cache_too_large;
mod cache_users;
mod cache_webhooks;
mod cache_words;
mod coded;
mod compression;
mod compression_eligible;
mod compression_kept;
mod compression_streams;
mod files;
mod files_changes;
mod files_conditional;
mod files_found;
mod files_hostile;
mod files_large;
mod files_methods;
mod files_policies;
mod files_precompressed;
mod forwarding_bodies;
mod forwarding_connection;
mod forwarding_fields;
mod forwarding_paths;
mod hostile_limits;
mod hostile_rates;
mod internal_headers;
mod mirror;
mod policies_always;
mod policies_api_key;
#[allow(
    dead_code,
    reason = "the rest of it is for areas that open connections of HTTP/1.1"
)]
mod policies_beside;
mod policies_concurrency;
mod policies_failures;
mod policies_finished;
mod policies_headers;
mod policies_inputs;
mod policies_memo;
mod policies_order;
mod policies_owned;
mod policies_rate_limit;
mod policies_response_edits;
mod policies_seen;
mod policies_variables;
mod proxy_protocol;
mod spa_fallback;
mod spa_fallback_upstream;
mod split;
#[allow(dead_code, reason = "the rest of it is for the examples")]
mod stacks;
mod streaming;
mod upstreams_balance;
mod upstreams_fail;
mod upstreams_hash;
mod upstreams_kept;
mod upstreams_malformed;
mod upstreams_repeat;
mod upstreams_sticky;
mod upstreams_unasked;
