//! The requests that were answered in a short time, and what they show.

use super::Sample;

/// A window lasts at least this long, in milliseconds, and has at least so many
/// requests.
const WINDOW: (u64, u32) = (100, 50);
/// The same for an upstream that answers few requests.
const SLOW_WINDOW: (u64, u32) = (1_000, 10);
/// A window that has not got them by then is dropped: its requests have not much
/// to do with each other.
pub(super) const LONGEST_WINDOW_MS: u64 = 10_000;
/// After a step the next window begins this many times the latency later, when the
/// queue of the old limit is gone.
const SETTLING: f64 = 4.0;

/// The requests that were answered in one window.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) begin_ms: u64,
    samples: u32,
    sum_of_logarithms: f64,
    concurrency: u32,
}

/// The result of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// In microseconds.
    pub(super) latency: f64,
    /// The most requests at once.
    pub(super) concurrency: f64,
}

impl Window {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            begin_ms: now_ms,
            samples: 0,
            sum_of_logarithms: 0.0,
            concurrency: 0,
        }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        self.samples = self.samples.saturating_add(1);
        self.sum_of_logarithms += (sample.took.as_secs_f64() * 1e6).max(1.0).ln();
        self.concurrency = self.concurrency.max(sample.concurrency);
    }

    /// What the window shows; none as long as it is too short.
    pub(super) fn shown(&self, lasted_ms: u64) -> Option<Shown> {
        let is_enough = |(time_ms, samples)| lasted_ms >= time_ms && self.samples >= samples;
        (is_enough(WINDOW) || is_enough(SLOW_WINDOW)).then(|| Shown {
            latency: (self.sum_of_logarithms / f64::from(self.samples)).exp(),
            concurrency: f64::from(self.concurrency),
        })
    }
}

impl Shown {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a conversion from a float saturates"
    )]
    pub(super) fn settling_ms(&self) -> u64 {
        ((self.latency * SETTLING / 1000.0) as u64).min(LONGEST_WINDOW_MS)
    }
}
