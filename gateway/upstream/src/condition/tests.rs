use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::address::Address;
use crate::check::{CheckFailure, CheckResult, CheckRule};
use crate::cursor::Cursor;
use crate::health::{AttemptOutcome, Health, PassiveHealth};
use crate::outliers::{ErrorKind, Outliers};
use crate::registry::Registry;
use crate::tried::Tried;
use crate::upstream::{EndpointSpec, Picked, UpstreamSpec};

const RULE: CheckRule = CheckRule {
    rise: 1,
    fall: 2,
    silence_ms: 10_000,
};

fn failed(status: u16) -> CheckResult {
    CheckResult::Failed(CheckFailure {
        word: "status",
        status: Some(status),
        detail: "".into(),
    })
}

type Told = Arc<Mutex<Vec<String>>>;

/// A registry, and what its observer is told: `127.0.0.1:1 up down status 2`.
fn observed() -> (Registry, Told) {
    let registry = Registry::start("/nonexistent".into()).unwrap();
    let told = Told::default();
    registry.observe(Box::new({
        let told = Arc::clone(&told);
        move |transition| {
            let ill = transition.ill.as_ref();
            let why = ill.map_or_else(String::new, |ill| {
                format!(" {} {}", ill.word(), ill.count())
            });
            let (from, to) = (transition.from.word(), transition.to().word());
            let endpoint = &transition.endpoint;
            told.lock()
                .unwrap()
                .push(format!("{endpoint} {from} {to}{why}"));
        }
    }));
    (registry, told)
}

/// An upstream with so many endpoints.
fn spec(endpoints: u16) -> UpstreamSpec {
    let addresses = (1..=endpoints).map(|port| format!("127.0.0.1:{port}"));
    let endpoints = addresses.map(|text| EndpointSpec::new(Address::parse(&text).unwrap()));
    UpstreamSpec::new("app", endpoints.collect())
}

/// An upstream, and what its observer is told.
fn watched(endpoints: u16, max_fails: u32, is_checked: bool) -> (Arc<Upstream>, Told) {
    let (registry, told) = observed();
    let spec = UpstreamSpec {
        is_checked,
        passive_health: PassiveHealth {
            max_fails,
            fail_timeout: Duration::from_secs(10),
        },
        ..spec(endpoints)
    };
    (registry.reconcile(&[spec]).remove(0), told)
}

fn told(told: &Told) -> Vec<String> {
    std::mem::take(&mut *told.lock().unwrap())
}

/// A request to the endpoint with this index, which ends in this way.
fn request(upstream: &Upstream, index: usize, outcome: AttemptOutcome, now_ms: u64) {
    let picked = picked(upstream, index, now_ms);
    picked.in_flight.report(outcome, now_ms);
}

fn picked(upstream: &Upstream, index: usize, now_ms: u64) -> Picked {
    let mut tried = Tried::new();
    (0..upstream.members().len())
        .filter(|other| *other != index)
        .for_each(|other| tried.insert(other));
    let picked = upstream.pick(&mut Cursor::new(), &tried, now_ms).unwrap();
    assert_eq!(picked.index, index);
    picked
}

const REFUSED: AttemptOutcome = AttemptOutcome::Failed("refused");

#[test]
fn checks_take_an_endpoint_down_and_bring_it_back() {
    let (upstream, heard) = watched(2, 1, true);
    assert_eq!(upstream.ill(&upstream.members()[0]), Some(Ill::Unknown));
    upstream.record_check(0, CheckResult::Passed, &RULE, 1);
    upstream.record_check(1, failed(500), &RULE, 1);
    assert_eq!(
        told(&heard),
        ["127.0.0.1:1 new up", "127.0.0.1:2 new down status 1"]
    );
    upstream.record_check(0, failed(503), &RULE, 2);
    assert_eq!(told(&heard), [""; 0], "one failure decides nothing");
    upstream.record_check(0, failed(503), &RULE, 3);
    upstream.record_check(0, failed(503), &RULE, 4);
    assert_eq!(told(&heard), ["127.0.0.1:1 up down status 2"]);
    upstream.record_check(0, CheckResult::Passed, &RULE, 5);
    upstream.record_check(1, CheckResult::Passed, &RULE, 5);
    assert_eq!(told(&heard), ["127.0.0.1:1 down up", "127.0.0.1:2 down up"]);
}

/// The only endpoint gets requests although they all fail, and is not up.
#[test]
fn the_only_endpoint_is_down_from_its_first_failure() {
    let (upstream, heard) = watched(1, 3, false);
    let member = &upstream.members()[0];
    for now_ms in 0..5 {
        request(&upstream, 0, REFUSED, now_ms);
    }
    assert_eq!(told(&heard), ["127.0.0.1:1 up down refused 1"]);
    let ill = upstream.ill(member).unwrap();
    assert_eq!(
        (ill.word(), ill.count(), ill.since_ms()),
        ("refused", 5, Some(0))
    );
    assert!(ill.is_tried() && !upstream.is_up(member));
    request(&upstream, 0, AttemptOutcome::Ok, 6);
    assert_eq!(told(&heard), ["127.0.0.1:1 down up"]);
    assert!(upstream.is_up(member));
}

/// Three failures within ten seconds would eject it, but they are too far apart.
#[test]
fn an_endpoint_that_fails_all_of_its_few_requests_is_down() {
    let (upstream, heard) = watched(2, 3, false);
    let member = &upstream.members()[0];
    for turn in 0..3 {
        assert!(upstream.is_up(member), "after {turn}");
        request(&upstream, 0, REFUSED, turn * 60_000);
    }
    assert!(matches!(member.endpoint.health(), Health::Healthy { .. }));
    assert!(!upstream.is_up(member));
    assert_eq!(told(&heard), ["127.0.0.1:1 up down refused 3"]);
    request(&upstream, 0, AttemptOutcome::Ok, 180_000);
    assert!(upstream.is_up(member));
    assert_eq!(told(&heard), ["127.0.0.1:1 down up"]);
}

#[test]
fn an_ejection_is_said_once_whatever_follows() {
    let (upstream, heard) = watched(2, 2, false);
    request(&upstream, 0, REFUSED, 0);
    assert_eq!(told(&heard), [""; 0]);
    request(&upstream, 0, REFUSED, 1);
    assert_eq!(told(&heard), ["127.0.0.1:1 up down refused 2"]);
    let ill = upstream.ill(&upstream.members()[0]).unwrap();
    assert!(!ill.is_tried());
    // Its checks notice it too, which changes nothing.
    upstream.record_check(0, failed(503), &RULE, 2);
    upstream.record_check(0, failed(503), &RULE, 3);
    assert_eq!(told(&heard), [""; 0]);
    assert_eq!(
        upstream.ill(&upstream.members()[0]).unwrap().source(),
        "check"
    );
    // A probe that fails is no change either.
    upstream.forget_checks(4);
    request(&upstream, 0, REFUSED, 10_500);
    assert_eq!(told(&heard), [""; 0]);
    request(&upstream, 0, AttemptOutcome::Ok, 21_000);
    assert_eq!(told(&heard), ["127.0.0.1:1 down up"]);
}

/// A reload takes the rule away that has ejected an endpoint. Its next failure is said again.
#[test]
fn what_earlier_rules_had_concluded_is_not_what_is_said_later() {
    let (registry, heard) = observed();
    let two = |max_fails, outliers| UpstreamSpec {
        outliers,
        passive_health: PassiveHealth {
            max_fails,
            fail_timeout: Duration::from_secs(10),
        },
        ..spec(2)
    };
    let by_outliers = registry
        .reconcile(&[two(0, Some(Outliers::DEFAULT))])
        .remove(0);
    by_outliers.takes_effect(0);
    for _ in 0..5 {
        by_outliers.observe(0, Some(ErrorKind::Status), 1);
    }
    let by_requests = registry.reconcile(&[two(2, None)]).remove(0);
    by_requests.takes_effect(2);
    assert_eq!(
        told(&heard),
        ["127.0.0.1:1 up down 5xx 0", "127.0.0.1:1 down up"]
    );
    let late = picked(&by_requests, 0, 3);
    for _ in 0..2 {
        request(&by_requests, 0, REFUSED, 3);
    }
    // One that was sent before ends the row of failures, and not the ejection.
    late.in_flight.report(AttemptOutcome::Ok, 4);
    assert_eq!(told(&heard), ["127.0.0.1:1 up down refused 2"]);
    let by_nothing = registry.reconcile(&[two(0, None)]).remove(0);
    by_nothing.takes_effect(5);
    assert_eq!(told(&heard), ["127.0.0.1:1 down up"]);
    request(&by_nothing, 0, REFUSED, 6);
    assert_eq!(told(&heard), ["127.0.0.1:1 up down refused 1"]);
}

#[test]
fn if_none_is_up_each_has_its_reason() {
    let (upstream, _) = watched(3, 1, true);
    upstream.record_check(0, failed(503), &RULE, 1);
    let refused = CheckFailure {
        word: "refused",
        status: None,
        detail: "of 10.0.0.1, which is nobody's business".into(),
    };
    upstream.record_check(1, CheckResult::Failed(refused), &RULE, 1);
    assert_eq!(
        upstream.why_none_is_up(),
        "endpoint 1: check status 503; endpoint 2: check refused; endpoint 3: not checked yet"
    );
    let (upstream, _) = watched(1, 1, true);
    assert_eq!(upstream.why_none_is_up(), "not checked yet");
    let (upstream, _) = watched(1000, 1, true);
    let words = upstream.why_none_is_up();
    assert!(
        words.ends_with("endpoint 8: not checked yet; and 992 more"),
        "{words}"
    );
    assert!(words.len() < 400);
}
