//! `janua status`.

use std::time::{SystemTime, UNIX_EPOCH};

use janua_admin::{
    DatasetStatus, EndpointStatus, Health, PolicyState, PolicyStatus, ReloadStatus, Reuse,
    SecretStatus, Status, UpstreamStatus,
};

use super::table::{Table, counted, duration, number, size};
use super::{CommandResult, Output, certs, printable, reach, upstream};
use crate::cli::Reach;

pub(super) fn status(reach: &Reach) -> CommandResult {
    let client = reach::client(reach)?;
    let status = client.status().map_err(Output::failure)?;
    Ok(Output::new(person(&status), &status))
}

/// Headlines, then one table for each kind of object, then conditions that need
/// attention.
fn person(status: &Status) -> String {
    let mut page = headlines(status);
    section(&mut page, "listeners", status.listeners.len(), || {
        listeners(status)
    });
    section(&mut page, "upstreams", status.upstreams.len(), || {
        upstreams(status)
    });
    section(&mut page, "splits", status.splits.len(), || {
        upstream::splits(&status.splits)
    });
    section(&mut page, "policies", status.policies.len(), || {
        policies(status)
    });
    section(&mut page, "secrets", status.secrets.len(), || {
        secrets(&status.secrets)
    });
    section(&mut page, "datasets", status.datasets.len(), || {
        datasets(&status.datasets)
    });
    section(&mut page, "certificates", status.certificates.len(), || {
        certs::table(&status.certificates)
    });
    let attention = attention(status);
    section(&mut page, "attention", attention.len(), || {
        attention.iter().map(|line| format!("  {line}\n")).collect()
    });
    page.trim_end().to_owned()
}

fn section(page: &mut String, title: &str, entries: usize, body: impl FnOnce() -> String) {
    if entries > 0 {
        page.extend(["\n", title, "\n", &body()]);
    }
}

fn headlines(status: &Status) -> String {
    let state = if status.ready {
        "serving"
    } else {
        "not serving"
    };
    let count = |n: u32, noun| counted(u64::from(n), noun);
    let mut lines = vec![
        format!(
            "janua {}, {state}, up {}, process {}",
            status.version,
            duration(status.uptime_ms),
            status.pid
        ),
        format!(
            "{}, generation {}: {}, {}",
            status.config,
            status.generation,
            count(status.sites, "site"),
            count(status.routes, "route")
        ),
        format!(
            "{}, {}, {} in flight, {} in all",
            count(status.workers, "worker"),
            counted(status.connections, "connection"),
            counted(status.in_flight, "request"),
            number(status.requests)
        ),
    ];
    lines.push(watching(status));
    if let Some(ReloadStatus { at_unix_ms, error }) = &status.last_reload {
        let ago = duration(now_unix_ms(status).saturating_sub(*at_unix_ms));
        let how = if error.is_some() { "refused" } else { "ok" };
        lines.push(format!("last reload {ago} ago: {how}"));
    }
    printable(&(lines.join("\n") + "\n"))
}

fn watching(status: &Status) -> String {
    match status.watching {
        None => "changed files take effect only by `janua reload`".to_owned(),
        Some(watching) if watching.polled > 0 => format!(
            "{} watched for changes, {} of them only in intervals",
            counted(watching.files, "file"),
            number(watching.polled)
        ),
        Some(watching) => format!("{} watched for changes", counted(watching.files, "file")),
    }
}

fn listeners(status: &Status) -> String {
    let mut table = Table::new(["name", "address", "tls", "connections"]);
    for listener in &status.listeners {
        table.row([
            listener.name.clone(),
            listener.addresses.join(", "),
            if listener.tls { "yes" } else { "no" }.to_owned(),
            number(listener.connections),
        ]);
    }
    table.render()
}

fn upstreams(status: &Status) -> String {
    let mut table = Table::new([
        "name",
        "endpoint",
        "health",
        "weight",
        "in flight",
        "idle",
        "requests",
        "failures",
        "backup",
        "zone",
    ]);
    for UpstreamStatus {
        name, endpoints, ..
    } in &status.upstreams
    {
        for endpoint in endpoints {
            table.row([
                name.clone(),
                address(endpoint),
                state(endpoint),
                number(u64::from(endpoint.weight)),
                number(endpoint.in_flight),
                number(endpoint.idle),
                number(endpoint.requests),
                number(endpoint.fails),
                backup(endpoint),
                zone(endpoint),
            ]);
        }
    }
    table.render()
}

/// Whether the endpoint gets requests only if no other one can.
pub(super) fn backup(endpoint: &EndpointStatus) -> String {
    if endpoint.backup { "yes" } else { "no" }.to_owned()
}

pub(super) fn zone(endpoint: &EndpointStatus) -> String {
    endpoint.zone.clone().unwrap_or_else(|| "-".to_owned())
}

/// The endpoint's health, unless a command has taken it out.
pub(super) fn state(endpoint: &EndpointStatus) -> String {
    match (endpoint.draining, endpoint.in_flight) {
        (false, _) => health(endpoint),
        (true, 0) => "drained".to_owned(),
        (true, _) => "draining".to_owned(),
    }
}

/// The endpoint's health, with the number of addresses that are up if they
/// differ.
fn health(endpoint: &EndpointStatus) -> String {
    let addresses = &endpoint.addresses;
    let up = addresses
        .iter()
        .filter(|address| address.health == Health::Up)
        .count();
    match endpoint.health {
        Health::Up if up < addresses.len() => format!("up {up}/{}", addresses.len()),
        Health::Up => "up".to_owned(),
        Health::Down => "down".to_owned(),
        Health::Waiting => "waiting".to_owned(),
        Health::Unresolved => "unresolved".to_owned(),
    }
}

fn policies(status: &Status) -> String {
    let mut table = Table::new([
        "name",
        "component",
        "hash",
        "state",
        "calls",
        "reused",
        "failures",
        "refused",
        "memo",
    ]);
    for policy in &status.policies {
        table.row([
            policy.name.clone(),
            policy.component.clone(),
            policy.hash.chars().take(12).collect(),
            match policy.state {
                PolicyState::Ok => "ok",
                PolicyState::Open => "open",
            }
            .to_owned(),
            number(policy.calls),
            reused(policy),
            number(policy.traps + policy.overruns + policy.errors),
            number(policy.suspended + policy.throttled + policy.overloaded),
            size(policy.memo_bytes),
        ]);
    }
    let memos = status.memos;
    let (bytes, budget) = (size(memos.bytes), size(memos.budget));
    table.render() + &format!("  memory for memos: {bytes} of {budget}\n")
}

/// A row for each key of a secret, and one for each secret without keys.
pub(super) fn secrets(secrets: &[SecretStatus]) -> String {
    let mut table = Table::new(["name", "kind", "key", "type", "algorithm"]);
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    for secret in secrets {
        for key in &secret.keys {
            table.row([
                secret.name.clone(),
                secret.kind.clone(),
                or_none(&key.id),
                key.key_type.clone(),
                or_none(&key.algorithm),
            ]);
        }
        if secret.keys.is_empty() {
            let users = counted(secret.users, "user");
            let none = || "-".to_owned();
            table.row([
                secret.name.clone(),
                secret.kind.clone(),
                none(),
                users,
                none(),
            ]);
        }
    }
    table.render()
}

/// A row for each dataset.
pub(super) fn datasets(datasets: &[DatasetStatus]) -> String {
    let mut table = Table::new(["name", "kind", "entries", "memory", "used by"]);
    for dataset in datasets {
        table.row([
            dataset.name.clone(),
            dataset.kind.clone(),
            number(dataset.entries),
            size(dataset.bytes),
            match dataset.users.is_empty() {
                true => "-".to_owned(),
                false => dataset.users.join(", "),
            },
        ]);
    }
    table.render()
}

fn reused(policy: &PolicyStatus) -> String {
    match policy.hit_ratio() {
        // Rounded down, so that 100 % means all of them.
        Some(ratio) => format!("{:.0} %", (ratio * 100.0).floor()),
        None => "-".to_owned(),
    }
}

/// The address, and the name to which it belongs.
fn address(endpoint: &EndpointStatus) -> String {
    match &endpoint.name {
        Some(name) => format!("{} ({name})", endpoint.address),
        None => endpoint.address.clone(),
    }
}

/// Conditions that an operator should know about.
fn attention(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    for upstream in &status.upstreams {
        for source in &upstream.sources {
            if let Some(error) = &source.error {
                lines.push(format!(
                    "upstream {}: {}: {error}; {} found before",
                    upstream.name,
                    source.source,
                    counted(source.endpoints, "endpoint")
                ));
            }
        }
        let endpoints = &upstream.endpoints;
        if endpoints.is_empty() {
            lines.push(format!("upstream {}: it has no endpoints", upstream.name));
        }
        if !endpoints.is_empty() && endpoints.iter().all(|at| at.health != Health::Up) {
            lines.push(format!("upstream {}: no endpoint is up", upstream.name));
        }
        for limit in &upstream.limits {
            if let Some(most) = limit.limit.filter(|most| limit.in_use >= *most) {
                lines.push(format!(
                    "upstream {}: all it may have of `limits.{}` is in use: {} of {most}",
                    upstream.name, limit.name, limit.in_use
                ));
            }
        }
        if !endpoints.is_empty() && endpoints.iter().all(|at| at.draining) {
            lines.push(format!(
                "upstream {}: all endpoints are taken out",
                upstream.name
            ));
        }
        for endpoint in endpoints {
            if endpoint.draining {
                lines.push(format!(
                    "upstream {}: {}: taken out by `janua upstream drain`",
                    upstream.name, endpoint.address
                ));
            }
            if let Some(trouble) = trouble(endpoint, now_unix_ms(status)) {
                lines.push(format!(
                    "upstream {}: {}: {trouble}",
                    upstream.name, endpoint.address
                ));
            }
        }
    }
    for policy in &status.policies {
        if let Some(error) = &policy.last_error {
            lines.push(format!("policy {}: last failure: {error}", policy.name));
        }
        if let Reuse::Off(why) = &policy.reuse {
            lines.push(format!(
                "policy {}: verdicts are not reused: {why}",
                policy.name
            ));
        }
    }
    if status.memos.is_used_up() {
        lines.push(
            "the memory for reusable verdicts is used up, so that components are called more \
             often: raise `server.memos`"
                .to_owned(),
        );
    }
    for certificate in &status.certificates {
        let warnings = certs::attention(certificate);
        // What the configuration is warned of already is not said again.
        let is_new = |text: &String| !status.warnings.iter().any(|known| known.contains(text));
        let name = certificate.name();
        for text in warnings.filter(is_new) {
            lines.push(format!("certificate {name}: {text}"));
        }
    }
    if let Some(error) = status
        .last_reload
        .as_ref()
        .and_then(|reload| reload.error.as_ref())
    {
        lines.push(format!(
            "the last reload was refused:\n{}",
            error.trim_end()
        ));
    }
    lines.extend(
        status
            .warnings
            .iter()
            .map(|warning| warning.trim_end().to_owned()),
    );
    lines
        .iter()
        .map(|line| printable(line).replace('\n', "\n    "))
        .collect()
}

/// What is wrong with an endpoint, since when and why.
pub(super) fn trouble(endpoint: &EndpointStatus, now_unix_ms: u64) -> Option<String> {
    let why = endpoint.last_error.as_deref();
    match endpoint.health {
        Health::Up => None,
        Health::Unresolved => why.map(str::to_owned),
        Health::Waiting => Some("waits for its first check".to_owned()),
        Health::Down => Some(down(endpoint, now_unix_ms)),
    }
}

fn down(endpoint: &EndpointStatus, now_unix_ms: u64) -> String {
    let mut words = match endpoint.down_since_unix_ms {
        Some(since) => format!("down for {}", duration(now_unix_ms.saturating_sub(since))),
        None => "held back after failures".to_owned(),
    };
    let what = match endpoint.failed.as_deref() {
        Some("check") => "check",
        _ => "request",
    };
    if endpoint.failed_count > 0 {
        let count = counted(u64::from(endpoint.failed_count), what);
        words.push_str(&format!(", {count} failed in a row"));
    }
    if let Some(why) = &endpoint.last_error {
        words.push_str(&format!(", last failure: {why}"));
    }
    if let Some(detail) = &endpoint.last_error_detail {
        words.push_str(&format!(" ({detail})"));
    }
    if endpoint
        .check
        .as_ref()
        .is_some_and(|check| check.state == "waiting")
    {
        words.push_str("; it gets nothing before its first check has passed");
    }
    if endpoint.is_tried {
        words.push_str("; requests are still sent to it");
    }
    words
}

/// The time of this machine, which is that of the gateway.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default().as_millis();
    u64::try_from(since).unwrap_or(u64::MAX)
}

/// The gateway's time when it responded.
fn now_unix_ms(status: &Status) -> u64 {
    status.started_unix_ms.saturating_add(status.uptime_ms)
}

#[cfg(test)]
mod tests;
