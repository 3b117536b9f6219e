//! Adaptive concurrency: how many requests an upstream may have to answer at
//! once, found from how long it takes to answer.
//!
//! An upstream that is asked for more than it can do at once puts the rest into
//! a queue, and takes longer for each request. So the limit follows the ratio of
//! the time that a response head takes without a queue (the *baseline*) to the
//! time that it takes now, as in Netflix' Gradient2 and in Envoy. Each *window*
//! of requests gives one step:
//!
//! ```text
//! gradient = tolerance × baseline / latency, between ½ and 1¼
//! limit    = limit × gradient + √limit
//! ```
//!
//! The root lets the limit grow, and makes a small queue at all times, by which
//! a growing capacity is found. The latency of a window is the geometric mean,
//! which few slow requests do not move.
//!
//! A baseline that was measured with a queue would justify that queue, and one
//! from better times would never be reached again. Shorter latencies lower it; and
//! from time to time, and whenever the limit has fallen to half, an *experiment*
//! of one window tells whether there is a queue: with one, latency is proportional
//! to the number of requests, and without one it does not depend on it.
//!
//! - Half of the limit: if latency has not fallen as much, there is no queue there,
//!   and it is the baseline. (Envoy goes down to three requests for the same.)
//! - Half as much again: if latency has not risen as much, there was no queue
//!   before, and the baseline is at least what it was. So a limit recovers that has
//!   become small because the upstream is slower, and not because it is busy.
//!
//! Time and requests are arguments: the state machine is tested with a simulated
//! upstream (`simulation`).

mod gradient;
mod window;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use gradient::Gradient;

/// How the limit is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdaptiveRule {
    /// The limit is never lower.
    pub min: u32,
    /// The limit is never higher.
    pub max: u32,
    /// How much longer than the baseline a response head may take, in percent of
    /// it.
    pub tolerance: u8,
}

/// The limit at first, unless the rule excludes it.
const START: u32 = 20;

/// The limit of one upstream, shared by the workers.
#[derive(Debug, Default)]
pub(crate) struct Adaptive {
    /// 0 before the first step. Read for every request.
    limit: AtomicU32,
    gradient: Mutex<Option<Gradient>>,
}

/// One request that has been answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// From the request to the head of the response.
    pub(crate) took: Duration,
    /// How many requests were unanswered when it began, itself included.
    pub(crate) concurrency: u32,
}

impl Adaptive {
    /// The limit now.
    pub(crate) fn limit(&self, rule: &AdaptiveRule) -> u32 {
        match self.limit.load(Relaxed) {
            0 => rule.start(),
            limit => rule.bound(limit),
        }
    }

    /// Takes a request into account whose response head has just arrived. If another
    /// worker is doing that, the request is left out: a sample is enough.
    pub(crate) fn sample(&self, sample: Sample, now_ms: u64, rule: &AdaptiveRule) {
        if let Ok(mut gradient) = self.gradient.try_lock() {
            let gradient = gradient.get_or_insert_with(|| Gradient::new(rule, now_ms));
            gradient.sample(sample, now_ms, rule);
            self.limit.store(gradient.limit(rule), Relaxed);
        }
    }
}

impl AdaptiveRule {
    fn start(&self) -> u32 {
        self.bound(START)
    }

    fn bound(&self, limit: u32) -> u32 {
        limit.clamp(self.min.max(1), self.max.max(self.min).max(1))
    }

    fn bound_exactly(&self, limit: f64) -> f64 {
        limit.clamp(f64::from(self.bound(0)), f64::from(self.bound(u32::MAX)))
    }
}

#[cfg(test)]
mod simulation;
