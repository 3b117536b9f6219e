//! Metrics that are kept elsewhere and read at the time of a scrape.

use std::time::SystemTime;

use janua_acme::Engine;
use janua_proxy::Estate;
use janua_telemetry::metrics::{Samples, definitions};
use janua_upstream::{Limit, Upstream};
use janua_wasm::BreakerState;

use super::{State, acme, certificates, policies, unix_ms};

/// Samples for endpoints, policies and the process.
pub(super) fn samples(
    estate: &Estate,
    workers: usize,
    started: SystemTime,
    state: &State,
    engine: &Engine,
) -> Samples {
    let mut samples = Samples::default();
    let snapshot = estate.snapshot();
    samples.gauge(&definitions::WORKERS, [], count(workers as u64));
    samples.gauge(&definitions::BUILD, [env!("CARGO_PKG_VERSION")], 1.0);
    samples.gauge(
        &definitions::START_TIME,
        [],
        count(unix_ms(started)) / 1000.0,
    );
    if let Some(reload) = &state.last_reload {
        samples.gauge(
            &definitions::RELOAD_TIME,
            [],
            count(reload.at_unix_ms) / 1000.0,
        );
    }
    let live = estate.live_generations() as u64;
    samples.gauge(&definitions::LIVE_GENERATIONS, [], count(live));
    let Some(snapshot) = snapshot else {
        return samples;
    };
    samples.gauge(&definitions::GENERATION, [], count(snapshot.generation));
    for upstream in snapshot.upstreams() {
        limits(upstream, &mut samples);
        let mut idle = 0;
        for member in upstream.members() {
            let address = member.endpoint.address().to_string();
            let counters = member.endpoint.counters();
            idle += counters.idle;
            let labels = [upstream.name(), address.as_str()];
            let is_up = upstream.is_up(member);
            samples.gauge(
                &definitions::ENDPOINT_IN_FLIGHT,
                labels,
                f64::from(counters.in_flight),
            );
            samples.gauge(
                &definitions::ENDPOINT_HEALTHY,
                labels,
                f64::from(u8::from(is_up)),
            );
            samples.gauge(
                &definitions::ENDPOINT_DRAINING,
                labels,
                f64::from(u8::from(member.endpoint.is_draining())),
            );
        }
        let name = [upstream.name()];
        samples.gauge(&definitions::UPSTREAM_IDLE, name, count(idle));
        let held = upstream.group().repeats().held();
        samples.gauge(&definitions::UPSTREAM_HELD, name, f64::from(held));
        let members = upstream.members().len() as u64;
        samples.gauge(
            &definitions::UPSTREAM_ENDPOINTS,
            [upstream.name()],
            count(members),
        );
        for source in janua_proxy::sources(&snapshot, upstream.name()) {
            let is_ok = source.error.is_none();
            samples.gauge(
                &definitions::DISCOVERY_OK,
                [upstream.name(), source.source.as_str()],
                f64::from(u8::from(is_ok)),
            );
        }
    }
    for split in snapshot.splits() {
        for share in &split.shares {
            let labels = [&*split.site, &*split.route, &*share.upstream];
            samples.gauge(&definitions::SPLIT_WEIGHT, labels, f64::from(share.weight));
        }
    }
    let memos = estate.runtime.memos();
    samples.gauge(&definitions::MEMOS_BYTES, [], count(memos.bytes));
    samples.gauge(&definitions::MEMOS_BUDGET, [], count(memos.budget));
    for (policy, status) in policies::by_name(&snapshot, estate.now_ms()) {
        let name: [&str; 1] = [policy.name()];
        let is_open = !matches!(status.breaker, BreakerState::Closed);
        samples.counter(&definitions::POLICY_CALLS, name, count(status.counts.calls));
        samples.counter(&definitions::POLICY_HITS, name, count(status.counts.hits));
        samples.gauge(
            &definitions::POLICY_OPEN,
            name,
            f64::from(u8::from(is_open)),
        );
        samples.gauge(
            &definitions::POLICY_MEMO_BYTES,
            name,
            count(status.memo_bytes),
        );
        samples.gauge(
            &definitions::POLICY_MEMO_ENTRIES,
            name,
            count(status.memo_entries),
        );
        for (made, instances) in [
            ("spare", status.counts.spares),
            ("worker", status.counts.configured),
        ] {
            samples.counter(
                &definitions::POLICY_INSTANCES,
                [policy.name(), made],
                count(instances),
            );
        }
        for (outcome, compared) in [
            ("compared", status.counts.samples),
            ("different", status.counts.mismatches),
            ("dropped", status.counts.samples_dropped),
        ] {
            samples.counter(
                &definitions::POLICY_SAMPLES,
                [policy.name(), outcome],
                count(compared),
            );
        }
        for (kind, failures) in [
            ("trap", status.counts.traps),
            ("deadline", status.counts.overruns),
            ("memory", status.counts.memory),
            ("error", status.counts.errors),
            ("bad_verdict", status.counts.bad_verdicts),
            ("breaker_open", status.counts.suspended),
            ("throttled", status.counts.throttled),
            ("overloaded", status.counts.overloaded),
        ] {
            samples.counter(
                &definitions::POLICY_FAILURES,
                [policy.name(), kind],
                count(failures),
            );
        }
    }
    for (labels, failures) in acme::failures(engine) {
        let labels = labels.each_ref().map(String::as_str);
        samples.gauge(&definitions::ACME_FAILURES, labels, f64::from(failures));
    }
    let issued = acme::expiries(engine, &state.loaded.config);
    for (labels, expiry) in certificates::expiries(&snapshot, issued) {
        let labels = labels.each_ref().map(String::as_str);
        samples.gauge(&definitions::CERTIFICATE_EXPIRY, labels, expiry);
    }
    cache(estate, &mut samples);
    samples
}

/// How much of an upstream is in use, and how much may be.
fn limits(upstream: &Upstream, samples: &mut Samples) {
    for limit in Limit::ALL {
        let labels = [upstream.name(), limit.word()];
        let most = upstream.limit(limit);
        if limit != Limit::Adaptive || most.is_some() {
            let in_use = upstream.group().in_use(limit);
            samples.gauge(&definitions::UPSTREAM_IN_USE, labels, count(in_use));
        }
        if let Some(most) = most {
            samples.gauge(&definitions::UPSTREAM_LIMIT, labels, f64::from(most));
        }
    }
}

/// Samples for the cache; none if it is off.
fn cache(estate: &Estate, samples: &mut Samples) {
    let figures = estate.cache.status();
    if figures.budget == 0 {
        return;
    }
    let memory = [
        figures.objects,
        figures.bytes,
        figures.budget,
        figures.evictions,
    ];
    let disk = figures
        .disk
        .map(|disk| [disk.objects, disk.bytes, disk.budget, disk.evictions]);
    for (store, figures) in [("memory", Some(memory)), ("disk", disk)] {
        let Some([objects, bytes, budget, evictions]) = figures else {
            continue;
        };
        samples.gauge(&definitions::CACHE_OBJECTS, [store], count(objects));
        samples.gauge(&definitions::CACHE_BYTES, [store], count(bytes));
        samples.gauge(&definitions::CACHE_BUDGET, [store], count(budget));
        samples.counter(&definitions::CACHE_EVICTIONS, [store], count(evictions));
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "Prometheus counts in floats; the 53rd bit does not show"
)]
fn count(value: u64) -> f64 {
    value as f64
}
