//! The declaration of a metric. Kind and number of labels are part of the type,
//! so a handle of the wrong kind, or with a label missing, does not compile.

use std::marker::PhantomData;

/// The kind of a metric in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts at zero with the process.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Observations counted in the fixed [`BUCKETS`](super::BUCKETS).
    Histogram,
}

impl Kind {
    /// The word of the exposition format's `# TYPE` line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// The documentation of a metric, for the exposition and the reference.
#[derive(Debug, Clone, Copy)]
pub struct MetricDoc {
    /// The name with its unit as suffix (`_seconds`, `_bytes`, `_total`).
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// The label names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// One sentence for the `# HELP` line and the reference.
    pub help: &'static str,
}

/// A declared metric of instrument `I` with `N` labels.
#[derive(Debug)]
pub struct Metric<I, const N: usize> {
    pub(crate) doc: MetricDoc,
    instrument: PhantomData<fn() -> I>,
}

impl<I, const N: usize> Metric<I, N> {
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str; N],
        help: &'static str,
    ) -> Self {
        let doc = MetricDoc {
            name,
            kind,
            labels,
            help,
        };
        Self {
            doc,
            instrument: PhantomData,
        }
    }

    /// The documentation of this metric.
    #[must_use]
    pub const fn doc(&self) -> MetricDoc {
        self.doc
    }
}
