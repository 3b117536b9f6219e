use std::time::Duration;

use super::AttemptOutcome::{self, Ok};
use super::{Admission, Cell, Change, Health, PassiveHealth};

const FAILED: AttemptOutcome = AttemptOutcome::Failed("refused");

const RULE: PassiveHealth = PassiveHealth {
    max_fails: 3,
    fail_timeout: Duration::from_secs(30),
};

fn inn(fails: u32, since_ms: u64) -> Health {
    Health::In { fails, since_ms }
}
fn out(until_ms: u64) -> Health {
    Health::Out { until_ms }
}
fn probing(until_ms: u64) -> Health {
    Health::Probing { until_ms }
}

#[test]
fn outcomes_change_health() {
    let cases = [
        // The first failure begins the time they are counted over.
        (Health::NEW, FAILED, 5_000, inn(1, 5_000)),
        (inn(1, 5_000), FAILED, 35_000, inn(2, 5_000)),
        (inn(2, 5_000), FAILED, 35_001, inn(1, 35_001)),
        // Successes in between do not wipe them out.
        (inn(2, 5_000), Ok, 6_000, inn(2, 5_000)),
        (inn(2, 5_000), FAILED, 6_000, out(36_000)),
        // What was on its way when it went out says nothing.
        (out(36_000), FAILED, 7_000, out(36_000)),
        (out(36_000), Ok, 7_000, out(36_000)),
        (probing(70_000), Ok, 40_000, Health::NEW),
        (probing(70_000), FAILED, 40_000, out(70_000)),
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
    assert_eq!(inn(7, 0).after(FAILED, 1, &off), inn(8, 0));
}

#[test]
fn health_decides_about_admission() {
    let cases = [
        (Health::NEW, 0, Admission::Yes),
        (inn(2, 5), 6, Admission::Yes),
        (out(100), 99, Admission::No),
        (out(100), 100, Admission::Probe),
        (probing(100), 99, Admission::No),
        // The probe was lost, with its client perhaps.
        (probing(100), 100, Admission::Probe),
    ];
    for (health, now, expected) in cases {
        assert_eq!(health.admits(now), expected, "{health:?} at {now}");
    }
}

#[test]
fn a_cell_goes_out_once_probes_once_and_comes_back() {
    let cell = Cell::new();
    let report = |outcome, now| cell.report(outcome, now, &RULE);
    assert_eq!(report(Ok, 0), None);
    assert_eq!(report(FAILED, 1_000), None);
    assert_eq!(report(FAILED, 1_000), None);
    assert_eq!(cell.load(), inn(2, 1_000));
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
    assert_eq!(cell.load(), out(63_000));
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
    assert_eq!(cell.report(Ok, 20, &RULE), Some(Change::Recovered));
}

#[test]
fn a_word_holds_every_state() {
    let states = [
        Health::NEW,
        inn(16_383, (1 << 48) - 1),
        out(1 << 47),
        probing(12),
    ];
    for health in states {
        assert_eq!(super::unpack(super::pack(health)), health);
    }
    // What does not fit is cut, not spilt over.
    assert_eq!(
        super::unpack(super::pack(inn(u32::MAX, u64::MAX))),
        states[1]
    );
}
