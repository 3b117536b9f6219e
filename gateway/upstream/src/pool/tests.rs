use std::sync::Arc;

use super::{Lease, Pool};
use crate::address::Address;
use crate::endpoint::Endpoint;

fn endpoint(port: u16) -> Arc<Endpoint> {
    let address = Address::parse(&format!("127.0.0.1:{port}")).unwrap();
    Arc::new(Endpoint::new("u", address))
}

fn until(until_ms: u64) -> Lease {
    Lease {
        from_ms: 0,
        until_ms,
    }
}

#[test]
fn the_newest_that_is_not_expired_comes_first() {
    let (a, b) = (endpoint(1), endpoint(2));
    let mut pool = Pool::new();
    pool.put(&a, "old", until(100), 8);
    pool.put(&a, "new", until(200), 8);
    pool.put(&a, "short", until(50), 8);
    pool.put(&b, "other", until(100), 8);
    assert_eq!((a.counters().idle, pool.len()), (3, 4));
    assert_eq!(pool.take(&a, 50), Some("new"));
    // The one that expired at 50 was dropped on the way.
    assert_eq!((a.counters().idle, a.counters().reused), (1, 1));
    assert_eq!(pool.take(&a, 99), Some("old"));
    assert_eq!(pool.take(&a, 99), None);
    assert_eq!(a.counters().idle, 0);
    assert_eq!(pool.take(&b, 100), None);
    assert_eq!((b.counters().idle, b.counters().reused), (0, 0));
}

#[test]
fn beyond_its_bound_the_oldest_goes() {
    let a = endpoint(1);
    let mut pool = Pool::new();
    for n in 1..=5 {
        pool.put(&a, n, until(100), 2);
    }
    assert_eq!((a.counters().idle, pool.len()), (2, 2));
    assert_eq!(pool.take(&a, 0), Some(5));
    assert_eq!(pool.take(&a, 0), Some(4));
    pool.put(&a, 6, until(100), 0);
    assert_eq!(pool.take(&a, 0), None);
}

#[test]
fn a_sweep_closes_what_expired_and_what_belongs_to_nobody() {
    let (a, b) = (endpoint(1), endpoint(2));
    let alive = Arc::new(());
    let mut pool = Pool::new();
    for expires in [10, 30, 20] {
        pool.put(&a, Arc::clone(&alive), until(expires), 8);
    }
    pool.put(&b, Arc::clone(&alive), until(1_000), 8);
    assert_eq!(pool.sweep(20), 2);
    assert_eq!((a.counters().idle, Arc::strong_count(&alive)), (1, 3));
    drop(b);
    assert_eq!(pool.sweep(20), 1);
    assert_eq!(Arc::strong_count(&alive), 2);
    assert_eq!(pool.sweep(30), 1);
    assert!(pool.is_empty());

    pool.put(&a, Arc::clone(&alive), until(100), 8);
    drop(pool);
    assert_eq!((a.counters().idle, Arc::strong_count(&alive)), (0, 1));
}

#[test]
fn a_connection_that_rests_is_left_alone() {
    let a = endpoint(1);
    let mut pool = Pool::new();
    pool.put(&a, "rested", until(1_000), 8);
    let resting = Lease {
        from_ms: 100,
        until_ms: 1_000,
    };
    pool.put(&a, "resting", resting, 8);
    assert_eq!(pool.take(&a, 99), Some("rested"));
    assert_eq!(pool.take(&a, 99), None);
    assert_eq!(pool.sweep(99), 0);
    assert_eq!(a.counters().idle, 1);
    assert_eq!(pool.take(&a, 100), Some("resting"));
    assert_eq!(a.counters().idle, 0);
}

#[test]
fn nothing_is_used_again_of_an_endpoint_that_is_distrusted() {
    let (a, b) = (endpoint(1), endpoint(2));
    let mut pool = Pool::new();
    for endpoint in [&a, &b] {
        pool.put(endpoint, "kept", until(1_000_000), 8);
    }
    assert!(a.distrust(500));
    assert!(!a.distrust(600), "was distrusted before");
    assert_eq!(pool.take(&a, 601), None);
    assert_eq!(a.counters().idle, 0);
    assert_eq!(pool.take(&b, 601), Some("kept"));
    let over = 600 + crate::DISTRUST_MS;
    assert!(a.is_distrusted(over - 1) && !a.is_distrusted(over));
    assert!(a.distrust(over), "it was trusted again meanwhile");
}
