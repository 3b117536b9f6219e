use std::sync::Arc;
use std::time::Duration;

use super::Registry;
use crate::address::Address;
use crate::cursor::Cursor;
use crate::health::{AttemptOutcome, Health, PassiveHealth};
use crate::resolver::{HOSTS_FILE, Resolver};
use crate::tried::Tried;
use crate::upstream::{EndpointSpec, UpstreamSpec};

fn spec(name: &str, addresses: &[&str]) -> UpstreamSpec {
    let endpoints = addresses
        .iter()
        .map(|address| EndpointSpec::new(Address::parse(address).unwrap()));
    UpstreamSpec {
        passive_health: PassiveHealth {
            max_fails: 1,
            fail_timeout: Duration::from_secs(30),
        },
        ..UpstreamSpec::new(name, endpoints.collect())
    }
}

const A: &str = "127.0.0.1:1";
const B: &str = "127.0.0.1:2";
const C: &str = "127.0.0.1:3";

#[test]
fn a_reload_keeps_health_and_counts_of_what_stays() {
    let registry = Registry::new(Resolver::start(HOSTS_FILE.into()).unwrap());
    let old = registry.reconcile(&[spec("one", &[A, B]), spec("two", &[A])]);
    assert!(!Arc::ptr_eq(
        &old[0].members()[0].endpoint,
        &old[1].members()[0].endpoint
    ));
    let mut tried = Tried::new();
    tried.insert(1);
    let picked = old[0].pick(&mut Cursor::new(), &tried, 0).unwrap();
    picked
        .in_flight
        .report(AttemptOutcome::Failed("refused"), 0);

    let mut changed = spec("one", &[C, A]);
    changed.endpoints[1].weight = 7;
    let new = registry.reconcile(&[changed]);
    let kept = &new[0].members()[1];
    assert!(Arc::ptr_eq(&kept.endpoint, &old[0].members()[0].endpoint));
    assert_eq!(kept.weight, 7);
    assert_eq!(kept.endpoint.in_flight(), 1);
    assert!(matches!(kept.endpoint.health(), Health::Ejected { .. }));
    assert_eq!(new[0].members()[0].endpoint.health(), Health::NEW);

    drop(old);
    let mut left: Vec<String> = registry
        .endpoints()
        .iter()
        .map(|e| format!("{} {}", e.upstream(), e.address()))
        .collect();
    left.sort_unstable();
    assert_eq!(left, [format!("one {A}"), format!("one {C}")]);
    drop(new);
    // The request in flight still holds the endpoint.
    assert_eq!(registry.endpoints().len(), 1);
    drop(picked);
    assert!(registry.endpoints().is_empty());
}

#[test]
fn a_configuration_that_is_refused_leaves_no_trace() {
    let registry = Registry::new(Resolver::start(HOSTS_FILE.into()).unwrap());
    let running = registry.reconcile(&[spec("one", &[A])]);
    drop(registry.reconcile(&[spec("one", &[B]), spec("two", &[C])]));
    let left = registry.endpoints();
    assert_eq!(left.len(), 1);
    assert!(Arc::ptr_eq(&left[0], &running[0].members()[0].endpoint));
}

#[test]
fn what_was_drained_stays_so_and_weights_do_not() {
    let registry = Registry::new(Resolver::start(HOSTS_FILE.into()).unwrap());
    let first = registry.reconcile(&[spec("one", &[A, B])]);
    let [a, b] = [0, 1].map(|index| first[0].members()[index].endpoint.clone());
    a.drain(true);
    b.set_weight(Some(9));
    let group = first[0].group().clone();
    drop(first);
    // A reload removes the drained endpoint, and a later one brings it back.
    drop(a);
    let second = registry.reconcile(&[spec("one", &[B])]);
    assert_eq!(second[0].members()[0].current_weight(), 9);
    registry.forget_weights();
    assert_eq!(second[0].members()[0].current_weight(), 1);
    let third = registry.reconcile(&[spec("one", &[A, B])]);
    assert!(Arc::ptr_eq(third[0].group(), &group));
    assert!(third[0].members()[0].endpoint.is_draining());
    assert!(!third[0].members()[1].endpoint.is_draining());

    // Even if the upstream is gone for a while.
    drop((group, second, third, b));
    drop(registry.reconcile(&[spec("two", &[A])]));
    let fourth = registry.reconcile(&[spec("one", &[A])]);
    assert!(fourth[0].members()[0].endpoint.is_draining());
    fourth[0].members()[0].endpoint.drain(false);
    drop(fourth);
    let fifth = registry.reconcile(&[spec("one", &[A])]);
    assert!(!fifth[0].members()[0].endpoint.is_draining());
}

#[test]
fn what_was_drained_can_be_let_in_although_it_is_gone() {
    let registry = Registry::new(Resolver::start(HOSTS_FILE.into()).unwrap());
    let first = registry.reconcile(&[spec("one", &[A, B]), spec("two", &[A])]);
    for (upstream, member) in [(1, 0), (0, 1), (0, 0)] {
        first[upstream].members()[member].endpoint.drain(true);
    }
    let texts = |registry: &Registry| -> Vec<String> {
        let drained = registry.drained().into_iter();
        drained
            .map(|(upstream, at)| format!("{upstream} {at}"))
            .collect()
    };
    let all = [format!("one {B}"), format!("one {A}"), format!("two {A}")];
    assert_eq!(texts(&registry), all);
    drop(first);
    let second = registry.reconcile(&[spec("one", &[B])]);
    assert_eq!(texts(&registry), all);
    let undrain = |upstream: &str, address: &str| {
        let meant = registry.undrain(upstream, |known| known.to_string() == address);
        meant.len()
    };
    assert_eq!(undrain("one", C), 0);
    assert_eq!(undrain("three", A), 0);
    assert_eq!((undrain("one", A), undrain("one", A)), (1, 0));
    assert_eq!(texts(&registry), [format!("one {B}"), format!("two {A}")]);
    // One that is there is let in too.
    assert_eq!(undrain("one", B), 1);
    assert!(!second[0].members()[0].endpoint.is_draining());
    let third = registry.reconcile(&[spec("one", &[A, B]), spec("two", &[A])]);
    let draining = |upstream: usize, member: usize| {
        let member = &third[upstream].members()[member];
        member.endpoint.is_draining()
    };
    assert_eq!(
        [draining(0, 0), draining(0, 1), draining(1, 0)],
        [false, false, true]
    );
}

#[test]
fn of_very_many_that_were_drained_the_last_are_remembered() {
    let registry = Registry::new(Resolver::start(HOSTS_FILE.into()).unwrap());
    let addresses: Vec<String> = (1..=1_001)
        .map(|port| format!("192.0.2.1:{port}"))
        .collect();
    let texts: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let first = registry.reconcile(&[spec("one", &texts)]);
    for member in first[0].members() {
        member.endpoint.drain(true);
        member.endpoint.drain(true);
    }
    drop(first);
    assert_eq!(registry.drained().len(), 1_000);
    let second = registry.reconcile(&[spec("one", &texts)]);
    let draining = |index: usize| second[0].members()[index].endpoint.is_draining();
    assert!(!draining(0) && draining(1) && draining(1_000));
}

#[tokio::test]
async fn localhost_is_resolved_in_both_families_off_this_thread() {
    let registry = Registry::start(HOSTS_FILE.into()).unwrap();
    let upstreams = registry.reconcile(&[spec("one", &["localhost:80"])]);
    let endpoint = &upstreams[0].members()[0].endpoint;
    tokio::time::timeout(Duration::from_secs(10), endpoint.answered())
        .await
        .unwrap();
    let resolution = endpoint.resolution();
    assert_eq!(resolution.error, None);
    let addresses: Vec<String> = resolution
        .addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        addresses.contains(&"127.0.0.1:80".to_owned()),
        "{addresses:?}"
    );
    assert!(addresses.contains(&"[::1]:80".to_owned()), "{addresses:?}");
}
