use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::verdict::{AbsentKey, Value};

/// A bucket, and how many tokens are taken from it.
type Take = (TokenBucket, u32);

fn take(tokens: u32, period_ms: u32, burst: u32, cost: u32) -> Take {
    let bucket = TokenBucket {
        name: "".into(),
        key: Value::Literal(Box::default()),
        absent: AbsentKey::Share,
        tokens,
        period_ms,
        burst,
    };
    (bucket, cost)
}

fn buckets(capacity: usize) -> Buckets {
    Buckets::new(&BucketOptions { capacity })
}

fn take_from(
    buckets: &Buckets,
    policy: &str,
    key: Option<&[u8]>,
    take: &Take,
    now_ms: u64,
) -> TakeOutcome {
    let (bucket, cost) = take;
    let name = buckets.named(policy, &bucket.name);
    buckets.take(&name, key, bucket, *cost, now_ms)
}

fn is_taken(outcome: TakeOutcome) -> bool {
    matches!(outcome, TakeOutcome::Taken { .. })
}

/// Takes from one bucket in steps. Each step has the time in milliseconds and the
/// expected result: the remaining tokens, or the milliseconds to wait.
fn run(take: &Take, steps: &[(u64, Result<u64, u64>)]) {
    let buckets = buckets(64);
    for (at, expected) in steps {
        let found = match take_from(&buckets, "p", Some(b"k"), take, *at) {
            TakeOutcome::Taken { remaining, .. } => Ok(remaining),
            TakeOutcome::Refused { retry_after_ms } => Err(retry_after_ms),
        };
        assert_eq!(found, *expected, "at {at} ms with {take:?}");
    }
}

#[test]
fn is_nginx_burst_nodelay() {
    // nginx's `rate=10r/s burst=2 nodelay`: three at once, then one each 100 ms.
    run(
        &take(10, 1_000, 2, 1),
        &[
            (0, Ok(2)),
            (0, Ok(1)),
            (0, Ok(0)),
            (0, Err(100)),
            (40, Err(60)),
            (100, Ok(0)),
            (100, Err(100)),
            (10_000, Ok(2)),
        ],
    );
    // No burst: one each period.
    run(
        &take(1, 1_000, 0, 1),
        &[(5, Ok(0)), (1_004, Err(1)), (1_005, Ok(0))],
    );
    // A cost above one.
    run(
        &take(10, 1_000, 9, 4),
        &[(0, Ok(6)), (0, Ok(2)), (0, Err(200)), (200, Ok(0))],
    );
    // A cost above the bucket's size is always refused, and nothing is taken.
    run(
        &take(10, 1_000, 0, 2),
        &[(0, Err(100)), (1_000_000, Err(100))],
    );
    // The largest rate and burst.
    run(
        &take(u32::MAX, 1, u32::MAX, 1),
        &[(0, Ok(u64::from(u32::MAX)))],
    );
}

#[test]
fn extremes_do_not_overflow() {
    let buckets = buckets(64);
    let extreme = take(1, u32::MAX, u32::MAX, u32::MAX);
    for at in [0, 1, u64::MAX / 2, u64::MAX] {
        take_from(&buckets, "p", Some(b"k"), &extreme, at);
    }
}

#[test]
fn tells_when_it_is_full_again() {
    let buckets = buckets(64);
    let take = take(10, 1_000, 9, 3);
    let outcome = take_from(&buckets, "p", None, &take, 7);
    assert_eq!(
        outcome,
        TakeOutcome::Taken {
            remaining: 7,
            reset_ms: 300
        }
    );
}

#[test]
fn policies_buckets_and_keys_are_apart() {
    let buckets = buckets(1_000);
    let one = take(1, 60_000, 0, 1);
    let mut other = one.clone();
    other.0.name = "b".into();
    let cases: [(&str, Option<&[u8]>, &Take); 7] = [
        ("p", Some(b"k"), &one),
        ("q", Some(b"k"), &one),
        ("p", Some(b"l"), &one),
        ("p", Some(b"k"), &other),
        ("p", Some(b""), &one),
        ("p", None, &one),
        // As bucket `b` and key `k`, joined.
        ("p", Some(b"bk"), &one),
    ];
    for (policy, key, take) in cases {
        assert!(
            is_taken(take_from(&buckets, policy, key, take, 0)),
            "{policy} {key:?}"
        );
    }
    for (policy, key, take) in cases {
        assert!(
            !is_taken(take_from(&buckets, policy, key, take, 0)),
            "{policy} {key:?}"
        );
    }
}

#[test]
fn a_wait_is_never_longer_than_the_new_rate_requires() {
    let buckets = buckets(64);
    let before = take(1, 60_000, 100, 1);
    (0..101).for_each(|_| assert!(is_taken(take_from(&buckets, "p", None, &before, 0))));
    let after = take(1, 1_000, 0, 1);
    assert_eq!(
        take_from(&buckets, "p", None, &after, 0),
        TakeOutcome::Refused {
            retry_after_ms: 1_000
        }
    );
}

#[test]
fn is_bounded_and_a_flood_does_not_reset_an_exhausted_bucket() {
    let buckets = buckets(6_400);
    let limit = take(10, 1_000, 100, 1);
    while is_taken(take_from(&buckets, "p", Some(b"attacker"), &limit, 0)) {}
    for n in 0..200_000_u64 {
        // Within a second, so no bucket refills in the meantime.
        take_from(&buckets, "p", Some(&n.to_le_bytes()), &limit, n / 200);
    }
    assert!(buckets.len() <= 6_400);
    // Ten tokens were added in a second; a new bucket would hold 101.
    let taken = (0..200)
        .filter(|_| is_taken(take_from(&buckets, "p", Some(b"attacker"), &limit, 1_000)))
        .count();
    assert_eq!(taken, 10);
}

#[test]
fn is_exact_across_threads() {
    let buckets = Arc::new(buckets(64));
    let taken = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (buckets, taken) = (Arc::clone(&buckets), Arc::clone(&taken));
            std::thread::spawn(move || {
                let limit = take(1, 60_000, 999, 1);
                for _ in 0..1_000 {
                    if is_taken(take_from(&buckets, "p", Some(b"k"), &limit, 5)) {
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(taken.load(Ordering::Relaxed), 1_000);
}

/// The number of successful takes of a client that is limited to 10 a second and tries once a
/// millisecond for a second, while somebody else takes once from each of 100 new buckets in
/// each millisecond.
fn taken_during_flood(flooded: &str, flood: &Take) -> usize {
    let buckets = buckets(6_400);
    let limit = take(10, 1_000, 9, 1);
    let mut key = 0_u64;
    (0..1_000)
        .filter(|&now_ms| {
            for _ in 0..100 {
                key += 1;
                take_from(&buckets, flooded, Some(&key.to_le_bytes()), flood, now_ms);
            }
            is_taken(take_from(&buckets, "api", Some(b"client"), &limit, now_ms))
        })
        .count()
}

/// What counts is how full a bucket is, and not how long it takes to be full again.
#[test]
fn a_flood_of_buckets_with_a_longer_period_displaces_no_exhausted_bucket() {
    let mut daily = take(1_000, 86_400_000, 999, 1);
    // Ten at once, and then ten in a second.
    assert_eq!(taken_during_flood("forms", &daily), 19, "another policy");
    daily.0.name = "daily".into();
    assert_eq!(taken_during_flood("api", &daily), 19, "the same policy");
}

/// Takes one token from each of these buckets. Returns how many takes succeeded.
fn take_each(buckets: &Buckets, policy: &str, keys: std::ops::Range<u64>, take: &Take) -> usize {
    keys.filter(|key| {
        is_taken(take_from(
            buckets,
            policy,
            Some(&key.to_le_bytes()),
            take,
            0,
        ))
    })
    .count()
}

#[test]
fn a_flood_displaces_no_bucket_of_a_policy_within_its_share() {
    let buckets = buckets(6_400);
    // All buckets are empty after one take: nothing but the shares protects them.
    let once = take(1, 86_400_000, 0, 1);
    // Half of its share, so that no shard has more than the share of a shard.
    assert_eq!(take_each(&buckets, "login", 0..1_600, &once), 1_600);
    take_each(&buckets, "flooded", 0..100_000, &once);
    assert!(buckets.len() <= 6_400);
    assert_eq!(take_each(&buckets, "login", 0..1_600, &once), 0);
}

#[test]
fn a_policy_gets_its_share_back_from_one_that_borrowed_it() {
    let buckets = buckets(6_400);
    let once = take(1, 86_400_000, 0, 1);
    take_each(&buckets, "flooded", 0..100_000, &once);
    assert_eq!(buckets.len(), 6_400, "the flood borrows what nobody uses");
    assert_eq!(take_each(&buckets, "login", 0..1_600, &once), 1_600);
    assert_eq!(take_each(&buckets, "login", 0..1_600, &once), 0);
    take_each(&buckets, "flooded", 100_000..200_000, &once);
    assert_eq!(take_each(&buckets, "login", 0..1_600, &once), 0);
}

#[test]
fn a_policy_that_no_longer_exists_leaves_its_share_to_others() {
    let buckets = buckets(6_400);
    let once = take(1, 86_400_000, 0, 1);
    assert_eq!(take_each(&buckets, "kept", 0..100, &once), 100);
    take_each(&buckets, "gone", 0..100_000, &once);
    buckets.keep_only(|policy| policy == "kept");
    assert_eq!(buckets.len(), 100);
    assert_eq!(take_each(&buckets, "kept", 0..100, &once), 0, "kept");
    // Its number is given to another policy, which has none of its buckets.
    assert_eq!(take_each(&buckets, "new", 0..100, &once), 100);
    assert_eq!(take_each(&buckets, "gone", 0..100, &once), 100);
    assert_eq!(take_each(&buckets, "new", 0..100, &once), 0);
}

/// More policies than a shard has buckets.
#[test]
fn there_may_be_more_policies_than_buckets() {
    let buckets = buckets(64);
    let once = take(1, 86_400_000, 0, 1);
    for policy in 0..200 {
        assert!(is_taken(take_from(
            &buckets,
            &policy.to_string(),
            None,
            &once,
            0
        )));
        assert!(buckets.len() <= 64);
    }
}

#[test]
fn a_charge_makes_debts_up_to_a_bound() {
    // A token a second; two fit in.
    let (bucket, _) = take(1, 1_000, 1, 1);
    let buckets = buckets(64);
    let name = buckets.named("p", "");
    let key = Some(&b"k"[..]);
    let waits = |tokens, now_ms| match buckets.take(&name, key, &bucket, tokens, now_ms) {
        TakeOutcome::Taken { .. } => 0,
        TakeOutcome::Refused { retry_after_ms } => retry_after_ms,
    };
    let charge = |tokens, debt| buckets.charge(&name, key, &bucket, (tokens, debt), 0);
    charge(5, 10);
    // Two were there, so three are missing. Who takes nothing is refused as long as any are.
    assert_eq!(waits(0, 0), 3_000);
    assert_eq!(waits(1, 0), 4_000);
    assert_eq!(waits(0, 2_999), 1);
    assert_eq!(waits(0, 3_000), 0);
    charge(100, 10);
    assert_eq!(waits(0, 0), 10_000);
    // A smaller bound forgives no debts.
    charge(100, 1);
    assert_eq!(waits(0, 0), 10_000);
    charge(u32::MAX, u32::MAX);
    assert_eq!(waits(0, 0), u64::from(u32::MAX) * 1_000);
}
