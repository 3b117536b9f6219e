use super::Ring;
use crate::random::Random;

/// So many values, as a hash gives them.
fn values(count: usize) -> Vec<u64> {
    let mut random = Random::from_seed(1);
    (0..count).map(|_| random.next()).collect()
}

fn addresses(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("10.0.{}.{}:80", n / 250, n % 250))
        .collect()
}

fn ring(addresses: &[String], weights: &[u32]) -> Ring {
    let weights = weights.iter().copied();
    Ring::new(addresses.iter().map(String::as_str).zip(weights))
}

fn chosen(ring: &Ring, values: &[u64], usable: impl Fn(usize) -> bool) -> Vec<usize> {
    values
        .iter()
        .map(|value| ring.choose(*value, &usable).unwrap())
        .collect()
}

/// What fails alone is moved alone, to all others, and comes back.
#[test]
fn only_the_values_of_an_endpoint_that_leaves_move() {
    let values = values(20_000);
    for count in [2, 3, 10, 50] {
        let ring = ring(&addresses(count), &vec![1; count]);
        let before = chosen(&ring, &values, |_| true);
        for gone in 0..count {
            let after = chosen(&ring, &values, |index| index != gone);
            let mut moved = 0;
            let mut heirs = vec![false; count];
            for (before, after) in before.iter().zip(&after) {
                assert_ne!(*after, gone);
                if *before == gone {
                    moved += 1;
                    heirs[*after] = true;
                } else {
                    assert_eq!(before, after, "another value has moved");
                }
            }
            // One in n, as well as shares are equal.
            let most = values.len() / count * 14 / 10;
            assert!(moved <= most, "{moved} of {} with {count}", values.len());
            if count <= 10 {
                assert_eq!(heirs.iter().filter(|is| **is).count(), count - 1);
            }
        }
        assert_eq!(chosen(&ring, &values, |_| true), before, "all come back");
    }
}

/// The same holds if the endpoint is removed from the configuration or added to it.
#[test]
fn only_the_values_of_an_endpoint_that_is_removed_move() {
    let values = values(20_000);
    let all = addresses(10);
    let whole = chosen(&ring(&all, &[1; 10]), &values, |_| true);
    let rest = [&all[..4], &all[5..]].concat();
    let after = chosen(&ring(&rest, &[1; 9]), &values, |_| true);
    let mut moved = 0;
    for (before, after) in whole.iter().zip(&after) {
        if *before == 4 {
            moved += 1;
        } else {
            assert_eq!(all[*before], rest[*after]);
        }
    }
    assert!((1_500..2_600).contains(&moved), "{moved}");
}

/// Nor does the order in the file matter.
#[test]
fn the_order_of_endpoints_does_not_matter() {
    let values = values(1_000);
    let mut names = addresses(7);
    let before = chosen(&ring(&names, &[1; 7]), &values, |_| true);
    let before: Vec<String> = before.iter().map(|index| names[*index].clone()).collect();
    names.reverse();
    let after = chosen(&ring(&names, &[1; 7]), &values, |_| true);
    let after: Vec<String> = after.iter().map(|index| names[*index].clone()).collect();
    assert_eq!(before, after);
}

#[test]
fn shares_follow_the_weights() {
    let values = values(40_000);
    let chosen = chosen(&ring(&addresses(4), &[1, 2, 5, 0]), &values, |_| true);
    let shares = [0, 1, 2, 3].map(|index| chosen.iter().filter(|it| **it == index).count());
    for (share, expected) in shares.iter().zip([5_000_usize, 10_000, 25_000, 0]) {
        let difference = share.abs_diff(expected);
        assert!(difference <= expected / 5, "{shares:?}");
    }
}

/// What several gateways, and the same one after a restart, must agree on.
#[test]
fn choices_are_the_same_in_every_process() {
    let ring = ring(&addresses(5), &[1; 5]);
    let values = [0, 1 << 60, 2 << 60, 5 << 60, 9 << 60, 12 << 60, u64::MAX];
    assert_eq!(chosen(&ring, &values, |_| true), RECORDED);
}

const RECORDED: [usize; 7] = [4, 4, 3, 0, 4, 3, 4];

#[test]
fn a_large_ring_has_a_bound() {
    let ring = ring(&addresses(3), &[u32::MAX, 1, u32::MAX / 2]);
    assert!(ring.points.len() <= 1 << 17, "{}", ring.points.len());
    assert!(ring.points.iter().any(|(_, index)| *index == 1));
    assert!(Ring::default().choose(7, |_| true).is_none());
}
