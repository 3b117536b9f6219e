//! Telemetry: metrics, the access log, and the gateway's own diagnostics.
//!
//! All of this runs at least once per request, so one rule holds everywhere: a
//! worker writes only to its own memory (a shard of a counter, the buffer of a
//! log) and never blocks. Other threads sum, encode and write.
//!
//! - [`metrics`]: counters, gauges and histograms with handles that are created
//!   when a snapshot is built, and their Prometheus exposition.
//! - [`access_log`]: one line per request, as JSON or text.
//! - [`sink`]: the writer thread of a log.
//! - [`diagnostics`]: sets up `tracing` to write to standard error.

pub mod access_log;
pub mod diagnostics;
pub mod metrics;
mod reference;
pub mod sink;

pub use reference::{access_log_reference, metrics_reference};
