//! What a reload changed, as text and as data.

use std::sync::Arc;

use janua_admin::ReloadChange;
use janua_config::{Change, ChangeKind, Config};
use janua_proxy::Snapshot;
use janua_tls::utc;
use janua_wasm::Policy;

/// The differences: first of the configuration, field by field, then of the
/// files it refers to, which are the components, the files in policies'
/// configurations, and the certificates of sites.
pub(super) fn between(
    old: &Config,
    new: &Config,
    before: Option<&Snapshot>,
    after: &Snapshot,
) -> Vec<ReloadChange> {
    let mut changes: Vec<ReloadChange> = old.changes(new).iter().map(entry).collect();
    let Some(before) = before else {
        return changes;
    };
    for policy in after.policies() {
        let what = format!("policy {}", policy.name());
        for (field, why) in contents(old, new, before, policy) {
            let change = ReloadChange {
                text: format!("{what}: {why}"),
                what: what.clone(),
                field,
                change: "changed".to_owned(),
                old: None,
                new: None,
            };
            // A policy that is used with several deadlines has several
            // instances here.
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
    }
    changes.extend(certificates(before, after));
    changes
}

/// Certificates whose files have another content.
fn certificates(before: &Snapshot, after: &Snapshot) -> Vec<ReloadChange> {
    let all = after.certificates().iter();
    let changed = all.filter_map(|served| {
        let (files, facts) = (served.certificate.files(), served.certificate.facts());
        let mut known = before.certificates().iter();
        let known = known.find(|known| known.certificate.files() == files)?;
        let old = known.certificate.facts();
        let what = format!("certificate {}", files.cert.display());
        (old.fingerprint != facts.fingerprint).then(|| ReloadChange {
            text: format!(
                "{what}: another one, valid until {} instead of {}",
                utc(facts.not_after),
                utc(old.not_after)
            ),
            what,
            field: None,
            change: "changed".to_owned(),
            old: None,
            new: None,
        })
    });
    changed.collect()
}

fn entry(change: &Change) -> ReloadChange {
    ReloadChange {
        text: change.to_string(),
        what: change.what.clone(),
        field: change.field.clone(),
        change: match change.change {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Changed => "changed",
            ChangeKind::Reordered => "reordered",
        }
        .to_owned(),
        old: change.old.clone(),
        new: change.new.clone(),
    }
}

/// What has changed for a policy although its table is the same.
fn contents(
    old: &Config,
    new: &Config,
    before: &Snapshot,
    policy: &Arc<Policy>,
) -> Vec<(Option<String>, String)> {
    let mut found = Vec::new();
    let (name, policies) = (policy.name(), before.policies());
    let (Some(was), Some(is)) = (old.policies.get(&**name), new.policies.get(&**name)) else {
        return found;
    };
    let known: Vec<&Arc<Policy>> = policies.iter().filter(|it| it.name() == name).collect();
    if known.is_empty() {
        return found;
    }
    let component = policy.component().hash();
    if was.component == is.component && !known.iter().any(|it| it.component().hash() == component) {
        found.push((
            Some("component".to_owned()),
            "the content of its component changed".to_owned(),
        ));
    }
    let told = &policy.spec().identity_extra;
    if was.config.value == is.config.value
        && !known.iter().any(|it| it.spec().identity_extra == *told)
    {
        let keys: Vec<String> = is.config.references().collect();
        let field = match keys.as_slice() {
            [key] => Some(format!("config.{key}")),
            _ => None,
        };
        let keys = keys.join("` or `");
        found.push((
            field,
            format!("the content that `{keys}` refers to changed"),
        ));
    }
    found
}

/// The changed settings that take effect only after a restart.
pub(super) fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let mut fields = Vec::new();
    if old.server.workers != new.server.workers {
        fields.push("server.workers");
    }
    if old.server.buckets != new.server.buckets {
        fields.push("server.buckets");
    }
    if old.server.memos != new.server.memos {
        fields.push("server.memos");
    }
    if old.server.state_dir != new.server.state_dir {
        fields.push("server.state_dir");
    }
    if old.server.cache_dir != new.server.cache_dir {
        fields.push("server.cache_dir");
    }
    if old.server.hosts_file != new.server.hosts_file {
        fields.push("server.hosts_file");
    }
    if old.server.name_servers != new.server.name_servers {
        fields.push("server.name_servers");
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
