//! The policies by their configured names. A policy whose uses have different deadlines
//! is several policies for the host, but one here.

use std::collections::HashMap;
use std::sync::Arc;

use janua_proxy::Snapshot;
use janua_wasm::{Policy, PolicyStatus};

/// Each name once, in the order of the snapshot, with the counters added up.
pub(super) fn by_name(snapshot: &Snapshot, now_ms: u64) -> Vec<(&Arc<Policy>, PolicyStatus)> {
    let mut named: Vec<(&Arc<Policy>, PolicyStatus)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for policy in snapshot.policies() {
        let status = policy.status(now_ms);
        let place = *places.entry(policy.name()).or_insert(named.len());
        match named.get_mut(place) {
            Some((_, sum)) => sum.join(status),
            None => named.push((policy, status)),
        }
    }
    named
}
