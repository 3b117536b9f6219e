//! Which inputs and effects need the operator's word.

use std::collections::BTreeSet;

use crate::input::Input;
use crate::plan::Plan;

/// What a policy was granted. Bundled ones carry theirs.
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

    /// Whether this was granted, for example `effect:take`.
    pub(crate) fn allows(&self, name: &str) -> bool {
        self.bundled || self.given.contains(name)
    }

    /// What a plan needs and was not granted.
    pub(crate) fn missing(&self, plan: &Plan) -> BTreeSet<String> {
        plan.inputs
            .iter()
            .chain(&plan.references)
            .filter_map(needed)
            .filter(|name| !self.allows(name) && !self.allows_by_the_whole(name))
            .collect()
    }

    /// Who may see the whole `Cookie` field may see one cookie.
    fn allows_by_the_whole(&self, name: &str) -> bool {
        name.starts_with("cookie:") && self.allows("header:cookie")
    }

    /// The line to paste: what was given and what is missing.
    pub(crate) fn line_with(&self, missing: &BTreeSet<String>) -> String {
        let all: Vec<String> = self
            .given
            .union(missing)
            .map(|name| format!("{name:?}"))
            .collect();
        format!("grants = [{}]", all.join(", "))
    }
}

/// Whether there is such a grant; a misspelt one would give nothing, in silence.
pub fn is_grant(name: &str) -> bool {
    const EFFECTS: [&str; 8] = [
        "take",
        "verify",
        "choose-upstream",
        "cache-lookup",
        "cache-rule",
        "tag",
        "purge",
        "ban",
    ];
    match name.split_once(':') {
        Some(("effect", effect)) => EFFECTS.contains(&effect),
        Some(("header" | "cookie" | "response-header" | "secret" | "outbound", of)) => {
            !of.is_empty()
        }
        Some(_) => false,
        None => name == "key-value",
    }
}

/// The grant that an input needs, if any.
fn needed(input: &Input) -> Option<String> {
    match input {
        Input::Header(name) if input.is_credential() => Some(format!("header:{name}")),
        Input::Cookie(name) => Some(format!("cookie:{name}")),
        Input::ResponseHeader(name) if input.is_credential() => {
            Some(format!("response-header:{name}"))
        }
        _ => None,
    }
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
            ("effect:take", true),
            ("header:authorization", true),
            ("cookie:session", true),
            ("key-value", true),
            ("effect:tak", false),
            ("headers:authorization", false),
            ("header:", false),
            ("take", false),
        ] {
            assert_eq!(is_grant(name), known, "{name}");
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
