//! A simulated upstream, against which the limit must prove itself.
//!
//! The upstream has a number of slots and a queue in front of them, first come
//! first served. Both the number of slots and the time that a request takes may
//! change. Requests arrive at random times; those beyond the limit are refused.
//! The numbers are random, but the same in each run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::{AdaptiveRule, Gradient, Sample};
use crate::random::Random;

/// What the upstream can do from a time on.
#[derive(Clone, Copy, Debug)]
struct Phase {
    /// How long it lasts, in seconds.
    seconds: u64,
    slots: usize,
    /// The mean time that a request takes in a slot, in microseconds.
    service_us: f64,
    /// Requests that arrive, in relation to those that the slots can answer.
    load: f64,
}

/// How a request's time in its slot varies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Variation {
    /// Not at all.
    None,
    /// As an exponential distribution.
    Exponential,
    /// Nine of ten requests are quick, and the tenth takes twenty times as long.
    Mixed,
}

/// What happened in the second half of a phase, when the limit has had time to
/// adapt, and in the whole.
#[derive(Debug, Default)]
struct Report {
    answered: u64,
    refused: u64,
    /// Requests answered, in relation to what the slots could have answered of
    /// those that arrived.
    throughput: f64,
    /// The mean latency in relation to the mean time in a slot.
    slowdown: f64,
    /// The lowest, the mean and the highest limit.
    limit: (u32, f64, u32),
    /// The throughput of the whole phase.
    throughput_of_all: f64,
}

struct Chance(Random);

impl Chance {
    /// The next number, between 0 and 1.
    fn next(&mut self) -> f64 {
        (self.0.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.next()).ln()
    }
}

#[derive(Clone, Copy)]
struct Waiting {
    began_us: u64,
    concurrency: u32,
    work_us: u64,
}

fn simulate(phases: &[Phase], rule: AdaptiveRule, variation: Variation, seed: u64) -> Vec<Report> {
    let mut random = Chance(Random::from_seed(seed));
    let mut gradient = Gradient::new(&rule, 0);
    let mut queue: VecDeque<Waiting> = VecDeque::new();
    // By the time at which the request ends.
    let mut busy: BinaryHeap<Reverse<(u64, u64, u32)>> = BinaryHeap::new();
    let mut now_us = 0;
    let mut next_arrival_us = 0;
    let mut reports = Vec::new();
    for phase in phases {
        let begin_us = now_us;
        let half_us = begin_us + phase.seconds * 500_000;
        let end_us = begin_us + phase.seconds * 1_000_000;
        let gap_us = phase.service_us / (phase.slots as f64 * phase.load);
        let mut report = Report {
            limit: (u32::MAX, 0.0, 0),
            ..Report::default()
        };
        let (mut answered_of_all, mut latency_us, mut limits) = (0_u64, 0.0, 0_u64);
        while now_us < end_us {
            let ended_us = busy.peek().map_or(u64::MAX, |Reverse((at, ..))| *at);
            now_us = ended_us.min(next_arrival_us);
            let counts = now_us >= half_us;
            if ended_us <= next_arrival_us {
                let Some(Reverse((_, began_us, concurrency))) = busy.pop() else {
                    break;
                };
                let took = Duration::from_micros(now_us - began_us);
                let sample = Sample { took, concurrency };
                gradient.sample(sample, now_us / 1000, &rule);
                answered_of_all += 1;
                if counts {
                    report.answered += 1;
                    latency_us += took.as_micros() as f64;
                }
            } else {
                next_arrival_us = now_us + random.exponential(gap_us).max(1.0) as u64;
                let limit = gradient.limit(&rule);
                let in_progress = u32::try_from(queue.len() + busy.len()).unwrap();
                if counts {
                    let (low, sum, high) = report.limit;
                    report.limit = (low.min(limit), sum + f64::from(limit), high.max(limit));
                    limits += 1;
                }
                if in_progress >= limit {
                    report.refused += u64::from(counts);
                } else {
                    let mean = phase.service_us;
                    let work = match variation {
                        Variation::None => mean,
                        Variation::Exponential => random.exponential(mean),
                        Variation::Mixed if random.next() < 0.1 => mean * 20.0 / 2.9,
                        Variation::Mixed => mean / 2.9,
                    };
                    queue.push_back(Waiting {
                        began_us: now_us,
                        concurrency: in_progress + 1,
                        work_us: work.max(1.0) as u64,
                    });
                }
            }
            while busy.len() < phase.slots
                && let Some(next) = queue.pop_front()
            {
                let end_us = now_us + next.work_us;
                busy.push(Reverse((end_us, next.began_us, next.concurrency)));
            }
        }
        let ideal = phase.slots as f64 / phase.service_us * 1e6 * phase.load.min(1.0);
        let seconds = phase.seconds as f64;
        report.throughput = report.answered as f64 / (ideal * seconds / 2.0);
        report.throughput_of_all = answered_of_all as f64 / (ideal * seconds);
        report.slowdown = latency_us / report.answered.max(1) as f64 / phase.service_us;
        report.limit.1 /= limits.max(1) as f64;
        reports.push(report);
    }
    reports
}

const LEAST: AdaptiveRule = AdaptiveRule {
    min: 3,
    max: 1_000,
    tolerance: 25,
};

fn phase(slots: usize, service_ms: u32, load: f64) -> Phase {
    Phase {
        seconds: 60,
        slots,
        service_us: f64::from(service_ms) * 1000.0,
        load,
    }
}

/// Several runs of an upstream with half as much load again as it can bear, then with less, then with
/// half of its slots, with three times the load, three times as slow, and as it was.
#[test]
fn the_limit_finds_the_capacity_of_an_upstream_and_follows_it() {
    for variation in [Variation::None, Variation::Exponential, Variation::Mixed] {
        for (slots, service_ms) in [(8, 5), (50, 10), (50, 100), (300, 20)] {
            let phases = [
                phase(slots, service_ms, 1.5),
                phase(slots, service_ms, 0.7),
                phase(slots / 2, service_ms, 1.5),
                phase(slots, service_ms, 3.0),
                phase(slots, service_ms * 3, 1.5),
                phase(slots, service_ms, 1.5),
            ];
            let seeds = 1..=6;
            let runs: Vec<Vec<Report>> = seeds
                .map(|seed| simulate(&phases, LEAST, variation, seed))
                .collect();
            for (place, phase) in phases.iter().enumerate() {
                let reports: Vec<&Report> = runs.iter().map(|run| &run[place]).collect();
                check(&reports, phase, variation);
            }
        }
    }
}

fn check(reports: &[&Report], phase: &Phase, variation: Variation) {
    let about = format!("{variation:?}: {phase:?}: {reports:#?}");
    let mean = |of: fn(&Report) -> f64| {
        reports.iter().map(|report| of(report)).sum::<f64>() / reports.len() as f64
    };
    assert!(
        mean(|it| it.throughput) >= 0.9,
        "too little is answered: {about}"
    );
    assert!(
        mean(|it| it.throughput_of_all) >= 0.7,
        "it adapts too slowly: {about}"
    );
    let is_lowest = reports.iter().all(|report| report.limit.0 >= LEAST.min);
    assert!(is_lowest, "the limit is too low: {about}");
    let slots = phase.slots as f64;
    if phase.load < 1.0 {
        let refused = mean(|it| it.refused as f64 / (it.refused + it.answered) as f64);
        assert!(
            refused < 0.02,
            "what the upstream can bear is refused: {about}"
        );
    } else {
        // Without any queue the limit is the number of slots.
        let near = 0.9 * slots..=2.4 * slots + 4.0;
        let limit = mean(|it| it.limit.1);
        assert!(
            near.contains(&limit),
            "the limit {limit} is not near the slots: {about}"
        );
        assert!(mean(|it| it.slowdown) <= 2.4, "a queue is kept: {about}");
        let worst = reports.iter().map(|it| it.slowdown).fold(0.0, f64::max);
        assert!(worst <= 3.5, "a queue is kept: {about}");
    }
}

/// What the limit is for: without one, each request would wait for all earlier ones.
#[test]
fn without_a_limit_latency_would_grow_without_bound() {
    let unlimited = AdaptiveRule {
        min: 1_000_000,
        max: 1_000_000,
        ..LEAST
    };
    let reports = simulate(&[phase(50, 10, 1.5)], unlimited, Variation::None, 1);
    assert!(reports[0].slowdown > 1_000.0, "{reports:?}");
}

#[test]
fn an_upstream_that_can_do_less_than_the_minimum_gets_the_minimum() {
    let rule = AdaptiveRule { min: 20, ..LEAST };
    let phases = [phase(4, 10, 5.0), phase(4, 200, 5.0), phase(4, 10, 5.0)];
    for report in simulate(&phases, rule, Variation::Exponential, 1) {
        assert!(report.limit.0 >= 20, "{report:?}");
        assert!(report.throughput >= 0.95, "{report:?}");
        assert!(
            report.limit.1 <= 80.0,
            "it stays near the minimum: {report:?}"
        );
    }
}

#[test]
fn the_limit_is_never_above_the_maximum() {
    let rule = AdaptiveRule { max: 30, ..LEAST };
    let reports = simulate(&[phase(50, 10, 3.0)], rule, Variation::None, 1);
    assert_eq!(reports[0].limit.2, 30, "{reports:?}");
}

/// Feeds `count` requests, one each millisecond, that each take `took_ms`.
fn feed(gradient: &mut Gradient, now_ms: &mut u64, count: u32, took_ms: u64, concurrency: u32) {
    for _ in 0..count {
        *now_ms += 1;
        let took = Duration::from_millis(took_ms);
        gradient.sample(Sample { took, concurrency }, *now_ms, &LEAST);
    }
}

#[test]
fn a_limit_that_is_not_used_does_not_grow() {
    let (mut gradient, mut now_ms) = (Gradient::new(&LEAST, 0), 0);
    feed(&mut gradient, &mut now_ms, 20_000, 10, 9);
    assert_eq!(gradient.limit(&LEAST), 20);
    feed(&mut gradient, &mut now_ms, 900, 10, 20);
    assert!(gradient.limit(&LEAST) > 20);
}

#[test]
fn an_experiment_that_gets_no_requests_is_given_up() {
    let (mut gradient, mut now_ms) = (Gradient::new(&LEAST, 0), 0);
    let mut limits = Vec::new();
    while gradient.experiment.is_none() {
        limits.push(gradient.limit(&LEAST));
        let limit = gradient.limit(&LEAST);
        feed(&mut gradient, &mut now_ms, 1, 10, limit);
    }
    let before = gradient.experiment.unwrap().limit.round() as u32;
    assert!(gradient.limit(&LEAST) < before, "{limits:?}");
    now_ms += 60_000;
    feed(&mut gradient, &mut now_ms, 1, 10, 1);
    assert_eq!(gradient.limit(&LEAST), before);
}

#[test]
fn bounds_that_a_reload_changes_hold_at_once() {
    let (mut gradient, mut now_ms) = (Gradient::new(&LEAST, 0), 0);
    feed(&mut gradient, &mut now_ms, 900, 10, 20);
    let (low, high) = (
        AdaptiveRule { max: 5, ..LEAST },
        AdaptiveRule { min: 500, ..LEAST },
    );
    assert_eq!(gradient.limit(&low), 5);
    assert_eq!(gradient.limit(&high), 500);
}
