//! Metrics: what is counted, and how it is counted without contention.
//!
//! A metric is declared once, in [`definitions`], as a typed constant: its
//! kind, its labels and its help are there and nowhere else. Building a
//! snapshot turns a constant and label values into a handle
//! ([`Registry::counter`] and its siblings); a request touches handles only.
//!
//! Why an exposition of our own: `prometheus-client` writes OpenMetrics only
//! and its `Family` finds a series by hashing labels; `prometheus` and
//! `metrics` keep one contended atomic per series. Each would leave us to write
//! sharded instruments, series that die with a generation and the collector
//! anyway; the text format that would be saved is a page (`exposition`).

mod counter;
pub mod definitions;
mod exposition;
mod gauge;
mod histogram;
mod metric;
mod registry;

pub use counter::Counter;
pub use definitions::METRICS;
pub use exposition::{CONTENT_TYPE, Samples};
pub use gauge::Gauge;
pub use histogram::{BUCKETS, Histogram};
pub use metric::{Kind, Metric, MetricDoc};
pub use registry::Registry;
