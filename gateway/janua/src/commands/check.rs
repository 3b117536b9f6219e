//! `janua check`.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use janua_acme::Delegation;
use janua_admin::{DatasetStatus, SecretStatus};
use janua_config::Diagnostics;
use serde_json::json;

use super::table::{counted, wrapped};
use super::{CommandResult, Output, printable, status};
use crate::gateway::{self, Checked, StartError};

pub(super) fn check(config: &Path) -> CommandResult {
    let mut loaded = gateway::load(config).map_err(|found| refused(config, &found))?;
    let checked = gateway::check(&mut loaded).map_err(|error| match error {
        StartError::Refused(found) => refused(config, &found),
        StartError::Machine(why) => Output::failure(why),
    })?;
    let size = [
        (checked.sites, "site"),
        (checked.routes, "route"),
        (checked.policies.len(), "policy"),
    ]
    .map(|(n, noun)| counted(n as u64, noun))
    .join(", ");
    let delegations = gateway::delegations(&loaded);
    let warnings = &loaded.warnings;
    Ok(Output {
        person: format!(
            "{}{} is valid: {size}{}{}{}{}",
            warnings.render(io::stdout().is_terminal() && wants_color()),
            config.display(),
            printable(&declared(&checked)),
            secrets(&checked.secrets),
            datasets(&checked.datasets),
            printable(&dns(&delegations))
        ),
        json: json!({
            "valid": true,
            "sites": checked.sites,
            "routes": checked.routes,
            "policies": checked.policies.len(),
            "declared": checked
                .policies
                .iter()
                .map(|(name, what)| (name.clone(), json!(what)))
                .collect::<serde_json::Map<_, _>>(),
            "secrets": checked.secrets,
            "datasets": checked.datasets,
            "warnings": warnings,
            "errors": [],
            "dns_records": delegations
                .iter()
                .map(|one| json!({ "record": one.record, "instead": one.instead }))
                .collect::<Vec<_>>(),
        }),
    })
}

/// What each policy declares that it may know and do.
fn declared(checked: &Checked) -> String {
    if checked.policies.is_empty() {
        return String::new();
    }
    let lines = checked.policies.iter().map(|(name, what)| {
        let what = match what.is_empty() {
            true => "nothing that needs a permission".to_owned(),
            false => what.join(", "),
        };
        wrapped(&format!("{name}: {what}"), 2, 4)
    });
    let lines: String = lines.collect();
    format!("\nwhat the policies declare:\n{}", lines.trim_end())
}

/// The secrets, by name.
fn secrets(secrets: &[SecretStatus]) -> String {
    match secrets.is_empty() {
        true => String::new(),
        false => format!("\nsecrets:\n{}", status::secrets(secrets).trim_end()),
    }
}

/// The datasets, by name.
fn datasets(datasets: &[DatasetStatus]) -> String {
    match datasets.is_empty() {
        true => String::new(),
        false => format!("\ndatasets:\n{}", status::datasets(datasets).trim_end()),
    }
}

/// The records that the DNS needs once for certificates by ACME.
fn dns(delegations: &[Delegation]) -> String {
    if delegations.is_empty() {
        return String::new();
    }
    let lines = delegations.iter().map(|one| match &one.instead {
        None => format!("\n  {}  is there", one.record),
        Some(instead) => format!("\n  {}  is missing: {instead}", one.record),
    });
    let lines: String = lines.collect();
    format!("\nrecords that the DNS needs once, for certificates by DNS-01:{lines}")
}

pub(super) fn refused(config: &Path, found: &Diagnostics) -> Output {
    let (errors, warnings): (Vec<_>, Vec<_>) = serde_json::to_value(found)
        .ok()
        .and_then(|found| found.as_array().cloned())
        .unwrap_or_default()
        .into_iter()
        .partition(|entry| entry["severity"] == "error");
    Output {
        person: format!(
            "{}{}: {}",
            found.render(io::stderr().is_terminal() && wants_color()),
            config.display(),
            counted(found.errors() as u64, "error")
        ),
        json: json!({ "valid": false, "warnings": warnings, "errors": errors }),
    }
}

/// The convention of no-color.org.
fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
