use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64};

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 6] = ["v1", "v2", "v3", "blue", "green", "v1-next"];

fn split(weights: &[u32]) -> Split {
    Split::new(NAMES.into_iter().zip(weights.iter().copied()))
}

fn keys() -> impl Iterator<Item = Vec<u8>> {
    (0..4_000).map(|n| format!("user-{n}@example.com").into_bytes())
}

/// How many of so many equally spaced random numbers, or of the keys, each upstream gets.
fn shares(weights: &[u32], choose: impl Iterator<Item = usize>) -> Vec<f64> {
    let mut counts = vec![0_u32; weights.len()];
    for chosen in choose {
        counts[chosen] += 1;
    }
    let total: u32 = counts.iter().sum();
    counts
        .into_iter()
        .map(|count| f64::from(count) / f64::from(total))
        .collect()
}

fn wanted(weights: &[u32]) -> Vec<f64> {
    let total: u64 = weights.iter().copied().map(u64::from).sum();
    let of_total = |weight: &u32| f64::from(*weight) / total as f64;
    weights.iter().map(of_total).collect()
}

#[test]
fn shares_are_those_of_the_weights() {
    for weights in [
        &[95, 5][..],
        &[1, 1],
        &[1],
        &[0, 7],
        &[1, 0, 3],
        &[50, 30, 15, 4, 1],
        &[u32::MAX, u32::MAX, u32::MAX],
    ] {
        let split = split(weights);
        let wanted = wanted(weights);
        let step = u64::MAX / 100_000;
        let chance = (0..100_000).map(|n| split.by_chance(n * step).unwrap());
        for (share, wanted) in shares(weights, chance).iter().zip(&wanted) {
            assert!((share - wanted).abs() < 1e-4, "{share} for {wanted}");
        }
        let by_key = keys().map(|key| split.by_key(&key).unwrap());
        for (share, wanted) in shares(weights, by_key).iter().zip(&wanted) {
            // Four standard deviations.
            let bound = 4.0 * (wanted * (1.0 - wanted) / 4_000.0).sqrt();
            assert!((share - wanted).abs() <= bound, "{share} for {wanted}");
        }
    }
}

#[test]
fn the_ends_of_chance() {
    let split = split(&[0, 1, 0, 1, 0]);
    assert_eq!(split.by_chance(0), Ok(1));
    assert_eq!(split.by_chance((1 << 63) - 1), Ok(1));
    assert_eq!(split.by_chance(1 << 63), Ok(3));
    assert_eq!(split.by_chance(u64::MAX), Ok(3));
}

#[test]
fn nothing_is_chosen_without_a_weight() {
    for weights in [&[][..], &[0], &[0, 0, 0]] {
        let split = split(weights);
        for random in [0, u64::MAX] {
            assert_eq!(split.by_chance(random), Err(NoWeight));
        }
        assert_eq!(split.by_key(b"a"), Err(NoWeight));
    }
}

/// A change of these would move users from one version to the other at an update of the gateway,
/// and between the gateways of a fleet.
#[test]
fn keys_belong_to_the_same_upstream_for_ever() {
    let split = split(&[1, 1, 1]);
    let of = |key: &str| split.by_key(key.as_bytes()).unwrap();
    let found: Vec<usize> = ["", "a", "b", "ann", "bob", "203.0.113.7", "42"]
        .into_iter()
        .map(of)
        .collect();
    assert_eq!(found, [0, 1, 0, 2, 0, 2, 2]);
}

#[test]
fn the_order_in_the_file_does_not_matter() {
    let forward = Split::new([("v1", 3), ("v2", 2), ("v3", 1)]);
    let backward = Split::new([("v3", 1), ("v2", 2), ("v1", 3)]);
    for key in keys() {
        assert_eq!(
            forward.by_key(&key).unwrap(),
            2 - backward.by_key(&key).unwrap()
        );
    }
}

#[test]
fn weights_are_set_by_name() {
    let split = split(&[1, 0]);
    assert_eq!(split.set_weight("v2", 5), Ok(true));
    assert_eq!(split.set_weight("v1", 0), Ok(true));
    assert_eq!(split.set_weight("v9", 1), Ok(false));
    let weights: Vec<_> = split.weights().collect();
    assert_eq!(weights, [("v1", 0, 1), ("v2", 5, 0)]);
    assert_eq!(split.by_chance(0), Ok(1));
    // The last weight stays: a command must not fail all requests.
    assert_eq!(split.set_weight("v2", 0), Err(NoWeight));
    assert_eq!(split.by_chance(0), Ok(1));
}

/// Commands come over several connections at once.
#[test]
fn of_two_commands_that_take_the_last_weights_one_is_refused() {
    let split = split(&[1, 1]);
    let meet = Barrier::new(2);
    let refused = AtomicU64::new(0);
    let rounds = 5_000;
    std::thread::scope(|scope| {
        for name in ["v1", "v2"] {
            let (split, meet, refused) = (&split, &meet, &refused);
            scope.spawn(move || {
                for _ in 0..rounds {
                    split.set_weight(name, 1).unwrap();
                    meet.wait();
                    if split.set_weight(name, 0).is_err() {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    meet.wait();
                }
            });
        }
    });
    assert_eq!(refused.into_inner(), rounds);
}

#[test]
fn what_counts_as_the_same_configuration() {
    let one = Split::new([("v1", 95), ("v2", 5)]);
    one.set_weight("v2", 50).unwrap();
    for (other, is_same) in [
        (vec![("v1", 95), ("v2", 5)], true),
        (vec![("v1", 95), ("v2", 50)], false),
        (vec![("v2", 5), ("v1", 95)], false),
        (vec![("v1", 95)], false),
    ] {
        let other = Split::new(other);
        assert_eq!(one.is_configured_as(&other), is_same, "{other:?}");
    }
}

/// Blue-green: one weight is raised and then the other taken away, and nobody ever finds both
/// at 0. A change is over before the next one, as it is for those who give commands.
#[test]
fn a_change_of_weights_is_never_seen_as_no_weight_at_all() {
    let split = split(&[100, 0]);
    let is_over = AtomicBool::new(false);
    let choices = [const { AtomicU64::new(0) }; 2];
    std::thread::scope(|scope| {
        let readers: Vec<_> = choices
            .iter()
            .map(|choices| {
                let (split, is_over) = (&split, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let chosen = choices.fetch_add(1, Ordering::Relaxed);
                        split.by_chance(mixed(chosen)).unwrap();
                        split.by_key(&chosen.to_le_bytes()).unwrap();
                    }
                })
            })
            .collect();
        let all_choose = || {
            for choices in &choices {
                let before = choices.load(Ordering::Relaxed);
                while choices.load(Ordering::Relaxed) < before + 2 {
                    if readers.iter().any(|reader| reader.is_finished()) {
                        is_over.store(true, Ordering::Relaxed);
                        panic!("a reader has found no weight");
                    }
                    std::thread::yield_now();
                }
            }
        };
        for _ in 0..100 {
            for (on, off) in [("v2", "v1"), ("v1", "v2")] {
                split.set_weight(on, 100).unwrap();
                split.set_weight(off, 0).unwrap();
                all_choose();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

proptest! {
    /// If one weight grows, nobody leaves its upstream, and nobody moves between the others.
    #[test]
    fn a_growing_weight_only_gains(
        weights in prop::collection::vec(0..1_000_u32, 2..6),
        at in any::<prop::sample::Index>(),
        more in 1..2_000_u32,
    ) {
        let at = at.index(weights.len());
        let before = split(&weights);
        let mut grown = weights.clone();
        grown[at] += more;
        let after = split(&grown);
        for key in keys().take(300) {
            let now = after.by_key(&key).unwrap();
            if let Ok(then) = before.by_key(&key) {
                prop_assert!(now == then || now == at, "{weights:?} {grown:?}");
            }
        }
    }

    /// From 5 of 100 to 10 of 100, with the other upstreams giving as they like: nobody of the 5
    /// leaves.
    #[test]
    fn nobody_leaves_an_upstream_whose_share_grows_over_each_other(
        others in prop::collection::vec(1..1_000_u32, 1..5),
        weight in 1..1_000_u32,
        more in 0..1_000_u32,
        less in prop::collection::vec(0..1_000_u32, 5),
    ) {
        let before: Vec<u32> = std::iter::once(weight).chain(others.iter().copied()).collect();
        let given = others.iter().zip(&less).map(|(weight, less)| weight.saturating_sub(*less));
        let after: Vec<u32> = std::iter::once(weight + more).chain(given).collect();
        let (before, after) = (split(&before), split(&after));
        for key in keys().take(300) {
            if before.by_key(&key) == Ok(0) {
                prop_assert_eq!(after.by_key(&key), Ok(0));
            }
        }
    }

    /// Only the ratios of the weights count.
    #[test]
    fn weights_may_be_scaled(
        weights in prop::collection::vec(0..10_000_u32, 1..6),
        by in 1..1_000_u32,
    ) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let scaled: Vec<u32> = weights.iter().map(|weight| weight * by).collect();
        let (one, other) = (split(&weights), split(&scaled));
        for key in keys().take(300) {
            prop_assert_eq!(one.by_key(&key), other.by_key(&key));
        }
    }

    /// No chance whatever finds an upstream without a weight.
    #[test]
    fn weight_0_gets_nothing(
        weights in prop::collection::vec(0..3_u32, 1..6),
        random in any::<u64>(),
        key in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let split = split(&weights);
        for chosen in [split.by_chance(random), split.by_key(&key)].into_iter().flatten() {
            prop_assert!(weights[chosen] > 0);
        }
    }
}
