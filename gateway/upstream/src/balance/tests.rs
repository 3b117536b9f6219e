use std::net::IpAddr;
use std::time::Duration;

use super::{Affinity, Balance, Key};
use crate::cursor::Cursor;
use crate::random::Random;
use crate::testing::{made, spec, weighted};
use crate::tried::Tried;
use crate::upstream::{Picked, Upstream};

/// The endpoints of this many requests, each of which ends before the next.
pub(super) fn turns(upstream: &Upstream, cursor: &mut Cursor, count: usize) -> Vec<usize> {
    let mut turn = || upstream.pick(cursor, &Tried::new(), 0).unwrap().index;
    (0..count).map(|_| turn()).collect()
}

pub(super) fn counts(chosen: &[usize], len: usize) -> Vec<usize> {
    (0..len)
        .map(|i| chosen.iter().filter(|&&c| c == i).count())
        .collect()
}

#[test]
fn turns_follow_the_weights_exactly_and_without_runs() {
    let upstream = weighted(Balance::RoundRobin, &[5, 1, 1]);
    for seed in 0..50 {
        let chosen = turns(&upstream, &mut Cursor::from_seed(seed), 70);
        assert_eq!(counts(&chosen, 3), [50, 10, 10], "{chosen:?}");
        // Never all five in a row, as with weighting by repetition.
        assert!(!chosen.windows(5).any(|w| w == [0; 5]), "{chosen:?}");
    }
}

#[test]
fn extreme_weights_are_no_problem() {
    let upstream = weighted(Balance::RoundRobin, &[u32::MAX, 1, u32::MAX]);
    let mut cursor = Cursor::from_seed(7);
    let chosen = turns(&upstream, &mut cursor, 10_000);
    let counts = counts(&chosen, 3);
    assert!(counts[0].abs_diff(counts[2]) <= 2, "{counts:?}");
    assert!(counts[1] <= 1, "{counts:?}");
}

#[test]
fn four_workers_start_apart_and_spread_evenly_together() {
    let equal = weighted(Balance::RoundRobin, &[1, 1, 1]);
    let mut first = [0; 3];
    for seed in 0..300 {
        first[turns(&equal, &mut Cursor::from_seed(seed), 1)[0]] += 1;
    }
    assert!(first.iter().all(|&n| n > 70), "{first:?}");

    let upstream = weighted(Balance::RoundRobin, &[3, 2, 1]);
    let mut workers: Vec<Cursor> = (0..4).map(Cursor::from_seed).collect();
    let mut all = Vec::new();
    for _ in 0..100 {
        for worker in &mut workers {
            all.extend(turns(&upstream, worker, 1));
        }
    }
    let counts = counts(&all, 3);
    for (have, expected) in counts.iter().zip([200_usize, 133, 67]) {
        // Each worker deviates by at most one turn.
        assert!(have.abs_diff(expected) <= 4, "{counts:?}");
    }
}

#[test]
fn random_starts_differ() {
    let upstream = weighted(Balance::RoundRobin, &[1; 16]);
    let starts: Vec<Vec<usize>> = (0..20)
        .map(|_| turns(&upstream, &mut Cursor::new(), 16))
        .collect();
    assert!(starts.iter().any(|s| *s != starts[0]));
}

/// An upstream whose endpoints have so many requests in flight, and these requests.
pub(super) fn busy(upstream: &Upstream, in_flight: &[u32]) -> Vec<Picked> {
    let mut held = Vec::new();
    for (index, count) in in_flight.iter().enumerate() {
        let mut others = Tried::new();
        (0..in_flight.len())
            .filter(|other| *other != index)
            .for_each(|other| others.insert(other));
        for _ in 0..*count {
            held.push(upstream.pick(&mut Cursor::new(), &others, 0).unwrap());
        }
    }
    held
}

#[test]
fn least_conn_takes_the_fewest_for_its_weight() {
    let cases: [(&[u32], &[u32], &[usize]); 6] = [
        (&[1, 1, 1], &[2, 1, 3], &[1]),
        (&[1, 1, 1], &[2, 2, 3], &[0, 1]),
        (&[1, 2], &[1, 2], &[0, 1]),
        (&[1, 2], &[1, 1], &[1]),
        (&[1, 3], &[1, 4], &[0]),
        (&[u32::MAX, 1], &[9, 0], &[1]),
    ];
    for (weights, in_flight, expected) in cases {
        let upstream = weighted(Balance::LeastConn, weights);
        let _held = busy(&upstream, in_flight);
        let mut chosen = turns(&upstream, &mut Cursor::from_seed(1), 12);
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen, expected, "{weights:?} {in_flight:?}");
    }
}

#[test]
fn among_equals_least_conn_takes_turns_by_weight() {
    let upstream = weighted(Balance::LeastConn, &[2, 1]);
    let chosen = turns(&upstream, &mut Cursor::from_seed(3), 30);
    assert_eq!(counts(&chosen, 2), [20, 10]);
}

/// Among many, it is not always the least busy one, but one of the less busy ones.
#[test]
fn among_many_least_conn_avoids_the_busy() {
    let upstream = weighted(Balance::LeastConn, &[1; 100]);
    let mut in_flight = [0; 100];
    in_flight[..50].fill(3);
    let _held = busy(&upstream, &in_flight);
    let chosen = turns(&upstream, &mut Cursor::from_seed(3), 500);
    let busy = chosen.iter().filter(|index| **index < 50).count();
    assert!(busy <= 1, "{busy}: 2⁻¹⁶ of all are expected");
    let idle = counts(&chosen, 100);
    assert!(idle[50..].iter().all(|&count| count > 0), "{idle:?}");
}

#[test]
fn least_conn_finds_the_only_one_that_is_left_among_many() {
    let mut spec = spec(Balance::LeastConn, 200);
    for endpoint in &mut spec.endpoints {
        endpoint.max_connections = Some(1);
    }
    let upstream = made(&spec);
    let mut cursor = Cursor::from_seed(3);
    let held: Vec<Picked> = (0..200)
        .map(|_| upstream.pick(&mut cursor, &Tried::new(), 0).unwrap())
        .collect();
    let mut places: Vec<usize> = held.iter().map(|picked| picked.index).collect();
    places.sort_unstable();
    assert_eq!(places, (0..200).collect::<Vec<_>>());
}

#[test]
fn skipped_endpoints_gain_no_credit() {
    for balance in [Balance::RoundRobin, Balance::LeastConn] {
        let upstream = weighted(balance, &[1, 1]);
        let mut cursor = Cursor::from_seed(0);
        let mut tried = Tried::new();
        tried.insert(0);
        for _ in 0..100 {
            let picked = upstream.pick(&mut cursor, &tried, 0).unwrap();
            assert_eq!(picked.index, 1);
        }
        // After its return the other endpoint does not get a hundred requests in a
        // row.
        let counts = counts(&turns(&upstream, &mut cursor, 10), 2);
        assert!(counts.iter().all(|&n| (4..=6).contains(&n)), "{counts:?}");
    }
}

/// Nobody starts from the beginning because another endpoint has changed.
#[test]
fn changes_of_others_do_not_disturb_the_turns() {
    let upstream = weighted(Balance::RoundRobin, &[1; 10]);
    let mut cursor = Cursor::from_seed(0);
    let mut chosen = Vec::new();
    for _ in 0..200 {
        upstream.group().change();
        chosen.extend(turns(&upstream, &mut cursor, 1));
    }
    assert_eq!(counts(&chosen, 10), [20; 10]);
}

/// Nor in a zone, whose endpoints could also be chosen among all.
#[test]
fn changes_do_not_disturb_the_turns_of_a_zone() {
    let mut spec = spec(Balance::RoundRobin, 4);
    spec.zone = Some("east".to_owned());
    for endpoint in &mut spec.endpoints[..3] {
        endpoint.zone = Some("east".to_owned());
    }
    let upstream = made(&spec);
    let mut cursor = Cursor::from_seed(0);
    let mut chosen = Vec::new();
    for _ in 0..60 {
        upstream.group().change();
        chosen.extend(turns(&upstream, &mut cursor, 1));
    }
    assert_eq!(counts(&chosen, 4), [20, 20, 20, 0]);
}

#[test]
fn two_are_drawn_by_weight_and_the_less_busy_one_is_chosen() {
    for balance in [Balance::RandomTwo, Balance::Latency] {
        let upstream = weighted(balance, &[3, 1]);
        let _held = busy(&upstream, &[0, 1]);
        let chosen = turns(&upstream, &mut Cursor::from_seed(1), 200);
        assert_eq!(counts(&chosen, 2), [200, 0], "{balance:?}");
    }
    // Without load the weights decide.
    let upstream = weighted(Balance::RandomTwo, &[3, 1, 4]);
    let chosen = turns(&upstream, &mut Cursor::from_seed(1), 8_000);
    let counts = counts(&chosen, 3);
    for (have, expected) in counts.iter().zip([3_000_usize, 1_000, 4_000]) {
        assert!(have.abs_diff(expected) < 200, "{counts:?}");
    }
}

#[test]
fn the_busiest_is_never_chosen_of_two() {
    let upstream = weighted(Balance::RandomTwo, &[1; 4]);
    let _held = busy(&upstream, &[1, 2, 9, 3]);
    let chosen = turns(&upstream, &mut Cursor::from_seed(1), 400);
    assert_eq!(counts(&chosen, 4)[2], 0, "it loses against any other");
}

#[test]
fn the_last_one_that_is_free_is_found_by_every_balance() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConn,
        Balance::RandomTwo,
        Balance::Latency,
        Balance::IpHash,
        Balance::Hash { bounded: None },
        Balance::Hash { bounded: Some(1.1) },
    ] {
        let mut spec = spec(balance, 60);
        for endpoint in &mut spec.endpoints {
            endpoint.max_connections = Some(1);
        }
        let upstream = made(&spec);
        let mut cursor = Cursor::from_seed(3);
        let mut random = Random::from_seed(3);
        let held: Vec<Picked> = (0..60)
            .map(|_| {
                let key = match balance {
                    Balance::IpHash => Key::Client("10.1.2.3".parse().unwrap()),
                    _ => Key::Hash(random.next()),
                };
                let affinity = Affinity { key, session: None };
                let picked = upstream.pick_for(&mut cursor, &affinity, &Tried::new(), 0);
                picked.unwrap()
            })
            .collect();
        let mut places: Vec<usize> = held.iter().map(|picked| picked.index).collect();
        places.sort_unstable();
        assert_eq!(places, (0..60).collect::<Vec<_>>(), "{balance:?}");
        let none = upstream.pick(&mut cursor, &Tried::new(), 0);
        assert!(none.is_err(), "{balance:?}");
    }
}

#[test]
fn latency_avoids_the_slow_and_tries_them_again() {
    let upstream = weighted(Balance::Latency, &[1, 1, 1]);
    let mut cursor = Cursor::from_seed(1);
    let mut ask = |now_ms: u64, took: [u64; 3]| {
        let picked = upstream.pick(&mut cursor, &Tried::new(), now_ms).unwrap();
        let took = Duration::from_millis(took[picked.index]);
        picked.in_flight.responded(took, now_ms);
        picked.index
    };
    let chosen: Vec<usize> = (0..300).map(|turn| ask(turn, [10, 10, 500])).collect();
    // Once, to find out.
    assert_eq!(counts(&chosen, 3)[2], 1);
    // It is fast again, and gets its share again once that has been found out.
    let later: Vec<usize> = (0..300_u64)
        .map(|turn| ask(1_000 + 1_000 * turn, [10, 10, 10]))
        .collect();
    assert!(counts(&later, 3)[2] > 60, "{:?}", counts(&later, 3));
}

#[test]
fn a_client_stays_with_its_endpoint() {
    let client = |n: u8| Key::Client(IpAddr::from([10, 0, n, 1]));
    let value = |n: u8| Key::Hash(Random::from_seed(n.into()).next());
    for (balance, keys) in [
        (Balance::IpHash, &client as &dyn Fn(u8) -> Key),
        (Balance::Hash { bounded: None }, &value),
        (
            Balance::Hash {
                bounded: Some(1.25),
            },
            &value,
        ),
    ] {
        let upstream = weighted(balance, &[1, 2, 3]);
        let pick = |seed: u64, key: Key, tried: &Tried| {
            let affinity = Affinity { key, session: None };
            let mut cursor = Cursor::from_seed(seed);
            let picked = upstream.pick_for(&mut cursor, &affinity, tried, 0);
            picked.unwrap().index
        };
        let mut all = Vec::new();
        for n in 0..100 {
            let home = pick(1, keys(n), &Tried::new());
            all.push(home);
            // The workers agree, also about who stands in.
            assert_eq!(pick(2, keys(n), &Tried::new()), home);
            let mut tried = Tried::new();
            tried.insert(home);
            let other = pick(1, keys(n), &tried);
            assert_ne!(other, home);
            assert_eq!(pick(2, keys(n), &tried), other);
        }
        let counts = counts(&all, 3);
        assert!(
            counts.iter().all(|count| *count > 5),
            "{balance:?} {counts:?}"
        );
        // Without a value, requests take turns.
        let none: Vec<usize> = turns(&upstream, &mut Cursor::from_seed(1), 60);
        assert_eq!(self::counts(&none, 3), [10, 20, 30], "{balance:?}");
    }
}

#[test]
fn bounded_loads_hold_for_one_value_that_everybody_wants() {
    let upstream = weighted(
        Balance::Hash {
            bounded: Some(1.25),
        },
        &[1, 1, 2],
    );
    let affinity = Affinity {
        key: Key::Hash(7),
        session: None,
    };
    let mut cursor = Cursor::from_seed(1);
    let mut held = Vec::new();
    for count in 1..=400_u32 {
        let picked = upstream.pick_for(&mut cursor, &affinity, &Tried::new(), 0);
        held.push(picked.unwrap());
        for (member, weight) in upstream.members().iter().zip([1, 1, 2]) {
            let most = (1.25 * f64::from(count) * f64::from(weight) / 4.0).ceil();
            assert!(f64::from(member.endpoint.in_flight()) <= most, "of {count}");
        }
    }
    let home = held[0].index;
    drop(held);
    let again = upstream.pick_for(&mut cursor, &affinity, &Tried::new(), 0);
    assert_eq!(again.unwrap().index, home);
}

#[test]
fn a_weight_by_command_moves_values_and_brings_them_back() {
    let upstream = weighted(Balance::Hash { bounded: None }, &[1, 1]);
    let mut cursor = Cursor::from_seed(1);
    let mut shares = || {
        let mut random = Random::from_seed(5);
        let mut shares = [0_u32; 2];
        for _ in 0..2_000 {
            let key = Key::Hash(random.next());
            let affinity = Affinity { key, session: None };
            let picked = upstream.pick_for(&mut cursor, &affinity, &Tried::new(), 0);
            shares[picked.unwrap().index] += 1;
        }
        shares
    };
    let before = shares();
    upstream.members()[1].endpoint.set_weight(Some(9));
    let more = shares();
    assert!(more[1] > 1_700, "{more:?}");
    upstream.members()[1].endpoint.set_weight(Some(0));
    assert_eq!(shares(), [2_000, 0]);
    upstream.members()[1].endpoint.set_weight(None);
    assert_eq!(shares(), before);
}
