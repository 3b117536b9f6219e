//! What the gateway's process takes of the machine: memory, descriptors, threads.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use janua_tests::{Gateway, eventually};

/// How often memory is measured.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// How much more memory the gateway may have in the last quarter of a soak than in the second,
/// in KiB; medians are compared, so that a few peaks do not decide.
///
/// Between the middles of these quarters lies half of the soak. In ten minutes on two cores that
/// is at least 1,000 generations, 50,000 connections and 200,000 requests. So this bound finds a
/// leak of 8 KiB at each reload, where a generation takes some hundred KiB, of 160 bytes at each
/// connection, or of 40 bytes at each request. A shorter soak finds less: a minute, a tenth.
pub(crate) const GROWTH: u64 = 8 * 1024;

/// The threads of pools start when there is work, and stay. The limits are those of
/// ARCHITECTURE.md for two workers.
const POOLS: [(&str, usize); 2] = [("janua-disk", 4), ("janua-code", 4)];

/// Anonymous resident memory over time.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    samples: Vec<(Duration, u64)>,
}

/// Descriptors by what they are, and threads by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) descriptors: BTreeMap<String, usize>,
    pub(crate) threads: BTreeMap<String, usize>,
}

impl Memory {
    /// Measures.
    pub(crate) fn sample(&mut self, begin: Instant, gateway: &Gateway) {
        self.samples.push((begin.elapsed(), gateway.rss_kib()));
    }

    /// The last sample, in KiB.
    pub(crate) fn last(&self) -> u64 {
        self.samples.last().map_or(0, |sample| sample.1)
    }

    /// The medians of the quarters, in KiB.
    pub(crate) fn quarters(&self) -> [u64; 4] {
        let whole = self
            .samples
            .last()
            .map_or(Duration::ZERO, |sample| sample.0);
        std::array::from_fn(|quarter| {
            let of = |part: u32| whole * part / 4;
            let quarter = u32::try_from(quarter).unwrap();
            let is_in = |at: Duration| of(quarter) <= at && at <= of(quarter + 1);
            let samples = self.samples.iter().filter(|(at, _)| is_in(*at));
            let mut values: Vec<u64> = samples.map(|(_, kib)| *kib).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or_default()
        })
    }

    /// What is wrong with it.
    pub(crate) fn violation(&self) -> Option<String> {
        let [_, before, _, after] = self.quarters();
        let has_grown = after > before + GROWTH;
        has_grown.then(|| {
            format!("memory grows: {before} KiB in the second quarter, {after} KiB in the last")
        })
    }
}

impl Holdings {
    /// Reads them from `/proc`.
    pub(crate) fn of(gateway: &Gateway) -> Self {
        let process = format!("/proc/{}", gateway.pid());
        let mut descriptors = BTreeMap::new();
        for entry in fs::read_dir(format!("{process}/fd")).unwrap().flatten() {
            // It may have been closed meanwhile.
            let Ok(link) = fs::read_link(entry.path()) else {
                continue;
            };
            let name = link.to_string_lossy();
            let is_kind = name.starts_with("socket:") || name.starts_with("pipe:");
            let name = name.split(":[").next().filter(|_| is_kind).unwrap_or(&name);
            *descriptors.entry(name.to_owned()).or_default() += 1;
        }
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("{process}/task")).unwrap().flatten() {
            let Ok(name) = fs::read_to_string(entry.path().join("comm")) else {
                continue;
            };
            *threads.entry(name.trim_end().to_owned()).or_default() += 1;
        }
        Self {
            descriptors,
            threads,
        }
    }

    /// Waits until the gateway holds no more than at the start; otherwise tells what else.
    pub(crate) async fn return_to(&self, gateway: &Gateway) -> Result<(), String> {
        let mut more = Vec::new();
        let returned = eventually(async || {
            more = Self::of(gateway).beyond(self);
            more.is_empty().then_some(())
        });
        match returned.await {
            Some(()) => Ok(()),
            None => Err(format!("more than at the start: {}", more.join(", "))),
        }
    }

    /// What is here and was not at the start, nor is allowed to a pool.
    fn beyond(&self, start: &Self) -> Vec<String> {
        let mut more = Vec::new();
        for (name, count) in &self.descriptors {
            let before = start.descriptors.get(name).copied().unwrap_or_default();
            // Look-ups hold served files open, each once, for up to a minute after their last
            // use.
            let before = before.max(usize::from(name.contains("/site/files/")));
            if *count > before {
                more.push(format!("{count} instead of {before} descriptors of {name}"));
            }
        }
        for (name, count) in &self.threads {
            let mut pools = POOLS.iter().filter(|(pool, _)| pool == name);
            let before = start.threads.get(name).copied().unwrap_or_default();
            let limit = pools.next().map_or(before, |pool| pool.1);
            if *count > limit {
                more.push(format!("{count} instead of {limit} threads {name}"));
            }
        }
        more
    }
}
