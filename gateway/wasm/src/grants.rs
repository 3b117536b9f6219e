//! Grants: the permissions that an operator gives a policy, and the inputs and effects
//! that require one.

use std::collections::BTreeSet;

use crate::input::{Input, Phase};
use crate::plan::Plan;

/// The grants of a policy. Bundled policies need none.
#[derive(Debug, Clone)]
pub(crate) struct Grants {
    bundled: bool,
    given: BTreeSet<String>,
}

impl Grants {
    pub(crate) fn new(bundled: bool, given: &[String]) -> Self {
        Self {
            bundled,
            given: given.iter().cloned().collect(),
        }
    }

    /// Whether a grant such as `effect:take` was given.
    pub(crate) fn allows(&self, name: &str) -> bool {
        self.bundled || self.given.contains(name)
    }

    /// The grants that a plan requires and that were not given.
    pub(crate) fn missing(&self, plan: &Plan) -> BTreeSet<String> {
        plan.inputs
            .iter()
            .chain(&plan.references)
            .filter_map(required_grant)
            .filter(|name| !self.allows(name) && !self.allows_through_cookie_field(name))
            .collect()
    }

    /// A policy that may read the whole `Cookie` field may read each cookie.
    fn allows_through_cookie_field(&self, name: &str) -> bool {
        name.starts_with("cookie:") && self.allows("header:cookie")
    }

    /// The grants that no plan can use.
    pub(crate) fn unused<'p>(&self, plan: impl Fn(Phase) -> Option<&'p Plan>) -> Vec<String> {
        let plans: Vec<(Phase, &Plan)> = Phase::ALL
            .into_iter()
            .filter_map(|phase| Some((phase, plan(phase)?)))
            .collect();
        let asked: BTreeSet<String> = plans
            .iter()
            .flat_map(|(_, plan)| plan.inputs.iter().chain(&plan.references))
            .filter_map(required_grant)
            .collect();
        let is_used = |name: &String| match name.strip_prefix("effect:") {
            Some(effect) => {
                let phases = phases_of(effect);
                plans.iter().any(|(phase, _)| phases.contains(phase))
            }
            None if name == "header:cookie" => {
                let is_cookie =
                    |name: &String| name == "header:cookie" || name.starts_with("cookie:");
                asked.iter().any(is_cookie)
            }
            None => asked.contains(name),
        };
        let unused = self.given.iter().filter(|name| !is_used(name));
        unused.cloned().collect()
    }

    /// The configuration line with the given and the missing grants.
    pub(crate) fn line_with(&self, missing: &BTreeSet<String>) -> String {
        let all: Vec<String> = self
            .given
            .union(missing)
            .map(|name| format!("{name:?}"))
            .collect();
        format!("grants = [{}]", all.join(", "))
    }
}

/// Whether a grant of some name exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantName {
    /// It exists.
    Known,
    /// It names a field that every policy may read.
    NotNeeded,
    /// It is part of the contract, but this version does not support it.
    NotSupported,
    /// It does not exist. It is refused, because a misspelt grant would silently have no
    /// effect.
    Unknown,
}

/// Whether a grant of this name, such as `effect:take`, exists.
pub fn grant_name(name: &str) -> GrantName {
    match name.split_once(':') {
        Some(("effect", "verify" | "choose-upstream" | "ban")) => GrantName::NotSupported,
        Some(("effect", effect)) if !phases_of(effect).is_empty() => GrantName::Known,
        Some((_, "")) => GrantName::Unknown,
        Some(("cookie", _)) => GrantName::Known,
        Some(("header", of)) => read_grant(&Input::Header(of.to_ascii_lowercase().into())),
        Some(("response-header", of)) => {
            read_grant(&Input::ResponseHeader(of.to_ascii_lowercase().into()))
        }
        Some(("secret" | "outbound", _)) => GrantName::NotSupported,
        None if name == "key-value" => GrantName::NotSupported,
        _ => GrantName::Unknown,
    }
}

fn read_grant(input: &Input) -> GrantName {
    match required_grant(input) {
        Some(_) => GrantName::Known,
        None => GrantName::NotNeeded,
    }
}

/// The phases in which an effect is allowed. Empty if the effect does not exist or is
/// not supported.
pub(crate) fn phases_of(effect: &str) -> &'static [Phase] {
    match effect {
        "take" | "cache-lookup" => &[Phase::Request],
        "cache-rule" | "tag" => &[Phase::Fetched],
        "purge" => &[Phase::Request, Phase::Response],
        _ => &[],
    }
}

/// The grant that an input requires. Only credentials require one.
fn required_grant(input: &Input) -> Option<String> {
    let name = input.name().filter(|_| input.is_credential())?;
    Some(format!("{}:{name}", input.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(bundled: bool, given: &[&str], inputs: &[Input]) -> Vec<String> {
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        let plan = Plan::new(inputs.to_vec(), Vec::new(), &[]).unwrap();
        Grants::new(bundled, &given)
            .missing(&plan)
            .into_iter()
            .collect()
    }

    #[test]
    fn grants_are_known_by_name() {
        for (name, known) in [
            ("effect:take", GrantName::Known),
            ("header:authorization", GrantName::Known),
            ("cookie:session", GrantName::Known),
            ("effect:verify", GrantName::NotSupported),
            ("effect:ban", GrantName::NotSupported),
            ("key-value", GrantName::NotSupported),
            ("outbound:app", GrantName::NotSupported),
            ("secret:a", GrantName::NotSupported),
            ("header:accept", GrantName::NotNeeded),
            ("response-header:vary", GrantName::NotNeeded),
            ("response-header:set-cookie", GrantName::Known),
            ("secret:", GrantName::Unknown),
            ("effect:tak", GrantName::Unknown),
            ("headers:authorization", GrantName::Unknown),
            ("header:", GrantName::Unknown),
            ("take", GrantName::Unknown),
        ] {
            assert_eq!(grant_name(name), known, "{name}");
        }
    }

    #[test]
    fn a_grant_that_nothing_needs_is_unused() {
        let authorization = Input::Header("authorization".into());
        let session = Input::Cookie("session".into());
        let present = Input::HeaderPresent("authorization".into());
        let table: &[(Phase, &Input, &str, bool)] = &[
            (Phase::Request, &authorization, "header:authorization", true),
            (
                Phase::Response,
                &authorization,
                "header:authorization",
                true,
            ),
            (Phase::Request, &present, "header:authorization", false),
            (Phase::Request, &Input::Path, "header:authorization", false),
            (Phase::Request, &session, "cookie:session", true),
            (Phase::Request, &session, "header:cookie", true),
            (Phase::Request, &session, "cookie:other", false),
            (Phase::Request, &Input::Path, "effect:take", true),
            (Phase::Fetched, &Input::Path, "effect:take", false),
            (Phase::Fetched, &Input::Path, "effect:tag", true),
            (Phase::Missing, &Input::Path, "effect:purge", false),
            (Phase::Response, &Input::Path, "effect:purge", true),
        ];
        for (phase, input, grant, used) in table {
            // A reference is a use as well as an input.
            let plan = Plan::new(Vec::new(), vec![(*input).clone()], &[]).unwrap();
            let grants = Grants::new(false, &[(*grant).to_owned()]);
            let unused = grants.unused(|asked| (asked == *phase).then_some(&plan));
            assert_eq!(
                unused.is_empty(),
                *used,
                "{grant} with {input} in {phase:?}"
            );
        }
    }

    #[test]
    fn credentials_need_a_grant() {
        let authorization = Input::Header("authorization".into());
        let session = Input::Cookie("session".into());
        let set_cookie = Input::ResponseHeader("set-cookie".into());
        let plain = Input::Header("accept".into());
        let table: &[(bool, &[&str], &Input, &[&str])] = &[
            (false, &[], &authorization, &["header:authorization"]),
            (false, &["header:authorization"], &authorization, &[]),
            (true, &[], &authorization, &[]),
            (false, &[], &session, &["cookie:session"]),
            (false, &["cookie:other"], &session, &["cookie:session"]),
            (false, &["header:cookie"], &session, &[]),
            (false, &[], &set_cookie, &["response-header:set-cookie"]),
            (false, &[], &plain, &[]),
        ];
        for (bundled, given, input, expected) in table {
            let found = missing(*bundled, given, std::slice::from_ref(*input));
            assert_eq!(found, *expected, "{input} with {given:?}");
        }
    }

    #[test]
    fn the_line_to_paste_keeps_what_was_given() {
        let grants = Grants::new(false, &["effect:take".to_owned()]);
        let missing = BTreeSet::from(["cookie:a".to_owned()]);
        assert_eq!(
            grants.line_with(&missing),
            r#"grants = ["cookie:a", "effect:take"]"#
        );
    }
}
