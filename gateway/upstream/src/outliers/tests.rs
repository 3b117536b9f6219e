use super::*;
use crate::admission::Entry;
use crate::balance::Balance;
use crate::check::{CheckFailure, CheckResult, CheckRule};
use crate::cursor::Cursor;
use crate::health::{AttemptOutcome, PassiveHealth};
use crate::panic::Panic;
use crate::testing;
use crate::tried::Tried;
use crate::upstream::{Picked, Unavailable, UpstreamSpec};

const STATUS: Option<ErrorKind> = Some(ErrorKind::Status);
const RESET: Option<ErrorKind> = Some(ErrorKind::Reset);
const CONNECT: Option<ErrorKind> = Some(ErrorKind::Connect);

fn spec(endpoints: usize, outliers: Outliers) -> UpstreamSpec {
    UpstreamSpec {
        outliers: Some(outliers),
        passive_health: PassiveHealth {
            max_fails: 0,
            ..PassiveHealth::default()
        },
        ..testing::spec(Balance::RoundRobin, endpoints)
    }
}

fn upstream(endpoints: usize, outliers: Outliers) -> Upstream {
    testing::made(&spec(endpoints, outliers))
}

fn entries(upstream: &Upstream, now_ms: u64) -> Vec<Entry> {
    let members = upstream.members().iter();
    members
        .map(|member| upstream.admission(member, now_ms).entry)
        .collect()
}

/// The indexes of the endpoints that are ejected.
fn out(upstream: &Upstream) -> Vec<usize> {
    let members = upstream.members().iter().enumerate();
    members
        .filter(|(_, member)| member.endpoint.ejection().is_some())
        .map(|(index, _)| index)
        .collect()
}

fn repeat(upstream: &Upstream, index: usize, error: Option<ErrorKind>, times: usize) -> Vec<Shift> {
    (0..times)
        .flat_map(|_| upstream.observe(index, error, 1_000))
        .collect()
}

#[test]
fn five_errors_of_a_kind_in_a_row_eject_an_endpoint() {
    let upstream = upstream(3, Outliers::DEFAULT);
    assert_eq!(repeat(&upstream, 1, STATUS, 4), []);
    assert_eq!(upstream.observe(1, None, 1_000), [], "a success in between");
    assert_eq!(repeat(&upstream, 1, STATUS, 4), []);
    let shifts = upstream.observe(1, STATUS, 1_000);
    let ejection = shifts[0].ejection.unwrap();
    assert_eq!((shifts.len(), shifts[0].index), (1, 1));
    assert_eq!(ejection.why, EjectionReason::Status);
    assert_eq!((ejection.since_ms, ejection.until_ms), (1_000, 31_000));
    assert_eq!(
        entries(&upstream, 30_999),
        [Entry::Open, Entry::LastResort, Entry::Open]
    );
    assert_eq!(entries(&upstream, 31_000)[1], Entry::Probe);
}

#[test]
fn kinds_are_counted_apart() {
    let upstream = upstream(3, Outliers::DEFAULT);
    // A failed connection says nothing about responses, and neither the other way round.
    for _ in 0..4 {
        assert_eq!(upstream.observe(0, RESET, 1_000), []);
        assert_eq!(upstream.observe(0, CONNECT, 1_000), []);
    }
    // A response, though one with an error status, was sent over a connection.
    assert_eq!(upstream.observe(0, STATUS, 1_000), []);
    assert_eq!(repeat(&upstream, 0, RESET, 4), []);
    let shifts = upstream.observe(0, RESET, 1_000);
    assert_eq!(shifts[0].ejection.unwrap().why, EjectionReason::Reset);
}

#[test]
fn a_kind_can_be_left_out() {
    let errors = ErrorLimits {
        status: 0,
        ..Outliers::DEFAULT.errors
    };
    let upstream = upstream(
        3,
        Outliers {
            errors,
            ..Outliers::DEFAULT
        },
    );
    assert_eq!(repeat(&upstream, 0, STATUS, 70_000), []);
    assert_eq!(repeat(&upstream, 0, CONNECT, 5).len(), 1);
}

/// Somebody who can provoke errors at all endpoints takes the share `most` out at most.
#[test]
fn at_most_the_share_is_ejected_and_at_least_one_endpoint() {
    for (endpoints, most, expected) in [
        (2, 10, 1),
        (3, 10, 1),
        (10, 30, 3),
        (10, 39, 3),
        (4, 100, 4),
    ] {
        let upstream = upstream(
            endpoints,
            Outliers {
                most,
                ..Outliers::DEFAULT
            },
        );
        for _ in 0..50 {
            for index in 0..endpoints {
                upstream.observe(index, STATUS, 1_000);
            }
        }
        assert_eq!(
            out(&upstream).len(),
            expected,
            "{endpoints} endpoints, {most} %"
        );
    }
}

#[test]
fn the_only_endpoint_is_never_ejected() {
    let upstream = upstream(1, Outliers::DEFAULT);
    assert_eq!(repeat(&upstream, 0, RESET, 100), []);
    assert_eq!(entries(&upstream, 1_000), [Entry::Open]);
}

#[test]
fn a_request_probes_and_its_result_decides() {
    let upstream = upstream(2, Outliers::DEFAULT);
    repeat(&upstream, 0, RESET, 5);
    let mut cursor = Cursor::from_seed(1);
    let mut pick = |now_ms| {
        upstream
            .pick(&mut cursor, &Tried::new(), now_ms)
            .unwrap()
            .index
    };
    assert!((0..20).all(|_| pick(2_000) == 1));
    let picked: Vec<usize> = (0..20).map(|_| pick(31_000)).collect();
    let probes = picked.iter().filter(|index| **index == 0).count();
    assert_eq!(probes, 1, "{picked:?}");
    assert_eq!(upstream.observe(0, RESET, 31_100), [], "it stays ejected");
    let until_ms = upstream.members()[0].endpoint.ejection().unwrap().until_ms;
    assert_eq!(until_ms, 31_100 + 60_000);
    assert!((0..20).all(|_| pick(91_099) == 1));
    assert!((0..20).any(|_| pick(91_100) == 0));
    let shifts = upstream.observe(0, None, 91_200);
    assert_eq!(
        shifts,
        [Shift {
            index: 0,
            ejection: None
        }]
    );
    let picked: Vec<usize> = (0..20).map(|_| pick(91_200)).collect();
    let shared = picked.iter().filter(|index| **index == 0).count();
    assert_eq!(shared, 10, "{picked:?}");
}

#[test]
fn success_rates_are_compared_after_each_interval() {
    let upstream = upstream(6, Outliers::DEFAULT);
    upstream.observe(0, None, 1_000);
    for request in 0..200_u32 {
        for index in 0..6 {
            let fails = index == 4 && request % 3 == 0;
            let error = if fails { STATUS } else { None };
            assert_eq!(upstream.observe(index, error, 2_000), []);
        }
    }
    let shifts = upstream.observe(0, None, 11_000);
    assert_eq!(shifts.len(), 1);
    assert_eq!(shifts[0].index, 4);
    let ejection = shifts[0].ejection.unwrap();
    assert_eq!(ejection.why, EjectionReason::SuccessRate);
    assert_eq!(
        upstream.observe(0, None, 11_001),
        [],
        "once for each interval"
    );
    assert_eq!(
        upstream.observe(0, None, 21_001),
        [],
        "nothing is left of it"
    );
}

#[test]
fn an_endpoint_that_asks_for_it_is_left_alone_while_others_are_not() {
    let rule = Outliers {
        most: 100,
        ..Outliers::DEFAULT
    };
    let upstream = upstream(3, rule);
    let pause = |index, seconds| upstream.pause(index, Duration::from_secs(seconds), 1_000);
    assert!(pause(0, 0).is_none());
    assert!(pause(0, 20).is_some());
    assert!(pause(1, 86_400).is_some());
    assert_eq!(pause(2, 20), None, "no other is left");
    let until = |index: usize| {
        let ejection = upstream.members()[index].endpoint.ejection();
        ejection.map(|ejection| ejection.until_ms)
    };
    assert_eq!(until(0), Some(21_000));
    assert_eq!(until(1), Some(301_000), "five minutes at most");
    assert_eq!(until(2), None);
    // Another response of the same endpoint changes nothing that is reported.
    assert_eq!(pause(0, 30), None);
    assert_eq!(until(0), Some(31_000));
}

#[test]
fn retry_after_keeps_to_the_share_and_can_be_ignored() {
    let within = upstream(10, Outliers::DEFAULT);
    let pause = |index| within.pause(index, Duration::from_secs(20), 1_000);
    assert!(pause(3).is_some());
    assert_eq!(pause(4), None);
    let ignored = Outliers {
        retry_after: None,
        ..Outliers::DEFAULT
    };
    let ignoring = upstream(10, ignored);
    assert_eq!(ignoring.pause(3, Duration::from_secs(20), 1_000), None);
}

#[test]
fn what_statuses_are_heeded() {
    let both = RetryAfter {
        on_429: true,
        ..RetryAfter::DEFAULT
    };
    for (status, by_default, with_429) in [
        (503, true, true),
        (429, false, true),
        (200, false, false),
        (301, false, false),
    ] {
        assert_eq!(RetryAfter::DEFAULT.heeds(status), by_default, "{status}");
        assert_eq!(both.heeds(status), with_429, "{status}");
    }
}

/// Each of two rules may eject an endpoint, which is back when both let it.
#[test]
fn passive_health_and_outliers_decide_independently() {
    let upstream = testing::made(&UpstreamSpec {
        passive_health: PassiveHealth {
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
        },
        ..spec(2, Outliers::DEFAULT)
    });
    let mut cursor = Cursor::from_seed(1);
    // The other one is left out, so that the first is chosen.
    let mut tried = Tried::new();
    tried.insert(1);
    let mut pick = |now_ms| upstream.pick(&mut cursor, &tried, now_ms);
    let picked = pick(1_000).unwrap();
    picked
        .in_flight
        .report(AttemptOutcome::Failed("reset"), 1_000);
    assert_eq!(repeat(&upstream, 0, RESET, 5).len(), 1);
    assert_eq!(entries(&upstream, 1_000)[0], Entry::LastResort);
    assert_eq!(
        entries(&upstream, 11_000)[0],
        Entry::LastResort,
        "30 s are not over"
    );
    assert_eq!(pick(11_000).unwrap_err(), Unavailable::Unhealthy);
    assert_eq!(entries(&upstream, 31_000)[0], Entry::Probe);
    let Picked { in_flight, .. } = pick(31_000).unwrap();
    assert_eq!(
        pick(31_000).unwrap_err(),
        Unavailable::Unhealthy,
        "one probe"
    );
    assert_eq!(upstream.observe(0, None, 31_001).len(), 1);
    assert_eq!(
        entries(&upstream, 31_001)[0],
        Entry::LastResort,
        "of the other rule"
    );
    in_flight.report(AttemptOutcome::Ok, 31_001);
    assert_eq!(entries(&upstream, 31_001)[0], Entry::Open);
}

#[test]
fn all_are_tried_if_too_few_are_left_unless_that_is_off() {
    let rule = Outliers {
        most: 100,
        ..Outliers::DEFAULT
    };
    for (panic, ejected, expected) in [
        (Panic::NoneLeft, 3, Ok(1)),
        (Panic::NoneLeft, 4, Ok(4)),
        (Panic::Below(50), 2, Ok(2)),
        (Panic::Below(50), 3, Ok(4)),
        (Panic::Never, 3, Ok(1)),
        (Panic::Never, 4, Err(Unavailable::Unhealthy)),
    ] {
        let upstream = testing::made(&UpstreamSpec {
            panic,
            ..spec(4, rule)
        });
        for index in 0..ejected {
            assert_eq!(repeat(&upstream, index, RESET, 5).len(), 1);
        }
        let mut cursor = Cursor::from_seed(1);
        let picked: Result<std::collections::BTreeSet<usize>, Unavailable> = (0..40)
            .map(|_| Ok(upstream.pick(&mut cursor, &Tried::new(), 2_000)?.index))
            .collect();
        let about = format!("{panic:?}, {ejected} of 4 ejected");
        assert_eq!(picked.map(|indexes| indexes.len()), expected, "{about}");
    }
}

/// A check that passes ends an ejection, and changes nothing for an endpoint that is in.
#[test]
fn passed_checks_neither_end_a_row_of_errors_nor_delay_what_good_behaviour_makes_up_for() {
    let upstream = upstream(3, Outliers::DEFAULT);
    let pass = |now_ms| {
        let rule = CheckRule {
            rise: 1,
            fall: 3,
            silence_ms: 1_000,
        };
        upstream.record_check(0, CheckResult::Passed, &rule, now_ms);
    };
    assert_eq!(repeat(&upstream, 0, RESET, 4), []);
    pass(1_000);
    let shifts = upstream.observe(0, RESET, 1_000);
    assert_eq!(shifts.len(), 1, "four before the check and one after it");
    pass(2_000);
    assert_eq!(out(&upstream), [0_usize; 0], "the ejection has ended");
    // One interval of good behaviour makes up for one ejection, whatever checks say meanwhile.
    for now_ms in (3_000..=12_000).step_by(1_000) {
        pass(now_ms);
    }
    let shifts: Vec<Shift> = (0..5)
        .flat_map(|_| upstream.observe(0, RESET, 12_000))
        .collect();
    let ejection = shifts[0].ejection.unwrap();
    assert_eq!((ejection.times, ejection.until_ms), (1, 42_000));
}

/// In a panic a success counts, so that the ejections end early.
#[test]
fn a_success_in_a_panic_ends_an_ejection() {
    let rule = Outliers {
        most: 100,
        ..Outliers::DEFAULT
    };
    let upstream = upstream(2, rule);
    repeat(&upstream, 0, RESET, 5);
    repeat(&upstream, 1, RESET, 5);
    let mut cursor = Cursor::from_seed(1);
    let picked = upstream.pick(&mut cursor, &Tried::new(), 2_000).unwrap();
    assert_eq!(upstream.observe(picked.index, None, 2_001).len(), 1);
    assert_eq!(out(&upstream), [1 - picked.index]);
}

#[test]
fn an_ejection_is_shown_to_operators() {
    let upstream = upstream(3, Outliers::DEFAULT);
    repeat(&upstream, 0, STATUS, 5);
    let ill = upstream.ill(&upstream.members()[0]).unwrap();
    assert_eq!((ill.word(), ill.since_ms()), ("5xx", Some(1_000)));
    assert!(!upstream.is_up(&upstream.members()[0]));
    assert!(upstream.is_up(&upstream.members()[1]));
}

/// Several workers may find the same errors too many before one of them has ejected the endpoint.
#[test]
fn the_same_errors_eject_an_endpoint_once() {
    let upstream = upstream(3, Outliers::DEFAULT);
    assert_eq!(repeat(&upstream, 0, RESET, 5).len(), 1);
    let cause = Cause::Errors(EjectionReason::Reset);
    assert_eq!(upstream.put_out(0, cause, 1_001), None);
    let ejection = upstream.members()[0].endpoint.ejection().unwrap();
    assert_eq!((ejection.times, ejection.until_ms), (1, 31_000));
}

/// Nobody probes an endpoint that is drained or down for its checks, which may last for days.
#[test]
fn one_that_gets_no_requests_anyway_takes_no_part_of_the_share() {
    let upstream = upstream(10, Outliers::DEFAULT);
    repeat(&upstream, 0, RESET, 5);
    assert_eq!(repeat(&upstream, 1, RESET, 5), [], "the share is used");
    upstream.members()[0].endpoint.drain(true);
    assert_eq!(repeat(&upstream, 1, RESET, 5).len(), 1);
    assert_eq!(repeat(&upstream, 2, RESET, 5), [], "it is used again");
    let rule = CheckRule {
        rise: 1,
        fall: 1,
        silence_ms: 1_000,
    };
    let refused = CheckResult::Failed(CheckFailure {
        word: "refused",
        status: None,
        detail: "".into(),
    });
    upstream.record_check(1, refused, &rule, 1_000);
    assert_eq!(repeat(&upstream, 2, RESET, 5).len(), 1);
    assert_eq!(out(&upstream), [0, 1, 2]);
}

/// Whatever the workers do at the same time, the share is kept.
#[test]
fn several_workers_eject_no_more_than_one() {
    let upstream = upstream(8, Outliers::DEFAULT);
    let ejected = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut ejected = 0;
                    for turn in 0..4_000 {
                        let shifts = upstream.observe(turn % 8, RESET, 1_000);
                        ejected += shifts.iter().filter(|it| it.ejection.is_some()).count();
                    }
                    ejected
                })
            })
            .collect();
        let ejected = workers.into_iter().map(|worker| worker.join().unwrap());
        ejected.sum::<usize>()
    });
    assert_eq!((ejected, out(&upstream).len()), (1, 1));
}
