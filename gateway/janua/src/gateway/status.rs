//! Collects the state of the gateway for `janua status`.

use std::fmt::Write as _;
use std::time::SystemTime;

use janua_admin::{
    AddressStatus, CheckStatus, EndpointStatus, Health, LimitStatus, ListenerStatus, MemosStatus,
    PolicyState, PolicyStatus, Reuse, SourceStatus, Status, UpstreamStatus, WatchStatus,
};
use janua_config::Component;
use janua_proxy::Snapshot;
use janua_upstream::{Address, Ill, Limit, Member, Upstream};
use janua_wasm::{BreakerState, Policy};

use super::{Gateway, State, acme, certificates, datasets, policies, secrets, unix_ms, upstreams};

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
            .map(|upstream| UpstreamStatus {
                sources: sources(snapshot.as_deref(), upstream.name()),
                ..upstream_status(upstream, state, estate.now_ms())
            })
            .collect(),
        splits: snapshot
            .iter()
            .flat_map(|snapshot| snapshot.splits())
            .map(|split| upstreams::split_status(&split))
            .collect(),
        absent: snapshot
            .iter()
            .flat_map(|snapshot| upstreams::absent(estate, snapshot))
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
        limits: limits(upstream),
        sources: Vec::new(),
    }
}

fn sources(snapshot: Option<&Snapshot>, upstream: &str) -> Vec<SourceStatus> {
    let sources = snapshot.map(|snapshot| janua_proxy::sources(snapshot, upstream));
    let sources = sources.into_iter().flatten();
    let statuses = sources.map(|state| SourceStatus {
        source: state.source,
        endpoints: state.endpoints as u64,
        error: state.error,
    });
    statuses.collect()
}

fn limits(upstream: &Upstream) -> Vec<LimitStatus> {
    let status = |limit: Limit| LimitStatus {
        name: limit.word().to_owned(),
        in_use: upstream.group().in_use(limit),
        limit: upstream.limit(limit).map(u64::from),
    };
    let adaptive = upstream.limits().adaptive;
    let is_shown = |limit: &Limit| *limit != Limit::Adaptive || adaptive.is_some();
    Limit::ALL
        .into_iter()
        .filter(is_shown)
        .map(status)
        .collect()
}

/// The state of an endpoint.
pub(super) fn endpoint_status(upstream: &Upstream, member: &Member, now_ms: u64) -> EndpointStatus {
    let endpoint = &member.endpoint;
    let counters = endpoint.counters();
    let resolution = endpoint.resolution();
    let ill = upstream.ill(member);
    let health = match &ill {
        None => Health::Up,
        Some(Ill::Unresolved) => Health::Unresolved,
        Some(Ill::Unknown) => Health::Waiting,
        Some(Ill::Checks(_) | Ill::Requests(_)) => Health::Down,
    };
    let down = ill.as_ref().filter(|_| health == Health::Down);
    let unix = |ms: u64| unix_ms(SystemTime::now()).saturating_sub(now_ms.saturating_sub(ms));
    EndpointStatus {
        address: endpoint.address().to_string(),
        name: match endpoint.address() {
            Address::Resolved { host, .. } => Some(host.clone()),
            Address::Ip(_) | Address::Name { .. } | Address::Unix(_) => None,
        },
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
        down_since_unix_ms: down.and_then(Ill::since_ms).map(unix),
        last_error: match down {
            Some(ill) => Some(ill.word().to_owned()),
            None => resolution.error.clone(),
        },
        failed: down.map(|ill| ill.source().to_owned()),
        failed_count: down.map_or(0, Ill::count),
        last_error_detail: down.and_then(|ill| match (ill.status(), ill.detail()) {
            (Some(status), _) => Some(status.to_string()),
            (None, "") => None,
            (None, detail) => Some(detail.to_owned()),
        }),
        is_tried: down.is_some_and(Ill::is_tried),
        check: upstream.is_checked().then(|| {
            let checks = endpoint.checks();
            CheckStatus {
                state: checks.state.word().to_owned(),
                contrary: checks.contrary,
                checked_unix_ms: checks.checked_ms.map(unix),
            }
        }),
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
