//! Whether a declaration would be accepted: names that the gateway does not know,
//! permissions that a phase does not have, positions that do not exist.

use crate::bindings::janua::policy::subscriptions::{Input, Phase, Subscription};
use crate::subscription::unknown_in;
use crate::syntax;

/// The permissions of each phase, in the words of the grants. After one that ends in a
/// colon, there is the name of a field.
const PERMISSIONS: [(&str, &[&str]); 5] = [
    (
        "request",
        &[
            "respond",
            "edit:header:",
            "edit:response-header:",
            "edit:set-path",
            "edit:set-query",
            "edit:set-status",
            "effect:take",
            "effect:charge",
            "effect:concurrency",
            "effect:verify",
            "effect:choose-upstream",
            "effect:split",
            "effect:cache-lookup",
            "effect:purge",
            "effect:ban",
        ],
    ),
    (
        "fetched",
        &[
            "respond",
            "edit:response-header:",
            "edit:set-status",
            "effect:charge",
            "effect:cache-rule",
            "effect:cache-tag",
        ],
    ),
    (
        "missing",
        &[
            "respond",
            "serve",
            "edit:response-header:",
            "edit:set-status",
            "effect:charge",
        ],
    ),
    (
        "response",
        &[
            "respond",
            "edit:response-header:",
            "edit:set-status",
            "effect:charge",
            "effect:purge",
            "effect:ban",
        ],
    ),
    ("finished", &["effect:charge", "effect:purge", "effect:ban"]),
];

/// Checks a declaration.
pub(super) fn check(subscription: &Subscription) -> Result<(), String> {
    for phase in &subscription.phases {
        check_phase(phase).map_err(|why| ["the phase ", &phase.name, ": ", &why].concat())?;
    }
    for field in &subscription.owns {
        check_field(field).map_err(|why| ["`owns`: ", &why].concat())?;
    }
    for name in &subscription.variables {
        if !is_variable(name) {
            return Err(format!(
                "{name:?} is not the name of a variable: it has lower-case letters, digits, \
                 `-` and `_`"
            ));
        }
    }
    for word in &subscription.uses {
        let known = ["secret:", "dataset:", "outbound:", "upstream:"];
        let named = known.iter().filter_map(|kind| word.strip_prefix(kind));
        if !named.into_iter().any(|name| !name.is_empty()) {
            return Err(format!("`uses`: there is no `{word}`"));
        }
    }
    match subscription.more.first() {
        Some(more) => Err(format!("there is no declaration `{}`", more.name)),
        None => Ok(()),
    }
}

fn check_phase(phase: &Phase) -> Result<(), String> {
    let found = PERMISSIONS.iter().find(|(name, _)| *name == phase.name);
    let (_, permissions) = found.ok_or("there is no such phase")?;
    for word in &phase.may {
        check_word(word, permissions)?;
    }
    for position in &phase.sensitive {
        if phase.inputs.get(*position as usize).is_none() {
            return Err(format!("`sensitive`: there is no input {position}"));
        }
    }
    for input in phase.inputs.iter().chain(&phase.references) {
        check_input(input, phase)?;
    }
    Ok(())
}

fn check_word(word: &str, permissions: &[&str]) -> Result<(), String> {
    for permission in permissions {
        if permission.ends_with(':')
            && let Some(field) = word.strip_prefix(permission)
        {
            return check_field(field).map_err(|why| format!("`{word}`: {why}"));
        }
        if word == *permission {
            return Ok(());
        }
    }
    // Compared without the name of a field.
    let (kind, field) = match word.match_indices(':').nth(1) {
        Some((colon, _)) => word.split_at(colon + 1),
        None => (word, ""),
    };
    let elsewhere = PERMISSIONS.iter().any(|(_, known)| known.contains(&kind));
    Err(match syntax::nearest(kind, permissions) {
        _ if elsewhere => format!("the permission `{word}` is not possible here"),
        Some(meant) => {
            format!("there is no permission `{word}`; did you mean `{meant}{field}`?")
        }
        None => {
            let known = permissions.join("`, `");
            format!("there is no permission `{word}`; there are `{known}`")
        }
    })
}

/// Checks the name of a field, which may end in `*`.
fn check_field(name: &str) -> Result<(), String> {
    if name.to_ascii_lowercase() != name {
        return Err(format!("{name:?} is not in lower case"));
    }
    match name.strip_suffix('*') {
        Some(start) if start.contains('*') => Err(format!("{name:?}: a `*` may only end it")),
        Some("") => Ok(()),
        Some(start) => syntax::field_name(start).map(|_| ()),
        None if name.contains('*') => Err(format!("{name:?}: a `*` may only end it")),
        None => syntax::field_name(name).map(|_| ()),
    }
}

fn check_input(input: &Input, phase: &Phase) -> Result<(), String> {
    if let Some(name) = unknown_in(&phase.name, input) {
        return Err(format!("`{name}` is not known yet"));
    }
    match input {
        Input::Header(name)
        | Input::HeaderBase64(name)
        | Input::HeaderPresent(name)
        | Input::ResponseHeader(name)
        | Input::ResponseHeaderBase64(name)
        | Input::ResponseHeaderPresent(name)
            if !syntax::is_token(name) || name.to_ascii_lowercase() != *name =>
        {
            Err(format!("{name:?} is not the name of a field in lower case"))
        }
        Input::ClientNetwork(lengths) if lengths.ipv4 > 32 || lengths.ipv6 > 128 => {
            Err("`client-network`: a prefix has at most 32 or 128 bits".to_owned())
        }
        Input::Variable(name) => match name.split_once('.') {
            Some((policy, variable)) if !policy.is_empty() && is_variable(variable) => Ok(()),
            _ => Err(format!("{name:?} is not a variable; write `policy.name`")),
        },
        Input::Lookup(lookup) => match phase.references.get(lookup.key as usize) {
            None => Err(format!("`lookup`: there is no reference {}", lookup.key)),
            Some(Input::Lookup(_)) => Err("`lookup`: its key is a look-up itself".to_owned()),
            Some(_) => Ok(()),
        },
        Input::Named(named) => Err(format!("there is no input `{}`", named.name)),
        _ => Ok(()),
    }
}

fn is_variable(name: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    !name.is_empty() && name.bytes().all(allowed)
}
