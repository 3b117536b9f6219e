use std::time::Duration;

use super::{EndpointSpec, Picked, Unavailable, Upstream, UpstreamSpec};
use crate::address::Address;
use crate::balance::{Affinity, Balance};
use crate::cursor::Cursor;
use crate::failure_streak::Failing;
use crate::health::{AttemptOutcome, Change, PassiveHealth};
use crate::outliers::{ErrorKind, Outliers};
use crate::panic::Panic;
use crate::testing::made;
use crate::tried::Tried;

fn spec(balance: Balance, endpoints: &[(&str, u32, Option<u32>)]) -> UpstreamSpec {
    let endpoints = endpoints
        .iter()
        .map(|(address, weight, max_connections)| EndpointSpec {
            weight: *weight,
            max_connections: *max_connections,
            ..EndpointSpec::new(Address::parse(address).unwrap())
        });
    UpstreamSpec {
        balance,
        passive_health: PassiveHealth {
            max_fails: 2,
            fail_timeout: Duration::from_secs(30),
        },
        ..UpstreamSpec::new("sales", endpoints.collect())
    }
}

fn upstream(balance: Balance, endpoints: &[(&str, u32, Option<u32>)]) -> Upstream {
    made(&spec(balance, endpoints))
}

const THREE: [(&str, u32, Option<u32>); 3] = [
    ("127.0.0.1:1", 1, None),
    ("127.0.0.1:2", 1, None),
    ("127.0.0.1:3", 1, None),
];

/// Reports failures of the endpoint until it is ejected.
fn eject(upstream: &Upstream, index: usize, now_ms: u64) {
    let only = tried_all_but(upstream, index);
    let picked = upstream
        .pick(&mut Cursor::from_seed(0), &only, now_ms)
        .unwrap();
    assert_eq!(picked.index, index);
    assert_eq!(
        picked
            .in_flight
            .report(AttemptOutcome::Failed("refused"), now_ms),
        None
    );
    let change = picked
        .in_flight
        .report(AttemptOutcome::Failed("refused"), now_ms);
    assert_eq!(change, Some(Change::Ejected));
}

fn tried_all_but(upstream: &Upstream, index: usize) -> Tried {
    let mut tried = Tried::new();
    for other in (0..upstream.members().len()).filter(|&i| i != index) {
        tried.insert(other);
    }
    tried
}

/// The endpoints that this many requests go to, sorted and without repetition.
fn reached(upstream: &Upstream, now_ms: u64, requests: usize) -> Vec<usize> {
    let mut cursor = Cursor::from_seed(9);
    let mut all: Vec<usize> = (0..requests)
        .map(|_| {
            upstream
                .pick(&mut cursor, &Tried::new(), now_ms)
                .unwrap()
                .index
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn ejected_endpoints_are_skipped_then_probed_once() {
    let upstream = upstream(Balance::RoundRobin, &THREE);
    eject(&upstream, 1, 1_000);
    assert_eq!(reached(&upstream, 1_000, 30), [0, 2]);
    assert_eq!(reached(&upstream, 30_999, 30), [0, 2]);

    let mut cursor = Cursor::from_seed(2);
    let mut picked: Vec<Picked> = (0..30)
        .map(|_| upstream.pick(&mut cursor, &Tried::new(), 31_000).unwrap())
        .collect();
    let at = picked.iter().position(|p| p.index == 1).unwrap();
    let probe = picked.swap_remove(at);
    assert!(picked.iter().all(|p| p.index != 1), "one probe only");
    let change = probe.in_flight.report(AttemptOutcome::Ok, 31_100);
    assert_eq!(change, Some(Change::Recovered));
    assert_eq!(reached(&upstream, 31_100, 30), [0, 1, 2]);
}

/// A probe may fail after its time, when another one could follow. If all endpoints are ejected then,
/// all are tried, also by workers that have just found one that is to be probed.
#[test]
fn a_probe_that_fails_late_leaves_no_worker_without_endpoints() {
    let upstream = upstream(Balance::RoundRobin, &THREE[..2]);
    eject(&upstream, 1, 0);
    let mut cursor = Cursor::from_seed(2);
    let only = tried_all_but(&upstream, 1);
    let probe = upstream.pick(&mut cursor, &only, 30_000).unwrap();
    eject(&upstream, 0, 50_000);
    // Now another one may follow, and this worker knows it.
    let mut other = Cursor::from_seed(3);
    other.refresh(&upstream, 60_000);
    probe
        .in_flight
        .report(AttemptOutcome::Failed("timeout"), 60_000);
    assert!(upstream.pick(&mut other, &Tried::new(), 60_000).is_ok());
}

/// A request that gets no connection, because too many wait for one, shows nothing.
#[test]
fn a_probe_that_withdraw_is_left_to_another_request() {
    let upstream = made(&UpstreamSpec {
        outliers: Some(Outliers::DEFAULT),
        ..spec(Balance::RoundRobin, &THREE)
    });
    eject(&upstream, 1, 1_000);
    for _ in 0..5 {
        upstream.observe(1, Some(ErrorKind::Connect), 1_000);
    }
    let only = tried_all_but(&upstream, 1);
    let mut cursor = Cursor::from_seed(2);
    let mut pick = || upstream.pick(&mut cursor, &only, 31_000);
    let probe = pick().unwrap();
    assert_eq!(pick().unwrap_err(), Unavailable::Unhealthy);
    probe.in_flight.withdraw(31_000);
    let second = pick().unwrap();
    // What one request did not get it cannot give back.
    let other = upstream.pick(&mut Cursor::new(), &Tried::new(), 31_000);
    other.unwrap().in_flight.withdraw(31_000);
    assert_eq!(pick().unwrap_err(), Unavailable::Unhealthy);
    let change = second.in_flight.report(AttemptOutcome::Ok, 31_100);
    assert_eq!(change, Some(Change::Recovered));
}

#[test]
fn when_all_are_ejected_all_are_tried_and_a_success_restores_one() {
    let upstream = upstream(Balance::RoundRobin, &THREE);
    for index in 0..3 {
        eject(&upstream, index, 0);
    }
    assert_eq!(reached(&upstream, 10, 30), [0, 1, 2]);
    let only = tried_all_but(&upstream, 2);
    let picked = upstream.pick(&mut Cursor::new(), &only, 20).unwrap();
    let change = picked.in_flight.report(AttemptOutcome::Ok, 30);
    assert_eq!(change, Some(Change::Recovered));
    assert_eq!(reached(&upstream, 40, 30), [2]);
}

#[test]
fn a_single_endpoint_is_never_ejected() {
    let upstream = upstream(Balance::RoundRobin, &THREE[..1]);
    for now in 0..10 {
        let picked = upstream
            .pick(&mut Cursor::new(), &Tried::new(), now)
            .unwrap();
        let change = picked
            .in_flight
            .report(AttemptOutcome::Failed("refused"), now);
        assert_eq!(change, (now == 0).then_some(Change::Failing), "at {now}");
    }
    let member = &upstream.members()[0];
    assert_eq!(member.endpoint.counters().failures, 10);
    assert!(!upstream.is_up(member), "but it is said to be down");
    let failing = Failing {
        since_ms: 0,
        last_ms: 9,
        count: 10,
        why: "refused",
    };
    assert_eq!(member.endpoint.failing(), Some(failing));
    let picked = upstream
        .pick(&mut Cursor::new(), &Tried::new(), 10)
        .unwrap();
    let change = picked.in_flight.report(AttemptOutcome::Ok, 10);
    assert_eq!(change, Some(Change::Recovered));
    assert!(upstream.is_up(member));
}

#[test]
fn the_error_says_why_there_is_none() {
    let names = [("a:80", 1, None), ("b:80", 1, None)];
    let pick = |upstream: &Upstream, tried: &Tried| {
        let picked = upstream.pick(&mut Cursor::new(), tried, 0);
        picked.map(|p| p.index)
    };
    let none = Tried::new();
    let empty = upstream(Balance::RoundRobin, &[]);
    assert_eq!(pick(&empty, &none), Err(Unavailable::Empty));
    let unresolved = upstream(Balance::LeastConn, &names);
    assert_eq!(pick(&unresolved, &none), Err(Unavailable::Dns));

    let some = unresolved.members()[1].endpoint.clone();
    some.set_resolution(Ok(Box::new(["127.0.0.1:80".parse().unwrap()])));
    assert_eq!(pick(&unresolved, &none), Ok(1));
    let mut tried = Tried::new();
    tried.insert(1);
    assert_eq!(pick(&unresolved, &tried), Err(Unavailable::Dns));
    tried.insert(0);
    assert_eq!(pick(&unresolved, &tried), Err(Unavailable::Tried));

    let three = upstream(Balance::RoundRobin, &THREE);
    eject(&three, 0, 0);
    let tried = tried_all_but(&three, 0);
    assert_eq!(pick(&three, &tried), Err(Unavailable::Unhealthy));
}

#[test]
fn limits_hold_and_are_released() {
    let limited = [("127.0.0.1:1", 1, Some(2)), ("127.0.0.1:2", 1, Some(1))];
    let upstream = upstream(Balance::RoundRobin, &limited);
    let mut cursor = Cursor::from_seed(5);
    let mut pick = || upstream.pick(&mut cursor, &Tried::new(), 0);
    let mut held: Vec<Picked> = (0..3).map(|_| pick().unwrap()).collect();
    let mut places: Vec<usize> = held.iter().map(|p| p.index).collect();
    places.sort_unstable();
    assert_eq!(places, [0, 0, 1]);
    assert_eq!(pick().unwrap_err(), Unavailable::Limit);
    let freed = held.pop().unwrap().index;
    assert_eq!(pick().unwrap().index, freed);
    let total: u64 = upstream
        .members()
        .iter()
        .map(|m| m.endpoint.counters().requests)
        .sum();
    assert_eq!(total, 4);
}

#[test]
fn least_conn_counts_the_requests_of_all_workers() {
    let weighted = [("127.0.0.1:1", 1, None), ("127.0.0.1:2", 2, None)];
    let upstream = upstream(Balance::LeastConn, &weighted);
    let mut workers: Vec<Cursor> = (0..4).map(Cursor::from_seed).collect();
    let mut held = Vec::new();
    for turn in 0..30 {
        let worker = &mut workers[turn % 4];
        held.push(upstream.pick(worker, &Tried::new(), 0).unwrap());
    }
    let in_flight: Vec<u32> = upstream
        .members()
        .iter()
        .map(|m| m.endpoint.in_flight())
        .collect();
    assert_eq!(in_flight, [10, 20]);
    held.retain(|picked| picked.index == 0);
    let next = upstream.pick(&mut workers[0], &Tried::new(), 0).unwrap();
    assert_eq!(next.index, 1, "the one whose requests ended");
}

#[test]
fn four_threads_keep_the_limit_and_lose_no_count() {
    let limited = [("127.0.0.1:1", 1, Some(3)), ("127.0.0.1:2", 1, Some(3))];
    let upstream = upstream(Balance::LeastConn, &limited);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let upstream = &upstream;
            scope.spawn(move || {
                let mut cursor = Cursor::from_seed(seed);
                let mut held = Vec::new();
                for _ in 0..20_000 {
                    match upstream.pick(&mut cursor, &Tried::new(), 0) {
                        Ok(picked) => held.push(picked),
                        Err(_) => held.clear(),
                    }
                    let members = upstream.members();
                    assert!(members.iter().all(|m| m.endpoint.in_flight() <= 3));
                }
            });
        }
    });
    assert!(
        upstream
            .members()
            .iter()
            .all(|m| m.endpoint.in_flight() == 0)
    );
}

#[test]
fn a_draining_endpoint_gets_only_requests_of_its_sessions() {
    let upstream = upstream(Balance::RoundRobin, &THREE);
    let drained = &upstream.members()[1].endpoint;
    let mut cursor = Cursor::from_seed(1);
    let mut pick = |session, tried: &Tried| {
        let affinity = Affinity {
            session,
            ..Affinity::default()
        };
        let picked = upstream.pick_for(&mut cursor, &affinity, tried, 0);
        picked.map(|picked| picked.index)
    };
    let none = Tried::new();
    drained.drain(true);
    let mut others: Vec<usize> = (0..30).map(|_| pick(None, &none).unwrap()).collect();
    others.sort_unstable();
    assert_eq!(others, [[0; 15], [2; 15]].concat());
    assert_eq!(pick(Some(1), &none), Ok(1), "a session stays");
    assert_eq!(pick(Some(2), &none), Ok(2));
    let mut tried = Tried::new();
    tried.insert(1);
    assert_ne!(pick(Some(1), &tried), Ok(1), "unless it has failed");
    assert!(pick(Some(7), &none).is_ok(), "or is gone");
    tried.insert(0);
    tried.insert(2);
    assert_eq!(pick(Some(1), &tried), Err(Unavailable::Tried));
    let all_but = tried_all_but(&upstream, 1);
    assert_eq!(pick(None, &all_but), Err(Unavailable::Draining));
    drained.drain(false);
    assert!((0..3).any(|_| pick(None, &none) == Ok(1)));
}

#[test]
fn a_weight_by_command_counts_at_once_and_0_drains() {
    let upstream = upstream(Balance::RoundRobin, &THREE[..2]);
    let mut cursor = Cursor::from_seed(1);
    let mut shares = || {
        let mut shares = [0_u32; 2];
        for _ in 0..40 {
            let picked = upstream.pick(&mut cursor, &Tried::new(), 0).unwrap();
            shares[picked.index] += 1;
        }
        shares
    };
    assert_eq!(shares(), [20, 20]);
    upstream.members()[0].endpoint.set_weight(Some(3));
    assert_eq!(shares(), [30, 10]);
    upstream.members()[0].endpoint.set_weight(Some(0));
    assert_eq!(shares(), [0, 40]);
    upstream.members()[0].endpoint.set_weight(None);
    let shares = shares();
    assert!(shares[0].abs_diff(shares[1]) <= 2, "{shares:?}");
}

#[test]
fn the_session_of_an_ejected_endpoint_moves_unless_all_are_ejected() {
    let upstream = upstream(Balance::RoundRobin, &THREE);
    let pick = |session, now_ms| {
        let affinity = Affinity {
            session: Some(session),
            ..Affinity::default()
        };
        let mut cursor = Cursor::new();
        let picked = upstream.pick_for(&mut cursor, &affinity, &Tried::new(), now_ms);
        picked.unwrap().index
    };
    eject(&upstream, 1, 0);
    assert!((0..10).all(|_| pick(1, 1) != 1));
    eject(&upstream, 0, 0);
    eject(&upstream, 2, 0);
    assert!((0..10).all(|_| pick(1, 1) == 1));
}

#[test]
fn requests_in_flight_are_counted_for_the_whole_upstream() {
    let upstream = upstream(Balance::RoundRobin, &THREE);
    let mut cursor = Cursor::new();
    let mut held: Vec<Picked> = (0..5)
        .map(|_| upstream.pick(&mut cursor, &Tried::new(), 0).unwrap())
        .collect();
    assert_eq!(upstream.group().in_flight(), 5);
    held.truncate(2);
    assert_eq!(upstream.group().in_flight(), 2);
    held.clear();
    assert_eq!(upstream.group().in_flight(), 0);
}

/// How many of 60 requests, each of which ends before the next, each endpoint gets.
fn shares(upstream: &Upstream, now_ms: u64) -> Vec<u32> {
    let mut shares = vec![0; upstream.members().len()];
    let mut cursor = Cursor::from_seed(1);
    for _ in 0..60 {
        let picked = upstream.pick(&mut cursor, &Tried::new(), now_ms);
        shares[picked.unwrap().index] += 1;
    }
    shares
}

const ALL: [Balance; 6] = [
    Balance::RoundRobin,
    Balance::LeastConn,
    Balance::RandomTwo,
    Balance::Latency,
    Balance::IpHash,
    Balance::Hash { bounded: Some(1.5) },
];

#[test]
fn backups_stand_in_only_if_no_other_can() {
    for balance in ALL {
        let mut spec = spec(balance, &THREE);
        spec.endpoints[2].backup = true;
        spec.endpoints[0].max_connections = Some(1);
        let upstream = made(&spec);
        assert_eq!(shares(&upstream, 0)[2], 0, "{balance:?}");
        eject(&upstream, 1, 0);
        assert_eq!(shares(&upstream, 0), [60, 0, 0], "{balance:?}");
        // The last one is full, or has failed for this request.
        let mut cursor = Cursor::new();
        let full = upstream.pick(&mut cursor, &Tried::new(), 0).unwrap();
        assert_eq!(full.index, 0);
        assert_eq!(shares(&upstream, 0), [0, 0, 60], "{balance:?}");
        drop(full);
        eject(&upstream, 0, 0);
        assert_eq!(shares(&upstream, 0), [0, 0, 60], "{balance:?}");
        eject(&upstream, 2, 0);
        // Now nobody is left, and those that are no backups are tried all the same.
        assert_eq!(shares(&upstream, 1)[2], 0, "{balance:?}");
    }
}

/// With a panic threshold a backup that works is among those that are tried when too few are left.
#[test]
fn a_panic_does_not_leave_backups_out() {
    for (ejected, expected) in [
        (&[][..], &[0, 1, 2][..]),
        // Two of three, and the backup, are enough of three.
        (&[0], &[1, 2]),
        (&[0, 1], &[2]),
        (&[0, 1, 2], &[0, 1, 2, 3]),
        (&[0, 1, 2, 3], &[0, 1, 2]),
    ] {
        let four = [1, 2, 3, 4].map(|port| format!("127.0.0.1:{port}"));
        let four = four.each_ref().map(|address| (address.as_str(), 1, None));
        let mut spec = spec(Balance::RoundRobin, &four);
        spec.endpoints[3].backup = true;
        spec.panic = Panic::Below(50);
        let upstream = made(&spec);
        for index in ejected {
            eject(&upstream, *index, 0);
        }
        assert_eq!(reached(&upstream, 1, 40), expected, "{ejected:?} ejected");
    }
}

/// One that has failed with all that are tried first gets the last backup.
#[test]
fn an_ejected_backup_is_tried_after_all_others() {
    let mut spec = spec(Balance::RoundRobin, &THREE);
    spec.endpoints[2].backup = true;
    let upstream = made(&spec);
    for index in 0..3 {
        eject(&upstream, index, 0);
    }
    assert_eq!(reached(&upstream, 1, 20), [0, 1]);
    let tried = tried_all_but(&upstream, 2);
    let picked = upstream.pick(&mut Cursor::new(), &tried, 1);
    assert_eq!(picked.unwrap().index, 2);
}

#[test]
fn the_own_zone_is_preferred_while_half_of_it_is_up() {
    for balance in ALL {
        let endpoints = [1, 2, 3, 4].map(|port| (format!("127.0.0.1:{port}"), 1, None));
        let endpoints = endpoints.each_ref().map(|(a, w, m)| (a.as_str(), *w, *m));
        let mut spec = spec(balance, &endpoints);
        spec.zone = Some("east".to_owned());
        for (endpoint, zone) in spec
            .endpoints
            .iter_mut()
            .zip(["west", "east", "west", "east"])
        {
            endpoint.zone = Some(zone.to_owned());
        }
        let upstream = made(&spec);
        let among = |now_ms| {
            let shares = shares(&upstream, now_ms);
            let got = shares.iter().map(|share| *share > 0);
            got.collect::<Vec<bool>>()
        };
        assert_eq!(among(0), [false, true, false, true], "{balance:?}");
        eject(&upstream, 1, 0);
        assert_eq!(among(0), [false, false, false, true], "{balance:?}");
        eject(&upstream, 3, 0);
        assert_eq!(among(0), [true, false, true, false], "{balance:?}");
    }
}

#[test]
fn with_less_than_half_of_the_zone_all_get_requests() {
    let endpoints = [1, 2, 3, 4].map(|port| (format!("127.0.0.1:{port}"), 1, None));
    let endpoints = endpoints.each_ref().map(|(a, w, m)| (a.as_str(), *w, *m));
    let mut spec = spec(Balance::RoundRobin, &endpoints);
    spec.zone = Some("east".to_owned());
    for endpoint in &mut spec.endpoints[..3] {
        endpoint.zone = Some("east".to_owned());
    }
    let upstream = made(&spec);
    assert_eq!(shares(&upstream, 0), [20, 20, 20, 0]);
    eject(&upstream, 0, 0);
    assert_eq!(shares(&upstream, 0), [0, 30, 30, 0]);
    eject(&upstream, 1, 0);
    assert_eq!(shares(&upstream, 0), [0, 0, 30, 30]);
    // One that is drained is not missing.
    upstream.members()[1].endpoint.drain(true);
    upstream.members()[0].endpoint.drain(true);
    assert_eq!(shares(&upstream, 0), [0, 0, 60, 0]);
}

#[test]
fn one_that_has_come_up_gets_a_growing_share() {
    let mut spec = spec(Balance::RoundRobin, &THREE[..2]);
    spec.slow_start = Duration::from_secs(10);
    let upstream = made(&spec);
    assert_eq!(shares(&upstream, 0), [30, 30], "not at the start");
    eject(&upstream, 1, 0);
    assert_eq!(shares(&upstream, 0), [60, 0]);
    let only = tried_all_but(&upstream, 1);
    let probe = upstream.pick(&mut Cursor::new(), &only, 40_000).unwrap();
    let change = probe.in_flight.report(AttemptOutcome::Ok, 40_000);
    assert_eq!(change, Some(Change::Recovered));
    let mut cursor = Cursor::from_seed(1);
    let mut second = |now_ms: u64| {
        let mut turns = (0..110).map(|_| upstream.pick(&mut cursor, &Tried::new(), now_ms));
        turns
            .by_ref()
            .filter(|it| it.as_ref().unwrap().index == 1)
            .count()
    };
    for (now_ms, expected) in [(40_000, 10), (45_000, 37), (50_000, 55), (90_000, 55)] {
        let share = second(now_ms);
        assert!(share.abs_diff(expected) <= 2, "{share} at {now_ms}");
    }
    upstream.members()[1].endpoint.drain(true);
    assert_eq!(second(90_000), 0);
    upstream.members()[1].endpoint.drain(false);
    let share = second(90_000);
    assert!(share.abs_diff(10) <= 2, "{share} after the drain");
}

/// A choice does not work out anew who may be chosen, unless that has changed.
#[test]
fn an_admission_that_ends_by_time_is_noticed_by_all_workers() {
    let upstream = upstream(Balance::RoundRobin, &THREE);
    let mut workers: Vec<Cursor> = (0..4).map(Cursor::from_seed).collect();
    eject(&upstream, 1, 0);
    let mut ask = |worker: usize, now_ms: u64| {
        let picked: Vec<Picked> = (0..6)
            .map(|_| {
                upstream
                    .pick(&mut workers[worker], &Tried::new(), now_ms)
                    .unwrap()
            })
            .collect();
        picked.iter().filter(|picked| picked.index == 1).count()
    };
    for worker in 0..4 {
        assert_eq!(ask(worker, 29_999), 0);
    }
    // One probe of all workers together.
    let probes: usize = (0..4).map(|worker| ask(worker, 30_000)).sum();
    assert_eq!(probes, 1);
    // It has had no result, so that there is another one later.
    let probes: usize = (0..4).map(|worker| ask(worker, 60_000)).sum();
    assert_eq!(probes, 1);
}
