//! Collects the state of the gateway for `janua status`.

use std::fmt::Write as _;
use std::time::SystemTime;

use janua_admin::{
    AddressStatus, EndpointStatus, Health, ListenerStatus, MemosStatus, PolicyState, PolicyStatus,
    Reuse, Status, UpstreamStatus, WatchStatus,
};
use janua_config::Component;
use janua_upstream::{Failing, Member, Upstream};
use janua_wasm::{BreakerState, Policy};

use super::{Gateway, State, acme, certificates, datasets, endpoints, policies, secrets, unix_ms};

pub(super) fn status(gateway: &Gateway, state: &State) -> Status {
    let estate = &gateway.estate;
    let snapshot = estate.snapshot();
    let (in_flight, requests) = estate.requests();
    let listeners = listeners(gateway, state);
    let (sites, routes) = snapshot
        .as_ref()
        .map(|snapshot| snapshot.size())
        .unwrap_or_default();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        config: gateway.config.display().to_string(),
        generation: snapshot.as_ref().map_or(0, |snapshot| snapshot.generation),
        started_unix_ms: unix_ms(gateway.started),
        uptime_ms: estate.now_ms(),
        ready: janua_admin::Control::ready(gateway),
        workers: small(gateway.workers),
        connections: listeners.iter().map(|listener| listener.connections).sum(),
        in_flight,
        requests,
        sites: small(sites),
        routes: small(routes),
        listeners,
        upstreams: snapshot
            .iter()
            .flat_map(|snapshot| snapshot.upstreams())
            .map(|upstream| upstream_status(upstream, state, estate.now_ms()))
            .collect(),
        splits: snapshot
            .iter()
            .flat_map(|snapshot| snapshot.splits())
            .map(|split| upstreams::split_status(&split))
            .collect(),
        policies: snapshot
            .iter()
            .flat_map(|snapshot| policies::by_name(snapshot, estate.now_ms()))
            .map(|(policy, status)| policy_status(policy, status, state))
            .collect(),
        memos: MemosStatus {
            bytes: estate.runtime.memos().bytes,
            budget: estate.runtime.memos().budget,
        },
        secrets: snapshot
            .iter()
            .flat_map(|snapshot| secrets::statuses(snapshot))
            .collect(),
        datasets: snapshot
            .iter()
            .flat_map(|snapshot| datasets::statuses(snapshot))
            .collect(),
        certificates: snapshot
            .iter()
            .flat_map(|snapshot| certificates::statuses(snapshot, &state.last_errors))
            .chain(acme::statuses(
                &gateway.engine,
                &state.loaded.config,
                certificates::unix_now(),
            ))
            .collect(),
        watching: watching(gateway, state),
        last_reload: state.last_reload.clone(),
        warnings: state.loaded.warnings.lines().collect(),
    }
}

fn listeners(gateway: &Gateway, state: &State) -> Vec<ListenerStatus> {
    let bound: Vec<_> = state
        .server
        .iter()
        .flat_map(janua_proxy::Server::addresses)
        .collect();
    let configured = state.loaded.config.listeners.iter();
    configured
        .map(|(name, listener)| ListenerStatus {
            name: name.clone(),
            addresses: bound
                .iter()
                .filter(|(listener, _)| listener == name)
                .map(|(_, address)| address.to_string())
                .collect(),
            tls: listener.tls.on().is_some(),
            connections: gateway.estate.connections(name) as u64,
        })
        .collect()
}

fn watching(gateway: &Gateway, state: &State) -> Option<WatchStatus> {
    let watcher = gateway.watcher.get();
    let watcher = watcher.filter(|_| state.loaded.config.server.watch)?;
    let summary = watcher.summary();
    Some(WatchStatus {
        files: summary.files as u64,
        directories: summary.directories as u64,
        polled: summary.polled as u64,
    })
}

fn upstream_status(upstream: &Upstream, state: &State, now_ms: u64) -> UpstreamStatus {
    let configured = state.loaded.config.upstreams.get(upstream.name());
    let members = upstream.members().iter();
    let endpoints = members.map(|member| endpoint_status(upstream, member, now_ms));
    UpstreamStatus {
        name: upstream.name().to_owned(),
        balance: configured
            .map(|configured| configured.balance.as_str().to_owned())
            .unwrap_or_default(),
        endpoints: endpoints.collect(),
    }
}

/// The state of an endpoint.
pub(super) fn endpoint_status(upstream: &Upstream, member: &Member, now_ms: u64) -> EndpointStatus {
    let endpoint = &member.endpoint;
    let counters = endpoint.counters();
    let resolution = endpoint.resolution();
    let health = match upstream.is_up(member) {
        _ if !endpoint.is_resolved() => Health::Unresolved,
        true => Health::Up,
        false => Health::Down,
    };
    let failing = endpoint.failing().filter(|_| health == Health::Down);
    let since = |failing: Failing| {
        let ago = now_ms.saturating_sub(failing.since_ms);
        unix_ms(SystemTime::now()).saturating_sub(ago)
    };
    EndpointStatus {
        address: endpoint.address().to_string(),
        addresses: resolution
            .addresses
            .iter()
            .map(|address| AddressStatus {
                address: address.to_string(),
                health,
            })
            .collect(),
        weight: member.current_weight(),
        configured_weight: Some(member.weight).filter(|it| *it != member.current_weight()),
        draining: endpoint.is_draining(),
        backup: member.is_backup,
        zone: member.zone.as_deref().map(str::to_owned),
        health,
        in_flight: u64::from(counters.in_flight),
        idle: counters.idle,
        requests: counters.requests,
        fails: counters.failures,
        down_since_unix_ms: failing.map(since),
        last_error: match failing {
            Some(failing) => Some(failing.why.to_owned()),
            None => resolution.error.clone(),
        },
    }
}

fn policy_status(policy: &Policy, status: janua_wasm::PolicyStatus, state: &State) -> PolicyStatus {
    let component = state
        .loaded
        .config
        .policies
        .get(&**policy.name())
        .map(|named| &named.component.value);
    PolicyStatus {
        name: policy.name().to_string(),
        component: match component {
            Some(Component::Bundled(name)) => name.clone(),
            Some(Component::File(path)) => path.display().to_string(),
            None => String::new(),
        },
        hash: hex(policy.component().hash()),
        identity: hex(policy.identity()),
        state: match status.breaker {
            BreakerState::Closed => PolicyState::Ok,
            BreakerState::Open { .. } => PolicyState::Open,
        },
        calls: status.counts.calls,
        hits: status.counts.hits,
        misses: status.counts.misses,
        traps: status.counts.traps,
        overruns: status.counts.overruns,
        errors: status.counts.errors + status.counts.memory + status.counts.bad_verdicts,
        suspended: status.counts.suspended,
        throttled: status.counts.throttled,
        overloaded: status.counts.overloaded,
        reuse: reuse(policy, &status),
        last_error: status.last_error,
        memo_bytes: status.memo_bytes,
        memo_entries: status.memo_entries,
    }
}

fn reuse(policy: &Policy, status: &janua_wasm::PolicyStatus) -> Reuse {
    if status.reuse_disabled {
        return Reuse::Off("a reused verdict differed from a fresh one".to_owned());
    }
    if !policy.spec().memo {
        return Reuse::Off("by the configuration".to_owned());
    }
    if status.memos_paused > 0 {
        return Reuse::Off(format!(
            "{} memos take in nothing new: hardly anything in them is asked for again",
            status.memos_paused
        ));
    }
    Reuse::On
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
