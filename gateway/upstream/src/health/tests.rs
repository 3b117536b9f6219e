use std::time::Duration;

use super::AttemptOutcome::{self, Ok};
use super::{Cell, Change, Entry, Health, PassiveHealth};

const FAILED: AttemptOutcome = AttemptOutcome::Failed("refused");

const RULE: PassiveHealth = PassiveHealth {
    max_fails: 3,
    fail_timeout: Duration::from_secs(30),
};

fn healthy(fails: u32, since_ms: u64) -> Health {
    Health::Healthy { fails, since_ms }
}
fn ejected(until_ms: u64) -> Health {
    Health::Ejected { until_ms }
}
fn probing(until_ms: u64) -> Health {
    Health::Probing { until_ms }
}

#[test]
fn outcomes_change_health() {
    let cases = [
        // The first failure starts the period over which failures are counted.
        (Health::NEW, FAILED, 5_000, healthy(1, 5_000)),
        (healthy(1, 5_000), FAILED, 35_000, healthy(2, 5_000)),
        (healthy(2, 5_000), FAILED, 35_001, healthy(1, 35_001)),
        // Successes in between do not reset the count.
        (healthy(2, 5_000), Ok, 6_000, healthy(2, 5_000)),
        (healthy(2, 5_000), FAILED, 6_000, ejected(36_000)),
        // A request sent before the ejection changes nothing.
        (ejected(36_000), FAILED, 7_000, ejected(36_000)),
        (ejected(36_000), Ok, 7_000, ejected(36_000)),
        (probing(70_000), Ok, 40_000, Health::NEW),
        (probing(70_000), FAILED, 40_000, ejected(70_000)),
    ];
    for (before, outcome, now, after) in cases {
        assert_eq!(
            before.after(outcome, now, &RULE),
            after,
            "{before:?} {outcome:?}"
        );
    }
    let off = PassiveHealth {
        max_fails: 0,
        ..RULE
    };
    assert_eq!(healthy(7, 0).after(FAILED, 1, &off), healthy(8, 0));
}

#[test]
fn health_decides_about_admission() {
    let cases = [
        (Health::NEW, 0, Entry::Open),
        (healthy(2, 5), 6, Entry::Open),
        (ejected(100), 99, Entry::LastResort),
        (ejected(100), 100, Entry::Probe),
        (probing(100), 99, Entry::LastResort),
        // The probe had no result, perhaps because its client went away.
        (probing(100), 100, Entry::Probe),
    ];
    for (health, now, expected) in cases {
        assert_eq!(health.admission(now).entry, expected, "{health:?} at {now}");
    }
}

#[test]
fn a_cell_is_ejected_once_probed_once_and_recovers() {
    let cell = Cell::new();
    let report = |outcome, now| {
        let (before, after) = cell.report(outcome, now, &RULE)?;
        Change::between(before, after)
    };
    assert_eq!(report(Ok, 0), None);
    assert_eq!(report(FAILED, 1_000), None);
    assert_eq!(report(FAILED, 1_000), None);
    assert_eq!(cell.load(), healthy(2, 1_000));
    assert!(
        !cell.claim(1_000, &RULE),
        "it takes requests, none is a probe"
    );
    assert_eq!(report(FAILED, 2_000), Some(Change::Ejected));
    assert_eq!(report(FAILED, 2_000), None);
    assert!(!cell.claim(31_999, &RULE));
    assert!(cell.claim(32_000, &RULE));
    assert!(!cell.claim(32_000, &RULE), "a second probe");
    assert_eq!(report(FAILED, 33_000), None);
    assert_eq!(cell.load(), ejected(63_000));
    assert!(cell.claim(63_000, &RULE));
    assert_eq!(report(Ok, 63_500), Some(Change::Recovered));
    assert_eq!(cell.load(), Health::NEW);
}

#[test]
fn tried_anyway_its_outcome_counts() {
    let cell = Cell::new();
    cell.try_anyway(0, &RULE);
    assert_eq!(cell.load(), Health::NEW);
    for _ in 0..3 {
        cell.report(FAILED, 0, &RULE);
    }
    cell.try_anyway(10, &RULE);
    assert_eq!(cell.load(), probing(30_010));
    cell.report(Ok, 20, &RULE);
    assert_eq!(cell.load(), Health::NEW);
}

#[test]
fn as_many_failures_as_are_counted_always_suffice() {
    let rule = PassiveHealth {
        max_fails: u32::MAX,
        ..RULE
    };
    let cell = Cell::new();
    let ejected = (0..20_000).find(|_| {
        cell.report(FAILED, 0, &rule);
        matches!(cell.load(), Health::Ejected { .. })
    });
    assert_eq!(ejected, Some(16_382));
}

#[test]
fn a_word_holds_every_state() {
    let states = [
        Health::NEW,
        healthy(16_383, (1 << 48) - 1),
        ejected(1 << 47),
        probing(12),
    ];
    for health in states {
        assert_eq!(super::unpack(super::pack(health)), health);
    }
    // Values that are too large are truncated and do not affect other fields.
    assert_eq!(
        super::unpack(super::pack(healthy(u32::MAX, u64::MAX))),
        states[1]
    );
}
