//! What a configured policy declares, for people and as JSON.

use janua_wasm::{Input, Phase, Policy};
use serde_json::{Value, json};

use super::table::wrapped;

/// Each phase with what the policy is told and may do there, then what holds for all of them,
/// and the grants that an operator has to write.
pub(super) fn person(policy: &Policy, is_bundled: bool) -> String {
    let mut page = String::new();
    for (phase, inputs, references) in phases(policy) {
        page.push_str(&format!("  {}\n", phase.name()));
        list(&mut page, 4, "inputs", inputs.iter().map(told));
        list(&mut page, 4, "references", references.iter().map(told));
        list(&mut page, 4, "may", policy.may(phase).into_iter());
    }
    let owns = policy.owned_fields().iter().map(ToString::to_string);
    list(&mut page, 2, "owns", owns);
    let variables = policy.variables().iter().map(ToString::to_string);
    list(&mut page, 2, "variables", variables);
    list(&mut page, 2, "uses", policy.uses().into_iter());
    if page.is_empty() {
        page.push_str("  it takes part in no phase\n");
    }
    page.push_str("\ngrants\n");
    page.push_str(&match policy.needs() {
        _ if is_bundled => "  none needed: it is bundled with the gateway\n".to_owned(),
        None => "  none needed\n".to_owned(),
        Some(needed) => wrapped(&needed.line, 2, 4),
    });
    page
}

pub(super) fn json(policy: &Policy, is_bundled: bool) -> Value {
    let told = |all: &[(Input, bool)]| -> Value {
        all.iter()
            .map(|(input, sensitive)| json!({ "input": input.to_string(), "sensitive": sensitive }))
            .collect()
    };
    let phases: Value = phases(policy)
        .map(|(phase, inputs, references)| {
            json!({
                "name": phase.name(),
                "inputs": told(&inputs),
                "references": told(&references),
                "may": policy.may(phase),
            })
        })
        .collect();
    let grants = policy.needs().filter(|_| !is_bundled);
    let owns = policy.owned_fields().iter();
    let variables = policy.variables().iter();
    json!({
        "phases": phases,
        "owns": owns.map(ToString::to_string).collect::<Vec<_>>(),
        "variables": variables.map(ToString::to_string).collect::<Vec<_>>(),
        "uses": policy.uses(),
        "grants": grants.map(|needed| needed.missing).unwrap_or_default(),
    })
}

/// The phases that it declares, with their inputs and references, and whether each of these is
/// sensitive.
type Told = Vec<(Input, bool)>;

fn phases(policy: &Policy) -> impl Iterator<Item = (Phase, Told, Told)> {
    Phase::ALL.into_iter().filter_map(|phase| {
        let plan = policy.plan(phase)?;
        let both = |inputs: &[Input], sensitive: &[bool]| {
            let inputs = inputs.iter().cloned();
            inputs.zip(sensitive.iter().copied()).collect()
        };
        let inputs = both(&plan.inputs, &plan.sensitive);
        let references = both(&plan.references, &plan.sensitive_references);
        Some((phase, inputs, references))
    })
}

fn told((input, is_sensitive): &(Input, bool)) -> String {
    match is_sensitive {
        true => format!("{input} (sensitive)"),
        false => input.to_string(),
    }
}

/// A title and what it has, if anything.
fn list(page: &mut String, indent: usize, title: &str, entries: impl Iterator<Item = String>) {
    let entries: Vec<String> = entries.collect();
    if !entries.is_empty() {
        let text = format!("{title:<11} {}", entries.join(", "));
        page.push_str(&wrapped(&text, indent, indent + 12));
    }
}
