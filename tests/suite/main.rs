//! The end-to-end suite: the behaviour of the gateway as its clients and
//! upstreams see it, over real sockets. `cargo test -p janua-tests framing`
//! runs one area.
//!
//! A test waits for a condition and never for a fixed time, unless it tests the
//! time itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "these are tests"
)]

mod acme;
mod acme_accounts;
mod acme_authorities;
mod acme_dns;
mod acme_events;
mod acme_failures;
mod acme_harness;
mod acme_harness_front;
mod acme_harness_servers;
mod acme_hostile;
mod acme_http;
mod acme_on_demand;
mod acme_reload;
mod acme_renewal;
mod acme_reports;
mod acme_restarts;
mod acme_storage;
mod acme_tls_alpn;
mod building;
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
mod certs;
mod clients;
mod coded;
mod compression;
mod compression_eligible;
mod compression_kept;
mod compression_streams;
mod corpus;
mod deploy;
mod documents;
mod drain;
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
mod framing;
mod grpc;
mod grpc_python;
mod grpc_tonic;
mod grpc_web;
mod grpc_web_browser;
mod grpc_web_policies;
mod grpc_web_rates;
mod grpc_web_tonic;
mod hostile_limits;
mod hostile_rates;
mod http2;
mod http2_abuse;
mod http2_heads;
mod internal_headers;
mod observe;
mod openssl;
mod policies_always;
mod policies_api_key;
mod policies_beside;
mod policies_cache;
mod policies_compiler;
mod policies_concurrency;
mod policies_failures;
mod policies_finished;
mod policies_flood;
mod policies_grants;
mod policies_harm;
mod policies_headers;
mod policies_hostile;
mod policies_inputs;
mod policies_languages;
mod policies_later;
mod policies_load;
mod policies_memo;
mod policies_order;
mod policies_owned;
mod policies_prepared;
mod policies_rate_limit;
mod policies_refused;
mod policies_repeated;
mod policies_response_edits;
mod policies_secrets;
mod policies_seen;
mod policies_status;
mod policies_suspended;
mod policies_targets;
mod policies_variables;
mod policies_verdicts;
mod policy_call;
mod proxy_protocol;
mod proxy_protocol_out;
mod proxy_protocol_tls;
mod quickstart;
mod reload;
mod reload_changes;
mod reload_often;
mod routing;
mod spa;
mod spa_fallback;
mod spa_fallback_upstream;
mod stacks;
mod stacks_dhanman;
mod stacks_edroplets;
mod stacks_luckychit;
mod stacks_luckychit_cache;
mod stacks_luckychit_tls;
mod stacks_pakashop;
mod stacks_vladbortnik;
mod start;
mod streaming;
mod tls;
mod tls_authority;
mod tls_bodies;
mod tls_clients;
mod tls_hostile;
mod tls_many;
mod tls_redirect;
mod tls_reload;
mod tls_renewal;
mod tls_sessions;
mod tls_sites;
mod tls_staple;
mod tls_upstreams;
mod upstream_http2;
mod upstream_http2_translation;
mod upstream_http2_websocket;
mod upstreams_balance;
mod upstreams_fail;
mod upstreams_kept;
mod upstreams_malformed;
mod upstreams_repeat;
mod upstreams_unasked;
mod watch;
mod websocket;
