use std::sync::{Arc, Barrier};

use super::*;
use crate::balance::Balance;
use crate::cursor::Cursor;
use crate::testing;
use crate::tried::Tried;
use crate::upstream::{Picked, Unavailable, UpstreamSpec};

fn upstream(limits: Limits) -> Upstream {
    testing::made(&UpstreamSpec {
        limits,
        ..testing::spec(Balance::RoundRobin, 2)
    })
}

fn pick(upstream: &Upstream) -> Result<Picked, Unavailable> {
    upstream.pick(&mut Cursor::from_seed(1), &Tried::new(), 0)
}

#[test]
fn requests_beyond_the_limit_are_refused_until_others_have_ended() {
    let upstream = upstream(Limits {
        requests: Some(3),
        ..Limits::default()
    });
    let mut taken: Vec<Picked> = (0..3).map(|_| pick(&upstream).unwrap()).collect();
    let refused = pick(&upstream).unwrap_err();
    assert_eq!(refused, Unavailable::Overloaded(Limit::Requests));
    assert_eq!(upstream.group().in_use(Limit::Requests), 3);
    taken.pop();
    taken.push(pick(&upstream).unwrap());
    drop(taken);
    assert_eq!(upstream.group().in_use(Limit::Requests), 0);
}

/// Whether one gets it does not depend on what another worker does at that moment.
#[test]
fn of_two_workers_that_want_the_last_place_one_gets_it() {
    let upstream = upstream(Limits {
        requests: Some(1),
        ..Limits::default()
    });
    let rounds = 5_000;
    let meet = Barrier::new(2);
    let taken = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..rounds {
                    meet.wait();
                    let picked = pick(&upstream);
                    taken.fetch_add(u32::from(picked.is_ok()), Relaxed);
                    meet.wait();
                    drop(picked);
                }
            });
        }
    });
    assert_eq!(taken.into_inner(), rounds);
}

#[test]
fn places_are_given_back_when_they_are_dropped() {
    let limits = Limits {
        pending: Some(2),
        connections: Some(1),
        retries: Some(1),
        ..Limits::default()
    };
    let upstream = upstream(limits);
    for (of, limit) in [
        (Limit::Pending, 2),
        (Limit::Connections, 1),
        (Limit::Retries, 1),
    ] {
        let mut places: Vec<Place> = (0..limit)
            .map(|_| upstream.take_place(of).unwrap())
            .collect();
        assert_eq!(upstream.take_place(of).unwrap_err(), of);
        assert_eq!(upstream.group().in_use(of), limit);
        places.pop();
        assert!(upstream.take_place(of).is_ok());
        drop(places);
        assert_eq!(upstream.group().in_use(of), 0, "{of:?}");
    }
}

/// After a reload another snapshot has other limits, and what is in use still counts.
#[test]
fn limits_of_a_new_snapshot_count_what_is_in_use() {
    let spec = |requests| UpstreamSpec {
        limits: Limits {
            requests,
            ..Limits::default()
        },
        ..testing::spec(Balance::RoundRobin, 2)
    };
    let before = testing::made(&spec(None));
    let of_before: Vec<Picked> = (0..5).map(|_| pick(&before).unwrap()).collect();
    let endpoints = before.members().iter();
    let endpoints = endpoints.map(|member| Arc::clone(&member.endpoint));
    let after = Upstream::new(
        &spec(Some(4)),
        Arc::clone(before.group()),
        endpoints.collect(),
    );
    assert!(pick(&after).is_err());
    drop(of_before);
    assert!(pick(&after).is_ok());
}

#[test]
fn an_adaptive_limit_counts_requests_until_their_response_begins() {
    let rule = AdaptiveRule {
        min: 2,
        max: 2,
        tolerance: 25,
    };
    let upstream = upstream(Limits {
        adaptive: Some(rule),
        ..Limits::default()
    });
    let mut first = pick(&upstream).unwrap();
    let second = pick(&upstream).unwrap();
    let refused = pick(&upstream).unwrap_err();
    assert_eq!(refused, Unavailable::Overloaded(Limit::Adaptive));
    // Its body may take as long as it wants.
    let unanswered = first.unanswered.take().unwrap();
    assert_eq!(unanswered.age(2_000), Duration::from_secs(2));
    unanswered.took(Duration::from_millis(5), 5);
    drop(unanswered);
    let third = pick(&upstream).unwrap();
    assert_eq!(upstream.group().in_use(Limit::Requests), 3);
    assert_eq!(upstream.group().in_use(Limit::Adaptive), 2);
    drop((second, third));
    assert_eq!(upstream.group().in_use(Limit::Adaptive), 0);
    drop(first);
}

#[test]
fn no_worker_can_exceed_a_limit_and_nothing_is_lost() {
    let upstream = upstream(Limits {
        requests: Some(5),
        connections: Some(3),
        ..Limits::default()
    });
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let upstream = &upstream;
            scope.spawn(move || {
                let mut cursor = Cursor::from_seed(seed);
                let mut held = Vec::new();
                for turn in 0..5_000 {
                    let picked = upstream.pick(&mut cursor, &Tried::new(), 0).ok();
                    let place = upstream.take_place(Limit::Connections).ok();
                    assert!(upstream.group().in_use(Limit::Connections) <= 3);
                    held.push((picked, place));
                    if turn % 3 == 0 {
                        held.clear();
                    }
                }
            });
        }
    });
    for limit in Limit::ALL {
        assert_eq!(upstream.group().in_use(limit), 0, "{limit:?}");
    }
}
