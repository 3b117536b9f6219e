//! Every metric of the gateway; each is declared only here.
//!
//! To add a metric, declare it here, create its handle where the snapshot is
//! built, and update it. The exposition and the reference follow automatically.
//!
//! A label's value is a name from the configuration or one of a few fixed
//! words, never anything that a client sends: the configuration bounds the
//! number of series.

use super::{Counter, Gauge, Histogram, Kind, Metric, MetricDoc};

macro_rules! metrics {
    ($($constant:ident: $instrument:ident = $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $constant: Metric<$instrument, { <[&str]>::len(&[$($label),*]) }> =
                Metric::new($name, Kind::$instrument, &[$($label),*], $help);
        )*
        /// All metrics, in the order of the exposition and of the reference.
        pub const METRICS: &[MetricDoc] = &[$(MetricDoc {
            name: $name,
            kind: Kind::$instrument,
            labels: &[$($label),*],
            help: $help,
        }),*];
    };
}

metrics! {
    REQUESTS: Counter = "janua_requests_total" ["site", "route", "status"]
        "Requests, by status class of the response (1xx to 5xx; none: the client closed the connection before a response).";
    REQUEST_DURATION: Histogram = "janua_request_duration_seconds" ["site", "route"]
        "Time from the parsed request head to the last byte of the response.";
    REQUEST_BYTES: Counter = "janua_request_bytes_total" ["site", "route"]
        "Request body bytes received from clients.";
    RESPONSE_BYTES: Counter = "janua_response_bytes_total" ["site", "route"]
        "Response body bytes sent to clients.";
    REQUESTS_IN_FLIGHT: Gauge = "janua_requests_in_flight" []
        "Requests in progress.";
    FAILURES: Counter = "janua_failures_total" ["site", "route", "kind"]
        "Requests that failed, by the same word as in the access log and Proxy-Status.";

    CONNECTIONS: Gauge = "janua_connections" ["listener"]
        "Client connections open now.";
    CONNECTIONS_ACCEPTED: Counter = "janua_connections_accepted_total" ["listener"]
        "Client connections accepted.";
    CONNECTIONS_REFUSED: Counter = "janua_connections_refused_total" ["listener", "reason"]
        "Client connections closed by the gateway, by reason: before their first request (client_connections, client_rate, limit, proxy_header), or for what the client did (http2_abuse).";
    TLS_HANDSHAKES: Counter = "janua_tls_handshakes_total" ["listener", "version"]
        "TLS handshakes with clients, by version (1.2, 1.3).";
    TLS_HANDSHAKE_FAILURES: Counter = "janua_tls_handshake_failures_total" ["listener", "reason"]
        "TLS handshakes with clients that failed, by reason (cleartext, client_certificate, connection, no_certificate, refused, timeout, unknown_name).";

    HTTP2_FAILURES: Counter = "janua_http2_failures_total" ["listener", "reason"]
        "HTTP/2 connections of clients that the gateway has ended, by reason: `protocol` for a violation of RFC 9113, or the limit of `http2` that was exceeded.";

    CERTIFICATE_EXPIRY: Gauge = "janua_certificate_expiry_seconds" ["site", "upstream", "name", "key_type"]
        "Unix time at which a certificate expires, by the site that has it, or the upstream that is shown it; by its first name (its subject if it has none), and the type of its key.";

    ACME_ORDERS: Counter = "janua_acme_orders_total" ["authority", "outcome"]
        "Orders of certificates by ACME, by authority and outcome: `issued`, or why not: the type of the authority's problem document (RFC 8555, section 6.7), such as `rateLimited`, or `dns`, `protocol`, `settings`, `storage`, `timeout`, `unreachable`; `other` for types that no standard has.";
    ACME_FAILURES: Gauge = "janua_acme_failures" ["authority", "name"]
        "How many orders of a certificate by ACME have failed since the last one that succeeded.";
    ACME_QUESTIONS: Counter = "janua_acme_questions_total" ["answer"]
        "Names that clients asked for at sites with `on_demand`: permitted, refused, failed (nobody could say), shed (too many at once).";

    UPSTREAM_REQUESTS: Counter = "janua_upstream_requests_total" ["upstream", "endpoint", "status"]
        "Responses received from an endpoint, by status class.";
    UPSTREAM_FAILURES: Counter = "janua_upstream_failures_total" ["upstream", "endpoint", "kind"]
        "Failed attempts at an endpoint.";
    UPSTREAM_RETRIES: Counter = "janua_upstream_retries_total" ["upstream", "reason"]
        "Requests sent again, to the same or another endpoint, by reason: reset (the connection was lost before the response), timeout, status, unprocessed (the endpoint says so); failed connection attempts are not counted.";
    UPSTREAM_RETRIES_REFUSED: Counter = "janua_upstream_retries_refused_total" ["upstream", "reason"]
        "Requests that were not sent again although they may be, by reason: budget (`retries.budget` was used up), body (larger than `retries.body`, or too many bodies are kept).";
    UPSTREAM_HEDGES: Counter = "janua_upstream_hedges_total" ["upstream", "outcome"]
        "Requests also sent to a second endpoint because the first was late (`hedge`), by outcome: won (the second answered first), lost, failed.";
    UPSTREAM_HOLDS: Counter = "janua_upstream_holds_total" ["upstream", "outcome"]
        "Requests that waited while no endpoint could be reached (`hold`), by outcome: released (an endpoint was there), expired, gone (the client did not wait), full (too many waited already).";
    UPSTREAM_HOLD: Histogram = "janua_upstream_hold_seconds" ["upstream"]
        "How long requests waited while no endpoint could be reached.";
    UPSTREAM_HELD: Gauge = "janua_upstream_held" ["upstream"]
        "Requests that wait now because no endpoint can be reached.";
    UPSTREAM_OVERLOADS: Counter = "janua_upstream_overloads_total" ["upstream", "limit"]
        "Requests that were refused, or not sent again, because the upstream has reached one of its `limits`: requests, pending, connections, retries, adaptive.";
    UPSTREAM_IN_USE: Gauge = "janua_upstream_in_use" ["upstream", "limit"]
        "How much of what `limits` can limit is in use: requests in flight (requests), requests that wait for a connection or an endpoint (pending), open connections (connections), requests that are being sent again (retries), and, if there is such a limit, requests whose response has not begun (adaptive).";
    UPSTREAM_LIMIT: Gauge = "janua_upstream_limit" ["upstream", "limit"]
        "The limits that an upstream has. The adaptive one changes with its latency.";
    UPSTREAM_EJECTIONS: Counter = "janua_upstream_ejections_total" ["upstream", "endpoint", "reason"]
        "Ejections of an endpoint as an outlier, by reason: errors in a row (connect, reset, timeout, 5xx), too few successes in comparison with the others (success_rate), or because it asked for it (retry_after).";
    UPSTREAM_CONNECT: Histogram = "janua_upstream_connect_seconds" ["upstream"]
        "Time to open a connection to an endpoint, including TLS.";
    UPSTREAM_HEAD: Histogram = "janua_upstream_head_seconds" ["upstream"]
        "Time from sending a request to the endpoint's response head.";
    UPSTREAM_OPENED: Counter = "janua_upstream_connections_opened_total" ["upstream"]
        "Connections opened to endpoints.";
    UPSTREAM_REUSED: Counter = "janua_upstream_connections_reused_total" ["upstream"]
        "Requests sent over a reused connection.";
    UPSTREAM_UNSOLICITED: Counter = "janua_upstream_unsolicited_total" ["upstream", "endpoint"]
        "Connections closed because the endpoint sent bytes that belong to no request.";
    UPSTREAM_IDLE: Gauge = "janua_upstream_connections_idle" ["upstream"]
        "Idle connections kept for reuse.";
    ENDPOINT_IN_FLIGHT: Gauge = "janua_endpoint_in_flight" ["upstream", "endpoint"]
        "Requests in flight to an endpoint.";
    ENDPOINT_HEALTHY: Gauge = "janua_endpoint_healthy" ["upstream", "endpoint"]
        "1 while an endpoint is up; 0 while its checks fail or none has passed yet, while it is ejected after failures, while its requests fail although it cannot be ejected, and while its name is not resolved.";
    ENDPOINT_DRAINING: Gauge = "janua_endpoint_draining" ["upstream", "endpoint"]
        "1 while an endpoint is taken out by `janua upstream drain`, whether requests are in flight there or not; otherwise 0.";
    HEALTH_CHECKS: Counter = "janua_health_checks_total" ["upstream", "endpoint", "result"]
        "Active checks of an endpoint, by result: passed, or the word of the failure; local: not carried out, because the gateway was short of descriptors or ports.";
    HEALTH_CHECK_DURATION: Histogram = "janua_health_check_seconds" ["upstream"]
        "Time that an active check took, including the connection.";

    SPLIT_REQUESTS: Counter = "janua_split_requests_total" ["site", "route", "upstream"]
        "Requests of routes that divide them, and those for which a policy has chosen the upstream, by the upstream chosen.";
    SPLIT_WEIGHT: Gauge = "janua_split_weight" ["site", "route", "upstream"]
        "The present weight of an upstream among which a route divides its requests.";
    MIRROR_REQUESTS: Counter = "janua_mirror_requests_total" ["site", "route", "upstream", "outcome"]
        "Requests chosen to be copied to another upstream, by outcome: answered, failed, timeout; and those that were not copied after all: too_large (the body), dropped (too many copies in progress), aborted (the client did not send its whole body in time).";

    UPSTREAM_ENDPOINTS: Gauge = "janua_upstream_endpoints" ["upstream"]
        "Endpoints of an upstream, of those that the configuration names and those that were found.";
    ENDPOINTS_CHANGED: Counter = "janua_upstream_endpoints_changes_total" ["upstream"]
        "How often names, records or files have given an upstream other endpoints.";
    DISCOVERY_OK: Gauge = "janua_discovery_ok" ["upstream", "source"]
        "1 while a name, a record or a file that lists endpoints can be used; 0 while the last look-up has failed or the file is refused, and what was known before stays.";

    CACHE_REQUESTS: Counter = "janua_cache_requests_total" ["site", "route", "outcome"]
        "Requests of routes with a cache, by outcome, as in the access log.";
    COMPRESSIONS: Counter = "janua_compressions_total" ["body", "coding"]
        "Bodies compressed, by kind: passing (for one response), stored and file (once for all requests).";
    COMPRESSIONS_SKIPPED: Counter = "janua_compressions_skipped_total" []
        "Responses sent uncompressed because `compression.memory` was used up.";

    CACHE_OBJECTS: Gauge = "janua_cache_objects" ["store"]
        "Responses currently stored, in memory and on disk.";
    CACHE_BYTES: Gauge = "janua_cache_bytes" ["store"]
        "Bytes used by stored responses, as counted against the limit.";
    CACHE_BUDGET: Gauge = "janua_cache_budget_bytes" ["store"]
        "Limit of the bytes used by stored responses.";
    CACHE_EVICTIONS: Counter = "janua_cache_evictions_total" ["store"]
        "Responses evicted to make room for others.";

    POLICY_CALLS: Counter = "janua_policy_calls_total" ["policy"]
        "Verdicts for which the component was called.";
    POLICY_HITS: Counter = "janua_policy_memo_hits_total" ["policy"]
        "Verdicts taken from the memo.";
    POLICY_RESPONSES: Counter = "janua_policy_responses_total" ["policy"]
        "Requests that the policy answered with a response of its own.";
    POLICY_FAILURES: Counter = "janua_policy_failures_total" ["policy", "kind"]
        "Requests without a verdict: trap, deadline, memory, error, bad_verdict; without a call: breaker_open, throttled, overloaded.";
    POLICY_INSTANCES: Counter = "janua_policy_instances_total" ["policy", "made"]
        "Instances in which a request found its policy ready in place of one that was lost (spare), and for which it waited (worker).";
    POLICY_SAMPLES: Counter = "janua_policy_samples_total" ["policy", "outcome"]
        "Reused verdicts chosen to be compared with a fresh one (compared), those that differed (different), and those for which there was no time (dropped).";
    POLICY_OPEN: Gauge = "janua_policy_open" ["policy"]
        "1 while the policy's circuit breaker is open, so that it is not called.";
    POLICY_MEMO_BYTES: Gauge = "janua_policy_memo_bytes" ["policy"]
        "Memory used by the policy's reusable verdicts, over all workers.";
    POLICY_MEMO_ENTRIES: Gauge = "janua_policy_memo_entries" ["policy"]
        "Verdicts in the policy's memo, over all workers.";
    MEMOS_BYTES: Gauge = "janua_memos_bytes" []
        "Memory taken by the reusable verdicts of all policies, in chunks.";
    MEMOS_BUDGET: Gauge = "janua_memos_budget_bytes" []
        "Limit of that memory, `server.memos`.";

    RELOADS: Counter = "janua_reloads_total" ["outcome"]
        "Reloads, by outcome: ok or refused.";
    RELOAD_OK: Gauge = "janua_config_last_reload_ok" []
        "1 if the last reload was applied, 0 if it was refused.";
    RELOAD_TIME: Gauge = "janua_config_last_reload_timestamp_seconds" []
        "Unix time of the last reload.";
    GENERATION: Gauge = "janua_config_generation" []
        "Generation of the live configuration.";
    LIVE_GENERATIONS: Gauge = "janua_config_live_generations" []
        "Generations in use: the live one, and older ones that requests in progress still use.";
    LOG_DROPPED: Counter = "janua_access_log_dropped_total" []
        "Access log lines dropped because the log could not be written fast enough.";
    WORKERS: Gauge = "janua_workers" []
        "Worker threads.";
    START_TIME: Gauge = "janua_start_time_seconds" []
        "Unix time of the start of the process.";
    BUILD: Gauge = "janua_build_info" ["version"]
        "Always 1; the version is the label.";
}

#[cfg(test)]
mod tests {
    use super::METRICS;
    use crate::metrics::Kind;

    #[test]
    fn names_are_unique_and_follow_the_conventions() {
        for (n, metric) in METRICS.iter().enumerate() {
            assert!(
                METRICS[n + 1..]
                    .iter()
                    .all(|other| other.name != metric.name),
                "{} is declared twice",
                metric.name
            );
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(metric.name.starts_with("janua_") && metric.name.chars().all(word));
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{}: a counter, and only a counter, ends in _total",
                metric.name
            );
            if metric.kind == Kind::Histogram {
                assert!(metric.name.ends_with("_seconds"), "{}", metric.name);
            }
            assert!(metric.help.ends_with('.') && !metric.help.contains('\n'));
            // `le` is the histogram's own label.
            assert!(
                metric
                    .labels
                    .iter()
                    .all(|label| label.chars().all(word) && *label != "le")
            );
        }
    }
}
