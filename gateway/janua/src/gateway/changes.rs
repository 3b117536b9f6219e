//! What a reload changed, for a person.

use std::collections::BTreeSet;

use janua_config::{Config, Names};
use janua_proxy::Snapshot;

/// A line for each thing that differs.
pub(super) fn between(
    old: &Config,
    new: &Config,
    before: Option<&Snapshot>,
    after: &Snapshot,
) -> Vec<String> {
    let mut changes = Vec::new();
    names("listener", &old.listeners, &new.listeners, &mut changes);
    names("upstream", &old.upstreams, &new.upstreams, &mut changes);
    names("policy", &old.policies, &new.policies, &mut changes);
    for (name, upstream) in &new.upstreams {
        if let Some(previous) = old.upstreams.get(name) {
            let addresses = |upstream: &janua_config::Upstream| -> BTreeSet<String> {
                upstream
                    .endpoints
                    .iter()
                    .map(|endpoint| endpoint.address.value.to_string())
                    .collect()
            };
            let (was, is) = (addresses(&previous.table), addresses(&upstream.table));
            changes.extend(
                is.difference(&was)
                    .map(|address| format!("upstream {name}: endpoint {address} added")),
            );
            changes.extend(
                was.difference(&is)
                    .map(|address| format!("upstream {name}: endpoint {address} removed")),
            );
        }
    }
    if let Some(before) = before {
        for policy in after.policies() {
            let same_name = before
                .policies()
                .iter()
                .filter(|known| known.name() == policy.name());
            let identities: Vec<_> = same_name.map(|known| known.identity()).collect();
            if !identities.is_empty() && !identities.contains(&policy.identity()) {
                changes.push(format!("policy {} changed", policy.name()));
            }
        }
        let (was, is) = (before.size(), after.size());
        if was != is {
            changes.push(format!(
                "sites {} → {}, routes {} → {}",
                was.0, is.0, was.1, is.1
            ));
        }
    }
    changes
}

/// What the new file says that only a restart carries out.
pub(super) fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let mut fields = Vec::new();
    if old.server.workers != new.server.workers {
        fields.push("server.workers");
    }
    if old.server.buckets != new.server.buckets {
        fields.push("server.buckets");
    }
    if old.server.state_dir != new.server.state_dir {
        fields.push("server.state_dir");
    }
    if old.server.hosts_file != new.server.hosts_file {
        fields.push("server.hosts_file");
    }
    let admin = |config: &Config| {
        let admin = &config.admin;
        (
            admin.socket.value.clone(),
            admin.mode.value,
            admin.group.as_ref().map(|group| group.value.clone()),
        )
    };
    if admin(old) != admin(new) {
        fields.push("admin");
    }
    if old.log.level != new.log.level {
        fields.push("log.level");
    }
    let warn = |field| format!("`{field}` has changed; it is carried out at the next start");
    fields.into_iter().map(warn).collect()
}

fn names<T>(kind: &str, old: &Names<T>, new: &Names<T>, changes: &mut Vec<String>) {
    let missing = |from: &Names<T>, other: &Names<T>, word: &str| -> Vec<String> {
        let gone = from.keys().filter(|name| !other.contains_key(*name));
        gone.map(|name| format!("{kind} {name} {word}")).collect()
    };
    changes.extend(missing(new, old, "added"));
    changes.extend(missing(old, new, "removed"));
}
