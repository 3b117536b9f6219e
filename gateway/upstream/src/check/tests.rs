use std::time::Duration;

use super::*;
use crate::address::Address;
use crate::balance::Balance;
use crate::cursor::Cursor;
use crate::endpoint::InFlight;
use crate::health::{AttemptOutcome, Health, PassiveHealth};
use crate::testing::{made, spec};
use crate::tried::Tried;
use crate::upstream::{EndpointSpec, Unavailable, UpstreamSpec};

const RULE: CheckRule = CheckRule {
    rise: 2,
    fall: 3,
    silence_ms: 10_000,
};

fn failed(word: &'static str) -> CheckResult {
    CheckResult::Failed(CheckFailure {
        word,
        status: None,
        detail: "".into(),
    })
}

/// The states after each result: `+` for a pass, `-` for a failure.
fn states(mut checks: Checks, results: &str) -> Vec<(CheckState, u32)> {
    let each = results.chars().zip(1..);
    each.map(|(result, now_ms)| {
        let result = match result {
            '+' => CheckResult::Passed,
            _ => failed("refused"),
        };
        checks = checks.clone().after(result, &RULE, now_ms);
        (checks.state, checks.contrary)
    })
    .collect()
}

#[test]
fn results_in_a_row_change_the_state() {
    use CheckState::{Down, Unchecked, Up, Waiting};
    let new = Checks::NEW;
    let unchecked = Checks::default();
    let up = Checks {
        state: Up,
        ..Checks::default()
    };
    let down = Checks {
        state: Down,
        ..Checks::default()
    };
    /// The state before, results, and the states after each.
    type Row<'a> = (&'a Checks, &'a str, &'a [(CheckState, u32)]);
    let table: &[Row<'_>] = &[
        // One pass suffices for a new one, however often it has failed.
        (&new, "+", &[(Up, 0)]),
        (
            &new,
            "----+",
            &[
                (Waiting, 1),
                (Waiting, 2),
                (Waiting, 3),
                (Waiting, 4),
                (Up, 0),
            ],
        ),
        // One that was in use stays in use until its checks fail.
        (&unchecked, "+", &[(Up, 0)]),
        (
            &unchecked,
            "---",
            &[(Unchecked, 1), (Unchecked, 2), (Down, 0)],
        ),
        // `fall` failures, and not with a pass in between.
        (&up, "--+--", &[(Up, 1), (Up, 2), (Up, 0), (Up, 1), (Up, 2)]),
        (&up, "----", &[(Up, 1), (Up, 2), (Down, 0), (Down, 0)]),
        // `rise` passes, and not with a failure in between.
        (&down, "+-++", &[(Down, 1), (Down, 0), (Down, 1), (Up, 0)]),
    ];
    for (from, results, expected) in table {
        assert_eq!(states((*from).clone(), results), *expected, "{results}");
    }
}

#[test]
fn what_failed_is_known_until_it_is_up_again() {
    let mut checks = Checks::NEW.after(CheckResult::Passed, &RULE, 1);
    assert_eq!((checks.failing.clone(), checks.checked_ms), (None, Some(1)));
    for now_ms in 5..8 {
        checks = checks.after(failed("status"), &RULE, now_ms);
    }
    checks = checks.after(failed("refused"), &RULE, 8);
    let failing = checks.failing.clone().unwrap();
    assert_eq!(
        (failing.failure.word, failing.count, failing.since_ms),
        ("refused", 4, 5)
    );
    checks = checks.after(CheckResult::Passed, &RULE, 9);
    assert_eq!(checks.failing, Some(failing), "one pass does not suffice");
    checks = checks.after(CheckResult::Passed, &RULE, 10);
    assert_eq!((checks.failing, checks.checked_ms), (None, Some(10)));
}

fn upstream(endpoints: usize, is_checked: bool) -> Upstream {
    let upstream = made(&spec(Balance::RoundRobin, endpoints));
    if is_checked {
        for member in upstream.members() {
            member.endpoint.await_first_pass();
        }
    }
    upstream
}

/// The index of the endpoint that the next request gets.
fn pick(upstream: &Upstream, cursor: &mut Cursor, now_ms: u64) -> Result<usize, Unavailable> {
    let picked = upstream.pick(cursor, &Tried::new(), now_ms);
    picked.map(|picked| picked.index)
}

#[test]
fn a_new_endpoint_gets_nothing_before_its_first_pass() {
    let upstream = upstream(2, true);
    let mut cursor = Cursor::new();
    assert_eq!(pick(&upstream, &mut cursor, 0), Err(Unavailable::Unhealthy));
    upstream.record_check(1, CheckResult::Passed, &RULE, 1);
    for _ in 0..4 {
        assert_eq!(pick(&upstream, &mut cursor, 2), Ok(1));
    }
    upstream.record_check(0, failed("refused"), &RULE, 3);
    assert_eq!(pick(&upstream, &mut cursor, 4), Ok(1));
    upstream.record_check(0, CheckResult::Passed, &RULE, 5);
    let mut picked = [
        pick(&upstream, &mut cursor, 6),
        pick(&upstream, &mut cursor, 6),
    ];
    picked.sort_by_key(|index| *index.as_ref().unwrap());
    assert_eq!(picked, [Ok(0), Ok(1)]);
}

/// A wrong conclusion of requests must not take an upstream down, but checks are no conclusion.
#[test]
fn with_all_checks_failing_nothing_gets_requests() {
    let upstream = upstream(2, false);
    let mut cursor = Cursor::new();
    for now_ms in 0..3 {
        for index in 0..2 {
            assert!(pick(&upstream, &mut cursor, now_ms).is_ok());
            upstream.record_check(index, failed("status"), &RULE, now_ms);
        }
    }
    assert_eq!(pick(&upstream, &mut cursor, 9), Err(Unavailable::Unhealthy));
    upstream.forget_checks(10);
    assert!(
        pick(&upstream, &mut cursor, 10).is_ok(),
        "nobody checks any more"
    );
}

fn in_flight(upstream: &Upstream, cursor: &mut Cursor) -> InFlight {
    upstream.pick(cursor, &Tried::new(), 0).unwrap().in_flight
}

#[test]
fn a_passed_check_ends_an_ejection() {
    let upstream = upstream(2, false);
    let mut cursor = Cursor::new();
    let requests: Vec<InFlight> = (0..4).map(|_| in_flight(&upstream, &mut cursor)).collect();
    let first = upstream.members()[0].endpoint.id();
    for request in requests
        .iter()
        .filter(|request| request.endpoint().id() == first)
    {
        request.report(AttemptOutcome::Failed("reset"), 0);
    }
    let endpoint = &upstream.members()[0].endpoint;
    assert!(matches!(endpoint.health(), Health::Ejected { .. }));
    assert_eq!(pick(&upstream, &mut cursor, 1), Ok(1));
    assert_eq!(pick(&upstream, &mut cursor, 1), Ok(1));
    upstream.record_check(0, CheckResult::Passed, &RULE, 2);
    let picked = [
        pick(&upstream, &mut cursor, 3),
        pick(&upstream, &mut cursor, 3),
    ];
    assert!(picked.contains(&Ok(0)), "{picked:?}");
    // Its requests have failed a moment ago, and none has succeeded since.
    assert!(!upstream.is_up(&upstream.members()[0]));
    upstream.record_check(0, CheckResult::Passed, &RULE, 10_000);
    assert!(upstream.is_up(&upstream.members()[0]));
}

#[test]
fn one_that_checks_bring_back_gets_a_growing_share() {
    let mut spec = spec(Balance::RoundRobin, 2);
    spec.slow_start = Duration::from_secs(10);
    let upstream = made(&spec);
    let mut cursor = Cursor::from_seed(1);
    let mut second = |now_ms: u64| {
        let chosen = (0..110).map(|_| pick(&upstream, &mut cursor, now_ms));
        chosen.filter(|index| *index == Ok(1)).count()
    };
    for member in upstream.members() {
        member.endpoint.await_first_pass();
    }
    for index in 0..2 {
        upstream.record_check(index, CheckResult::Passed, &RULE, 0);
    }
    assert!(second(1).abs_diff(55) <= 2, "at the start all are cold");
    for now_ms in 2..5 {
        upstream.record_check(1, failed("refused"), &RULE, now_ms);
    }
    assert_eq!(second(5), 0);
    for now_ms in 6..8 {
        upstream.record_check(1, CheckResult::Passed, &RULE, now_ms);
    }
    for (now_ms, expected) in [(1_000, 10), (6_000, 37), (11_000, 55)] {
        let share = second(now_ms);
        assert!(share.abs_diff(expected) <= 2, "{share} at {now_ms}");
    }
}

/// The endpoints of a spec, found and made by a registry.
fn registry() -> crate::Registry {
    crate::Registry::start("/nonexistent".into()).unwrap()
}

fn checked(addresses: &[&str], is_checked: bool) -> UpstreamSpec {
    let endpoint = |text: &&str| EndpointSpec::new(Address::parse(text).unwrap());
    UpstreamSpec {
        is_checked,
        passive_health: PassiveHealth {
            max_fails: 1,
            fail_timeout: Duration::from_secs(1),
        },
        ..UpstreamSpec::new("app", addresses.iter().map(endpoint).collect())
    }
}

#[test]
fn those_that_were_in_use_stay_in_use_when_checks_begin() {
    let registry = registry();
    let before = registry.reconcile(&[checked(&["127.0.0.1:1"], false)]);
    let after = registry.reconcile(&[checked(&["127.0.0.1:1", "127.0.0.1:2"], true)]);
    let states = || -> Vec<CheckState> {
        let members = after[0].members().iter();
        members
            .map(|member| member.endpoint.checks().state)
            .collect()
    };
    assert_eq!(states(), [CheckState::Unchecked, CheckState::Waiting]);
    // What was decided by checks outlives further reloads.
    after[0].record_check(1, CheckResult::Passed, &RULE, 1);
    for now_ms in 2..5 {
        after[0].record_check(0, failed("status"), &RULE, now_ms);
    }
    drop(before);
    registry.reconcile(&[checked(&["127.0.0.1:2", "127.0.0.1:1"], true)]);
    assert_eq!(states(), [CheckState::Down, CheckState::Up]);
}

#[test]
fn another_question_needs_a_single_pass() {
    let upstream = upstream(1, false);
    for now_ms in 0..3 {
        upstream.record_check(0, failed("status"), &RULE, now_ms);
    }
    let endpoint = &upstream.members()[0].endpoint;
    assert_eq!(endpoint.checks().state, CheckState::Down);
    endpoint.restart_checks();
    assert_eq!(endpoint.checks().state, CheckState::Down);
    upstream.record_check(0, CheckResult::Passed, &RULE, 4);
    assert_eq!(endpoint.checks().state, CheckState::Up);
    assert_eq!(endpoint.check_cell().state(), CheckState::Up);
}
