//! The Prometheus text format, version 0.0.4.

use std::collections::{BTreeMap, btree_map};
use std::fmt::Write;

use super::registry::{Instrument, LabelValues};
use super::{BUCKETS, Counter, Gauge, Histogram, METRICS, Metric, MetricDoc};

/// The media type of what [`Registry::render`](super::Registry::render) returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Values that are kept elsewhere (an endpoint's health, the size of a memo)
/// and read at the time of a scrape, so that they are not stored twice. A
/// sample replaces a registered series with the same labels.
#[derive(Debug, Default)]
pub struct Samples {
    values: BTreeMap<&'static str, BTreeMap<LabelValues, f64>>,
}

impl Samples {
    /// A counter's value in the metric's own unit.
    pub fn counter<const N: usize>(
        &mut self,
        metric: &Metric<Counter, N>,
        labels: [&str; N],
        value: f64,
    ) {
        self.insert(metric.doc.name, &labels, value);
    }

    /// A gauge's value.
    pub fn gauge<const N: usize>(
        &mut self,
        metric: &Metric<Gauge, N>,
        labels: [&str; N],
        value: f64,
    ) {
        self.insert(metric.doc.name, &labels, value);
    }

    fn insert(&mut self, name: &'static str, labels: &[&str], value: f64) {
        let labels = labels.iter().map(|value| Box::from(*value)).collect();
        self.values.entry(name).or_default().insert(labels, value);
    }
}

enum Value<'a> {
    Counted(&'a Instrument),
    Sampled(f64),
}

/// The instruments of every series, by metric name.
pub(super) type Instruments = BTreeMap<&'static str, BTreeMap<LabelValues, Instrument>>;

/// Writes all series, metric by metric in the order of [`METRICS`].
pub(super) fn render(instruments: &Instruments, samples: &Samples) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for metric in METRICS {
        let mut series: BTreeMap<&LabelValues, Value> = BTreeMap::new();
        let counted = instruments.get(metric.name).map(BTreeMap::iter);
        for (labels, instrument) in counted.into_iter().flatten() {
            series.insert(labels, Value::Counted(instrument));
        }
        let sampled = samples.values.get(metric.name).map(BTreeMap::iter);
        for (labels, value) in sampled.into_iter().flatten() {
            series.insert(labels, Value::Sampled(*value));
        }
        family(&mut out, metric, series.into_iter());
    }
    out
}

fn family<'a>(
    out: &mut String,
    metric: &MetricDoc,
    series: btree_map::IntoIter<&'a LabelValues, Value<'a>>,
) {
    if series.len() == 0 {
        return;
    }
    let (name, kind) = (metric.name, metric.kind.word());
    let help = metric.help.replace('\\', "\\\\").replace('\n', "\\n");
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (values, value) in series {
        let labels = label_set(metric.labels, values);
        let _ = match value {
            Value::Sampled(value) => writeln!(out, "{name}{} {value}", braced(&labels)),
            Value::Counted(Instrument::Counter(counter)) => {
                writeln!(out, "{name}{} {}", braced(&labels), counter.value())
            }
            Value::Counted(Instrument::Gauge(gauge)) => {
                writeln!(out, "{name}{} {}", braced(&labels), gauge.value())
            }
            Value::Counted(Instrument::Histogram(histogram)) => {
                buckets(out, name, &labels, histogram);
                Ok(())
            }
        };
    }
}

fn buckets(out: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let totals = histogram.totals();
    let comma = if labels.is_empty() { "" } else { "," };
    let bounds = BUCKETS.iter().map(|(written, _)| *written).chain(["+Inf"]);
    for (bound, count) in bounds.zip(totals.cumulative) {
        let _ = writeln!(
            out,
            "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"
        );
    }
    let count = totals.cumulative.last().copied().unwrap_or(0);
    // Formatted from integers: a float would show rounding errors.
    let sum = format!("{}.{:09}", totals.sum.as_secs(), totals.sum.subsec_nanos());
    let labels = braced(labels);
    let _ = writeln!(
        out,
        "{name}_sum{labels} {sum}\n{name}_count{labels} {count}"
    );
}

/// `a="1",b="2"` without braces, because a histogram adds a label.
fn label_set(names: &[&str], values: &[Box<str>]) -> String {
    let mut out = String::new();
    for (name, value) in names.iter().zip(values) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(name);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                _ => out.push(c),
            }
        }
        out.push('"');
    }
    out
}

fn braced(labels: &str) -> String {
    if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    }
}

#[cfg(test)]
mod tests;
