//! The registry, which gives a handle for a declared metric and label values.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::exposition::{self, Samples};
use super::{Counter, Gauge, Histogram, Metric, MetricDoc};

/// All series of the process. It is shared behind an `Arc`, created once and
/// kept across reloads.
///
/// Getting a handle takes a lock and allocates: do it when a snapshot is built
/// and keep the handle; never do it for a request.
#[derive(Debug)]
pub struct Registry {
    shards: usize,
    series: Mutex<SeriesByMetric>,
}

/// The values of a series' labels, in the order of the declaration.
pub(super) type LabelValues = Box<[Box<str>]>;

/// Keyed by metric name, then by label values. The order is stable, so that
/// scrapes list the series in the same order.
type SeriesByMetric = BTreeMap<&'static str, BTreeMap<LabelValues, Series>>;

#[derive(Debug)]
pub(super) struct Series {
    pub(super) instrument: Instrument,
    /// The names of its labels.
    labels: &'static [&'static str],
    /// Nothing used it at the last sweep.
    idle: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Instrument {
    Counter(Arc<Counter>),
    Gauge(Arc<Gauge>),
    Histogram(Arc<Histogram>),
}

impl Registry {
    /// An empty registry whose instruments have one shard for each of `workers`
    /// threads.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            shards: workers,
            series: Mutex::default(),
        }
    }

    /// The counter with these label values. Equal values give the same counter,
    /// which therefore continues across reloads.
    pub fn counter<const N: usize>(
        &self,
        metric: &Metric<Counter, N>,
        labels: [&str; N],
    ) -> Arc<Counter> {
        let made = || Instrument::Counter(Arc::new(Counter::new(self.shards)));
        match self.instrument(&metric.doc, &labels, made) {
            Instrument::Counter(counter) => counter,
            // Unreachable: the name of a metric belongs to one kind.
            _ => Arc::new(Counter::new(self.shards)),
        }
    }

    /// The values of a metric's counters, summed by the values of its first
    /// label.
    pub fn totals<const N: usize>(
        &self,
        metric: &Metric<Counter, N>,
        label: usize,
    ) -> BTreeMap<Box<str>, u64> {
        let metrics = self.lock();
        let mut totals = BTreeMap::new();
        for (labels, series) in metrics.get(metric.doc.name).into_iter().flatten() {
            if let (Some(value), Instrument::Counter(counter)) =
                (labels.get(label), &series.instrument)
            {
                *totals.entry(value.clone()).or_default() += counter.value();
            }
        }
        totals
    }

    /// The gauge with these label values.
    pub fn gauge<const N: usize>(
        &self,
        metric: &Metric<Gauge, N>,
        labels: [&str; N],
    ) -> Arc<Gauge> {
        let made = || Instrument::Gauge(Arc::new(Gauge::new(self.shards)));
        match self.instrument(&metric.doc, &labels, made) {
            Instrument::Gauge(gauge) => gauge,
            _ => Arc::new(Gauge::new(self.shards)),
        }
    }

    /// The histogram with these label values.
    pub fn histogram<const N: usize>(
        &self,
        metric: &Metric<Histogram, N>,
        labels: [&str; N],
    ) -> Arc<Histogram> {
        let made = || Instrument::Histogram(Arc::new(Histogram::new(self.shards)));
        match self.instrument(&metric.doc, &labels, made) {
            Instrument::Histogram(histogram) => histogram,
            _ => Arc::new(Histogram::new(self.shards)),
        }
    }

    /// Drops series that nothing uses now and nothing used at the previous
    /// sweep: they have no handle, and what their labels name is not
    /// configured. A handle alone does not tell, since many are made at the
    /// first use after a reload or for a moment, and a counter that began at 0
    /// again would have lost what it counted. `is_configured` gets the names and
    /// the values of the labels.
    ///
    /// Called after each new snapshot is published: a series outlives the last
    /// generation that used it by one, so that its last counts are scraped and
    /// a rollback continues it. Returns how many were dropped.
    pub fn sweep(&self, is_configured: impl Fn(&[&str], &[Box<str>]) -> bool) -> usize {
        let mut dropped = 0;
        let mut metrics = self.lock();
        for series in metrics.values_mut() {
            let before = series.len();
            series.retain(|values, series| {
                // New handles come from this map, under this lock, or from an
                // existing handle, so a count of one cannot grow meanwhile.
                let has_no_handle = series.instrument.holders() == 1;
                let idle = has_no_handle && !is_configured(series.labels, values);
                let keep = !(idle && series.idle);
                series.idle = idle;
                keep
            });
            dropped += before - series.len();
        }
        metrics.retain(|_, series| !series.is_empty());
        dropped
    }

    /// All series in the Prometheus text format, including values that are kept
    /// elsewhere and were read for this scrape.
    #[must_use]
    pub fn render(&self, samples: &Samples) -> String {
        // Copied, so that a long exposition does not block a reload.
        let series = self
            .lock()
            .iter()
            .map(|(name, series)| {
                let series = series
                    .iter()
                    .map(|(labels, series)| (labels.clone(), series.instrument.clone()))
                    .collect();
                (*name, series)
            })
            .collect();
        exposition::render(&series, samples)
    }

    fn instrument(
        &self,
        doc: &MetricDoc,
        labels: &[&str],
        made: impl FnOnce() -> Instrument,
    ) -> Instrument {
        let labels = labels.iter().map(|value| Box::from(*value)).collect();
        let mut metrics = self.lock();
        let series = metrics.entry(doc.name).or_default();
        let series = series.entry(labels).or_insert_with(|| Series {
            instrument: made(),
            labels: doc.labels,
            idle: false,
        });
        series.instrument.clone()
    }

    fn lock(&self) -> MutexGuard<'_, SeriesByMetric> {
        // The map is consistent after every statement, so counting can continue
        // after a panic elsewhere.
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instrument {
    fn holders(&self) -> usize {
        match self {
            Instrument::Counter(counter) => Arc::strong_count(counter),
            Instrument::Gauge(gauge) => Arc::strong_count(gauge),
            Instrument::Histogram(histogram) => Arc::strong_count(histogram),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Registry, Samples};
    use crate::metrics::definitions::{CACHE_REQUESTS, GENERATION, RELOADS, UPSTREAM_REUSED};

    #[test]
    fn the_same_labels_are_the_same_counter() {
        let registry = Registry::new(2);
        let first = registry.counter(&RELOADS, ["ok"]);
        let second = registry.counter(&RELOADS, ["ok"]);
        let other = registry.counter(&RELOADS, ["refused"]);
        first.increment(0);
        second.increment(1);
        assert_eq!((first.value(), other.value()), (2, 0));
    }

    #[test]
    fn totals_are_over_the_other_labels() {
        let registry = Registry::new(2);
        for (site, word, n) in [("a", "hit", 1), ("b", "hit", 2), ("b", "miss", 4)] {
            let counter = registry.counter(&CACHE_REQUESTS, [site, "/", word]);
            counter.add(1, n);
        }
        let totals = registry.totals(&CACHE_REQUESTS, 2);
        let totals: Vec<_> = totals.iter().map(|(word, n)| (&**word, *n)).collect();
        assert_eq!(totals, [("hit", 3), ("miss", 4)]);
        assert!(registry.totals(&RELOADS, 0).is_empty());
    }

    #[test]
    fn a_series_outlives_its_last_holder_by_one_sweep() {
        let registry = Registry::new(1);
        let counter = registry.counter(&UPSTREAM_REUSED, ["sales"]);
        let shown = |registry: &Registry| {
            let text = registry.render(&Samples::default());
            text.contains(r#"janua_upstream_connections_reused_total{upstream="sales"} 5"#)
        };
        counter.add(0, 5);
        assert_eq!(
            (registry.sweep(|_, _| false), registry.sweep(|_, _| false)),
            (0, 0)
        );
        drop(counter);
        assert_eq!(registry.sweep(|_, _| false), 0);
        assert!(shown(&registry));
        // Requested again, it continues.
        let again = registry.counter(&UPSTREAM_REUSED, ["sales"]);
        assert_eq!((again.value(), registry.sweep(|_, _| false)), (5, 0));
        drop(again);
        assert_eq!(
            (registry.sweep(|_, _| false), registry.sweep(|_, _| false)),
            (0, 1)
        );
        assert!(!shown(&registry));
    }

    #[test]
    fn what_is_configured_is_kept_without_a_holder() {
        let registry = Registry::new(1);
        registry.counter(&UPSTREAM_REUSED, ["sales"]).add(0, 5);
        registry.counter(&UPSTREAM_REUSED, ["gone"]).add(0, 7);
        let is_configured = |labels: &[&str], values: &[Box<str>]| {
            assert_eq!(labels, ["upstream"]);
            &*values[0] == "sales"
        };
        let dropped = [(); 4].map(|()| registry.sweep(is_configured));
        assert_eq!(dropped, [0, 1, 0, 0]);
        assert_eq!(registry.counter(&UPSTREAM_REUSED, ["sales"]).value(), 5);
    }

    #[test]
    fn a_gauge_is_shown_as_it_stands() {
        let registry = Registry::new(1);
        registry.gauge(&GENERATION, []).add(0, 7);
        let text = registry.render(&Samples::default());
        assert!(text.contains("\njanua_config_generation 7\n"), "{text}");
    }
}
