//! What the choice of an endpoint costs with 3, 30 and 1,000 endpoints. The times of one line
//! should hardly grow from left to right.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark without endpoints has nothing to measure"
)]

use std::sync::Arc;

use divan::{Bencher, black_box};
use janua_upstream::{
    Address, Affinity, Balance, Cursor, EndpointSpec, HOSTS_FILE, Key, Registry, Tried, Upstream,
    UpstreamSpec,
};

const SIZES: [usize; 3] = [3, 30, 1_000];

fn main() {
    divan::main();
}

fn upstream(balance: Balance, endpoints: usize, weight: impl Fn(usize) -> u32) -> Arc<Upstream> {
    let endpoints = (0..endpoints).map(|number| {
        let address = format!("10.0.{}.{}:80", number / 250, number % 250 + 1);
        EndpointSpec {
            weight: weight(number),
            ..EndpointSpec::new(Address::parse(&address).unwrap())
        }
    });
    let spec = UpstreamSpec {
        balance,
        ..UpstreamSpec::new("app", endpoints.collect())
    };
    let registry = Registry::start(HOSTS_FILE.into()).unwrap();
    registry.reconcile(&[spec]).remove(0)
}

/// One request after another, each with another value.
fn run(bencher: Bencher<'_, '_>, upstream: &Upstream) {
    let mut cursor = Cursor::from_seed(1);
    let mut value = 0_u64;
    bencher.bench_local(|| {
        value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let key = Key::Hash(black_box(value));
        let affinity = Affinity { key, session: None };
        let picked = upstream.pick_for(&mut cursor, &affinity, &Tried::new(), 0);
        picked.map(|picked| picked.index)
    });
}

#[divan::bench(args = SIZES)]
fn round_robin(bencher: Bencher<'_, '_>, endpoints: usize) {
    run(bencher, &upstream(Balance::RoundRobin, endpoints, |_| 1));
}

#[divan::bench(args = SIZES)]
fn round_robin_by_weight(bencher: Bencher<'_, '_>, endpoints: usize) {
    let weight = |number| u32::try_from(number % 7).unwrap_or_default() + 1;
    run(bencher, &upstream(Balance::RoundRobin, endpoints, weight));
}

#[divan::bench(args = SIZES)]
fn least_conn(bencher: Bencher<'_, '_>, endpoints: usize) {
    run(bencher, &upstream(Balance::LeastConn, endpoints, |_| 1));
}

#[divan::bench(args = SIZES)]
fn random_two(bencher: Bencher<'_, '_>, endpoints: usize) {
    run(bencher, &upstream(Balance::RandomTwo, endpoints, |_| 1));
}

#[divan::bench(args = SIZES)]
fn latency(bencher: Bencher<'_, '_>, endpoints: usize) {
    run(bencher, &upstream(Balance::Latency, endpoints, |_| 1));
}

#[divan::bench(args = SIZES)]
fn ip_hash(bencher: Bencher<'_, '_>, endpoints: usize) {
    let upstream = upstream(Balance::IpHash, endpoints, |_| 1);
    let mut cursor = Cursor::from_seed(1);
    let mut client = 0_u32;
    bencher.bench_local(|| {
        client = client.wrapping_add(0x9e37_79b9);
        let key = Key::Client(std::net::Ipv4Addr::from(black_box(client)).into());
        let affinity = Affinity { key, session: None };
        let picked = upstream.pick_for(&mut cursor, &affinity, &Tried::new(), 0);
        picked.map(|picked| picked.index)
    });
}

#[divan::bench(args = SIZES)]
fn hash(bencher: Bencher<'_, '_>, endpoints: usize) {
    let balance = Balance::Hash { bounded: None };
    run(bencher, &upstream(balance, endpoints, |_| 1));
}

#[divan::bench(args = SIZES)]
fn hash_bounded(bencher: Bencher<'_, '_>, endpoints: usize) {
    let balance = Balance::Hash {
        bounded: Some(1.25),
    };
    run(bencher, &upstream(balance, endpoints, |_| 1));
}

/// What a worker does once after a change, before its next request.
#[divan::bench(args = SIZES)]
fn after_a_change(bencher: Bencher<'_, '_>, endpoints: usize) {
    let upstream = upstream(Balance::RoundRobin, endpoints, |_| 1);
    let mut cursor = Cursor::from_seed(1);
    bencher.bench_local(|| {
        upstream.group().change();
        let picked = upstream.pick(&mut cursor, &Tried::new(), 0);
        picked.map(|picked| picked.index)
    });
}
