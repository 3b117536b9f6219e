use std::sync::Arc;

use super::{Lease, Pool};
use crate::address::Address;
use crate::endpoint::Endpoint;
use crate::group::Group;

fn endpoint(port: u16) -> Arc<Endpoint> {
    let address = Address::parse(&format!("127.0.0.1:{port}")).unwrap();
    Arc::new(Endpoint::new(&Group::new("u"), address))
}

#[test]
fn the_newest_that_is_not_expired_comes_first() {
    let (a, b) = (endpoint(1), endpoint(2));
    let mut pool = Pool::new();
    pool.put(&a, "old", Lease::at_once(100), 8);
    pool.put(&a, "new", Lease::at_once(200), 8);
    pool.put(&a, "short", Lease::at_once(50), 8);
    pool.put(&b, "other", Lease::at_once(100), 8);
    assert_eq!((a.counters().idle, pool.len()), (3, 4));
    assert_eq!(pool.take(&a, 50), Some("new"));
    // The one that expired at 50 was dropped meanwhile.
    assert_eq!((a.counters().idle, a.counters().reused), (1, 1));
    assert_eq!(pool.take(&a, 99), Some("old"));
    assert_eq!(pool.take(&a, 99), None);
    assert_eq!(a.counters().idle, 0);
    assert_eq!(pool.take(&b, 100), None);
    assert_eq!((b.counters().idle, b.counters().reused), (0, 0));
}

#[test]
fn beyond_the_limit_the_oldest_is_closed() {
    let a = endpoint(1);
    let mut pool = Pool::new();
    for n in 1..=5 {
        pool.put(&a, n, Lease::at_once(100), 2);
    }
    assert_eq!((a.counters().idle, pool.len()), (2, 2));
    assert_eq!(pool.take(&a, 0), Some(5));
    assert_eq!(pool.take(&a, 0), Some(4));
    pool.put(&a, 6, Lease::at_once(100), 0);
    assert_eq!(pool.take(&a, 0), None);
}

#[test]
fn a_sweep_closes_expired_connections_and_those_of_dropped_endpoints() {
    let (a, b) = (endpoint(1), endpoint(2));
    let alive = Arc::new(());
    let mut pool = Pool::new();
    for expires in [10, 30, 20] {
        pool.put(&a, Arc::clone(&alive), Lease::at_once(expires), 8);
    }
    pool.put(&b, Arc::clone(&alive), Lease::at_once(1_000), 8);
    assert_eq!(pool.sweep(20), 2);
    assert_eq!((a.counters().idle, Arc::strong_count(&alive)), (1, 3));
    drop(b);
    assert_eq!(pool.sweep(20), 1);
    assert_eq!(Arc::strong_count(&alive), 2);
    assert_eq!(pool.sweep(30), 1);
    assert!(pool.is_empty());

    pool.put(&a, Arc::clone(&alive), Lease::at_once(100), 8);
    drop(pool);
    assert_eq!((a.counters().idle, Arc::strong_count(&alive)), (0, 1));
}

#[test]
fn a_resting_connection_is_not_taken() {
    let a = endpoint(1);
    let mut pool = Pool::new();
    pool.put(&a, "ready", Lease::at_once(1_000), 8);
    pool.put(&a, "resting", Lease::after_a_rest(0, 1_000), 8);
    pool.put(&a, "resting too", Lease::after_a_rest(1, 1_000), 8);
    assert_eq!(pool.take(&a, 99), Some("ready"));
    assert_eq!(pool.take(&a, 99), None);
    assert_eq!(pool.sweep(99), 0);
    assert_eq!(a.counters().idle, 2);
    assert_eq!(pool.take(&a, 100), Some("resting"));
    assert_eq!(pool.take(&a, 100), None);
    assert_eq!(pool.take(&a, 1_000), None, "expired");
    assert_eq!(a.counters().idle, 0);
}

/// Otherwise a busy endpoint would need a new connection for each `HEAD`, and resting
/// connections would displace those that are ready.
#[test]
fn resting_connections_have_a_limit_of_their_own() {
    let a = endpoint(1);
    let mut pool = Pool::new();
    pool.put(&a, 0, Lease::at_once(1_000), 2);
    for n in 1..=20 {
        pool.put(&a, n, Lease::after_a_rest(0, 1_000), 2);
    }
    assert_eq!((a.counters().idle, pool.len()), (17, 17));
    assert_eq!(pool.take(&a, 50), Some(0));
    let rested: Vec<i32> = std::iter::from_fn(|| pool.take(&a, 100)).collect();
    assert_eq!(rested, Vec::from_iter(1..=16));
}

#[test]
fn connections_to_a_distrusted_endpoint_are_not_reused() {
    let (a, b) = (endpoint(1), endpoint(2));
    let mut pool = Pool::new();
    for endpoint in [&a, &b] {
        pool.put(endpoint, "kept", Lease::at_once(1_000_000), 8);
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
