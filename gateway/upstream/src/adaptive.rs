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

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

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
/// A window lasts at least this long, in milliseconds, and has at least so many
/// requests.
const WINDOW: (u64, u32) = (100, 50);
/// The same for an upstream that answers few requests.
const SLOW_WINDOW: (u64, u32) = (1_000, 10);
/// A window that has not got them by then is dropped: its requests have not much
/// to do with each other.
const LONGEST_WINDOW_MS: u64 = 10_000;
/// After a step the next window begins this many times the latency later, when the
/// queue of the old limit is gone.
const SETTLING: f64 = 4.0;
/// How much of the way a baseline goes to a shorter latency.
const LOWERING: f64 = 0.1;
/// The shortest and the longest time between two experiments, in milliseconds. From
/// one to the next it doubles, as long as they change nothing.
const EXPERIMENTS_MS: (u64, u64) = (1_000, 15_000);
/// The factors by which experiments change the limit.
const HALF: f64 = 0.5;
const MORE: f64 = 1.5;

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

/// What one upstream's limit is, and what has been learnt so far.
#[derive(Debug)]
struct Gradient {
    limit: f64,
    /// The latency without a queue, in microseconds.
    baseline: Option<f64>,
    window: Window,
    /// What the previous window has shown.
    previous: Option<Shown>,
    experiment: Option<Experiment>,
    /// The factor of the next experiment.
    next_factor: f64,
    next_at_ms: u64,
    every_ms: u64,
    /// The limit at the last experiment.
    tested: f64,
}

/// A window with another limit.
#[derive(Debug, Clone, Copy)]
struct Experiment {
    /// The limit to return to.
    limit: f64,
    factor: f64,
}

/// The requests that were answered in one window.
#[derive(Debug)]
struct Window {
    begin_ms: u64,
    samples: u32,
    sum_of_logarithms: f64,
    concurrency: u32,
}

/// The result of a window.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// In microseconds.
    latency: f64,
    /// The most requests at once.
    concurrency: f64,
}

impl Gradient {
    fn new(rule: &AdaptiveRule, now_ms: u64) -> Self {
        Self {
            limit: f64::from(rule.start()),
            baseline: None,
            window: Window::new(now_ms),
            previous: None,
            experiment: None,
            next_factor: HALF,
            next_at_ms: now_ms.saturating_add(EXPERIMENTS_MS.0),
            every_ms: EXPERIMENTS_MS.0,
            tested: 0.0,
        }
    }

    /// The limit now.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is between two numbers of 32 bits"
    )]
    fn limit(&self, rule: &AdaptiveRule) -> u32 {
        rule.bound_exactly(self.limit.round()) as u32
    }

    /// Takes a request into account whose response head has just arrived.
    fn sample(&mut self, sample: Sample, now_ms: u64, rule: &AdaptiveRule) {
        // It may have met the queue of an earlier limit.
        let Some(lasted_ms) = now_ms.checked_sub(self.window.begin_ms) else {
            return;
        };
        self.window.add(sample);
        if let Some(shown) = self.window.shown(lasted_ms) {
            self.step(shown, now_ms, rule);
            self.window = Window::new(now_ms.saturating_add(shown.settling_ms()));
        } else if lasted_ms >= LONGEST_WINDOW_MS {
            if let Some(experiment) = self.experiment.take() {
                self.limit = experiment.limit;
            }
            self.previous = None;
            self.window = Window::new(now_ms);
        }
    }

    fn step(&mut self, shown: Shown, now_ms: u64, rule: &AdaptiveRule) {
        let previous = self.previous.replace(shown);
        if let Some(experiment) = self.experiment.take() {
            if let Some(before) = previous {
                self.conclude(experiment, before, shown, now_ms);
            }
            self.limit = rule.bound_exactly(experiment.limit);
            self.previous = None;
            return;
        }
        let known = self.baseline.unwrap_or(shown.latency);
        // Not all of the way, because a window may be fast by chance.
        let baseline = known + (shown.latency - known).min(0.0) * LOWERING;
        self.baseline = Some(baseline);
        let tolerance = 1.0 + f64::from(rule.tolerance) / 100.0;
        let gradient = (tolerance * baseline / shown.latency).clamp(0.5, 1.25);
        let next = self.limit * gradient + self.limit.sqrt();
        // A limit that is not used has not been tested.
        let is_used = shown.concurrency >= self.limit / 2.0;
        if next < self.limit || is_used {
            self.limit = rule.bound_exactly(next);
        }
        if self.limit < self.tested / 2.0 {
            self.next_factor = HALF;
            self.every_ms = EXPERIMENTS_MS.0;
            self.next_at_ms = now_ms;
        }
        if now_ms >= self.next_at_ms && is_used {
            self.begin_experiment(now_ms, rule);
        }
    }

    fn begin_experiment(&mut self, now_ms: u64, rule: &AdaptiveRule) {
        let (limit, factor) = (self.limit, self.next_factor);
        self.experiment = Some(Experiment { limit, factor });
        self.tested = limit;
        self.limit = rule.bound_exactly(limit * factor);
        self.next_factor = if factor < 1.0 { MORE } else { HALF };
        self.schedule(self.every_ms.saturating_mul(2), now_ms);
    }

    fn schedule(&mut self, every_ms: u64, now_ms: u64) {
        self.every_ms = every_ms.min(EXPERIMENTS_MS.1);
        self.next_at_ms = now_ms.saturating_add(self.every_ms);
    }

    fn conclude(&mut self, experiment: Experiment, before: Shown, during: Shown, now_ms: u64) {
        let known = self.baseline.unwrap_or(during.latency);
        let requests = during.concurrency / before.concurrency.max(1.0);
        let latency = during.latency / before.latency;
        let baseline = if experiment.factor > 1.0 {
            // Half of the rise may be chance.
            let has_risen = latency >= f64::midpoint(1.0, requests);
            match requests < 1.2 || has_risen {
                true => return,
                false => known.max(before.latency.min(during.latency)),
            }
        } else if requests > 0.9 {
            return;
        } else if latency < requests * 1.2 {
            known.min(during.latency)
        } else {
            during.latency
        };
        self.baseline = Some(baseline);
        let has_been_wrong = baseline < known * 0.8 || experiment.factor > 1.0;
        if has_been_wrong {
            self.schedule(EXPERIMENTS_MS.0, now_ms);
        }
    }
}

impl Window {
    fn new(now_ms: u64) -> Self {
        Self {
            begin_ms: now_ms,
            samples: 0,
            sum_of_logarithms: 0.0,
            concurrency: 0,
        }
    }

    fn add(&mut self, sample: Sample) {
        self.samples = self.samples.saturating_add(1);
        self.sum_of_logarithms += (sample.took.as_secs_f64() * 1e6).max(1.0).ln();
        self.concurrency = self.concurrency.max(sample.concurrency);
    }

    /// What the window shows; none as long as it is too short.
    fn shown(&self, lasted_ms: u64) -> Option<Shown> {
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
    fn settling_ms(&self) -> u64 {
        ((self.latency * SETTLING / 1000.0) as u64).min(LONGEST_WINDOW_MS)
    }
}

#[cfg(test)]
mod simulation;
