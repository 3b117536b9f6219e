//! What the gateway says about itself: metrics, the access log, and its own
//! diagnostics.
//!
//! Everything here is touched once a request or more, so the rule is the same
//! in each part: a worker writes only to memory of its own (a counter's shard,
//! a log's buffer) and never waits; somebody else adds up, encodes and writes.
//!
//! - [`metrics`]: counters, gauges and histograms behind handles that are made
//!   when a snapshot is built, and their Prometheus exposition.
//! - [`access_log`]: a line per request, JSON or text.
//! - [`sink`]: the writer thread behind every log.
//! - [`diagnostics`]: the set-up of `tracing` to standard error.

pub mod access_log;
pub mod diagnostics;
pub mod metrics;
mod reference;
pub mod sink;

pub use reference::{access_log_reference, metrics_reference};
