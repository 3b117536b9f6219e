//! The state machine that finds the limit of an upstream.

use super::window::{LONGEST_WINDOW_MS, Shown, Window};
use super::{AdaptiveRule, Sample};

/// How much of the way a baseline goes to a shorter latency.
const LOWERING: f64 = 0.1;
/// The shortest and the longest time between two experiments, in milliseconds. From
/// one to the next it doubles, as long as they change nothing.
const EXPERIMENTS_MS: (u64, u64) = (1_000, 15_000);
/// The factors by which experiments change the limit.
const HALF: f64 = 0.5;
const MORE: f64 = 1.5;

/// What one upstream's limit is, and what has been learnt so far.
#[derive(Debug)]
pub(super) struct Gradient {
    limit: f64,
    /// The latency without a queue, in microseconds.
    baseline: Option<f64>,
    window: Window,
    /// What the previous window has shown.
    previous: Option<Shown>,
    pub(super) experiment: Option<Experiment>,
    /// The factor of the next experiment.
    next_factor: f64,
    next_at_ms: u64,
    every_ms: u64,
    /// The limit at the last experiment.
    tested: f64,
}

/// A window with another limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Experiment {
    /// The limit to return to.
    pub(super) limit: f64,
    factor: f64,
}

impl Gradient {
    pub(super) fn new(rule: &AdaptiveRule, now_ms: u64) -> Self {
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
    pub(super) fn limit(&self, rule: &AdaptiveRule) -> u32 {
        rule.bound_exactly(self.limit.round()) as u32
    }

    /// Takes a request into account whose response head has just arrived.
    pub(super) fn sample(&mut self, sample: Sample, now_ms: u64, rule: &AdaptiveRule) {
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
