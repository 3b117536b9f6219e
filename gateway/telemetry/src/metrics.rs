//! Metrics, counted without contention between workers.
//!
//! A metric is declared once, in [`definitions`], as a typed constant with its
//! kind, labels and help text. When a snapshot is built, a constant and label
//! values become a handle ([`Registry::counter`] and its siblings); requests
//! use handles only.
//!
//! Why this is not a library: `prometheus-client` writes only OpenMetrics, and
//! its `Family` finds a series by hashing labels; `prometheus` and `metrics`
//! keep one contended atomic per series. With any of them, sharded instruments,
//! series that end with a configuration, and the collector would still have to
//! be written here; only the text format, about a page in `exposition`, would
//! be saved.

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
