//! Parses the metrics strictly by the Prometheus text format 0.0.4.

use std::collections::{BTreeMap, BTreeSet};

/// All series at one time.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Values by name and labels: `janua_requests_total{site="a",route="/"}`.
    series: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Metrics {
    /// Parses the metrics.
    ///
    /// # Panics
    /// If the text is invalid: a malformed line, a series without `TYPE`, a
    /// duplicate series, or series of one metric that are not together.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut metrics = Self::default();
        let mut family = String::new();
        let mut done = BTreeSet::new();
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let parts: Vec<&str> = comment.splitn(3, ' ').collect();
                let &[word, name, rest] = parts.as_slice() else {
                    panic!("{line:?}");
                };
                if name != family {
                    assert!(done.insert(name.to_owned()), "{name} comes twice");
                    name.clone_into(&mut family);
                }
                match word {
                    "HELP" => {}
                    "TYPE" => {
                        metrics.types.insert(name.to_owned(), rest.to_owned());
                    }
                    _ => panic!("{line:?}"),
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            let name = series.split('{').next().unwrap_or_default();
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .filter(|base| {
                    metrics
                        .types
                        .get(*base)
                        .is_some_and(|kind| kind == "histogram")
                })
                .unwrap_or(name);
            assert_eq!(base, family, "{line:?} stands with another metric");
            assert!(metrics.types.contains_key(base), "{line:?} has no TYPE");
            let value = value.parse().unwrap_or_else(|_| panic!("{line:?}"));
            let before = metrics.series.insert(series.to_owned(), value);
            assert_eq!(before, None, "{series} comes twice");
        }
        metrics
    }

    /// The sum of all series with this name and these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |series: &str| {
            let of_name = series == name
                || series
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('{'));
            let has_label = |(label, value): &(&str, &str)| {
                series.contains(&format!("{{{label}=\"{value}\""))
                    || series.contains(&format!(",{label}=\"{value}\""))
            };
            of_name && labels.iter().all(has_label)
        };
        self.series
            .iter()
            .filter(|(series, _)| has(series))
            .map(|(_, value)| value)
            .sum()
    }

    /// The names of all metrics and their types.
    pub fn types(&self) -> impl Iterator<Item = (&str, &str)> {
        self.types
            .iter()
            .map(|(name, kind)| (name.as_str(), kind.as_str()))
    }
}
