//! Grants: the permissions that an operator gives a policy.

use std::collections::BTreeSet;
use std::fmt;

use crate::input::{Input, Phase};
use crate::permission::{Permission, Readable, Resource};

/// The grants of a policy. Bundled policies need none.
#[derive(Debug, Clone)]
pub(crate) struct Grants {
    bundled: bool,
    given: BTreeSet<Permission>,
    /// Permissions that need no grant.
    own: BTreeSet<Permission>,
}

impl Grants {
    /// Words that stand for no permission are left out; see [`grant_name`]. The secrets of
    /// `own` stand in the policy's own configuration.
    pub(crate) fn new(bundled: bool, given: &[String], own: &[String]) -> Self {
        let secret = |name: &String| Permission::Use(Resource::Secret, name.as_str().into());
        Self {
            bundled,
            own: own.iter().map(secret).collect(),
            given: given
                .iter()
                .filter_map(|word| Permission::parse(word))
                .collect(),
        }
    }

    /// Those of the permissions that were not given.
    pub(crate) fn missing(&self, wanted: &BTreeSet<Permission>) -> BTreeSet<Permission> {
        let is_given = |wanted: &Permission| {
            self.bundled
                || self.own.contains(wanted)
                || self.given.iter().any(|it| it.covers(wanted))
        };
        wanted.iter().filter(|it| !is_given(it)).cloned().collect()
    }

    /// The grants that none of the permissions needs.
    pub(crate) fn unused(&self, wanted: &BTreeSet<Permission>) -> Vec<String> {
        let is_used = |given: &Permission| wanted.iter().any(|wanted| given.covers(wanted));
        let unused = self.given.iter().filter(|given| !is_used(given));
        unused.map(ToString::to_string).collect()
    }

    /// The configuration line with the given and the missing grants.
    pub(crate) fn line_with(&self, missing: &BTreeSet<Permission>) -> String {
        let all: Vec<String> = self
            .given
            .union(missing)
            .map(|permission| format!("\"{permission}\""))
            .collect();
        format!("grants = [{}]", all.join(", "))
    }
}

/// The parts of exchanges that some policy of a configuration declares to be secret. Another
/// policy needs a grant to read one of them.
#[derive(Debug, Default)]
pub struct Guarded(BTreeSet<Readable>);

impl Guarded {
    pub(crate) fn add(&mut self, secrets: impl Iterator<Item = Readable>) {
        self.0.extend(secrets);
    }

    /// Whether a policy of this name needs a grant for an input. Its own variables are free.
    pub(crate) fn guard(&self, input: &Input, policy: &str) -> bool {
        let Some(readable) = input.readable() else {
            return false;
        };
        if let Readable::Variable(name) = &readable
            // No dot is in the name of a variable.
            && let Some((owner, _)) = name.rsplit_once('.')
        {
            return owner != policy;
        }
        input.needs_grant() || self.0.contains(&readable)
    }
}

/// The grants that a policy lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingGrants {
    /// Their names.
    pub missing: Vec<String>,
    /// The complete `grants` line to write, including the present grants.
    pub line: String,
}

impl MissingGrants {
    /// None if nothing is missing.
    pub(crate) fn of(grants: &Grants, wanted: &BTreeSet<Permission>) -> Option<Self> {
        let missing = grants.missing(wanted);
        (!missing.is_empty()).then(|| Self {
            line: grants.line_with(&missing),
            missing: missing.iter().map(ToString::to_string).collect(),
        })
    }
}

impl fmt::Display for MissingGrants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the policy asks for what it was not granted ({}); if it should have it, write in its section: {}",
            self.missing.join(", "),
            self.line
        )
    }
}

/// Whether a grant of some name exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantName {
    /// It exists.
    Known,
    /// It is part of the contract, but this version does not support it.
    NotSupported,
    /// It does not exist. It is refused, because a misspelt grant would silently have no
    /// effect.
    Unknown,
}

/// Whether a grant of this name, such as `effect:take`, exists.
pub fn grant_name(name: &str) -> GrantName {
    match Permission::parse(name) {
        None => GrantName::Unknown,
        Some(permission) if permission.is_supported() => GrantName::Known,
        Some(_) => GrantName::NotSupported,
    }
}

/// The phases in which an effect is allowed. Empty if the effect does not exist or is
/// not supported.
pub(crate) fn phases_of(effect: &str) -> &'static [Phase] {
    match effect {
        "take" | "concurrency" | "choose-upstream" | "split" | "cache-lookup" => &[Phase::Request],
        "cache-rule" | "cache-tag" => &[Phase::Fetched],
        "charge" => &Phase::ALL,
        "purge" => &[Phase::Request, Phase::Response, Phase::Finished],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(words: &[&str]) -> BTreeSet<Permission> {
        words
            .iter()
            .map(|word| Permission::parse(word).unwrap())
            .collect()
    }

    fn grants(bundled: bool, words: &[&str]) -> Grants {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Grants::new(bundled, &words, &["spy:key".to_owned()])
    }

    #[test]
    fn grants_are_known_by_name() {
        for (name, known) in [
            ("effect:take", GrantName::Known),
            ("input:header:authorization", GrantName::Known),
            ("input:header:accept", GrantName::Known),
            ("edit:header:x-*", GrantName::Known),
            ("respond", GrantName::Known),
            ("secret:session", GrantName::Known),
            ("dataset:geo", GrantName::Known),
            ("upstream:app", GrantName::Known),
            ("effect:choose-upstream", GrantName::Known),
            ("effect:split", GrantName::Known),
            ("effect:verify", GrantName::NotSupported),
            ("key-value", GrantName::NotSupported),
            ("outbound:app", GrantName::NotSupported),
            ("effect:tak", GrantName::Unknown),
            ("header:authorization", GrantName::Unknown),
        ] {
            assert_eq!(grant_name(name), known, "{name}");
        }
    }

    #[test]
    fn every_permission_needs_a_grant_unless_the_policy_is_bundled() {
        let wanted = permissions(&["respond", "edit:header:x-user"]);
        assert_eq!(
            grants(false, &["respond"]).missing(&wanted),
            permissions(&["edit:header:x-user"])
        );
        assert!(
            grants(false, &["respond", "edit:header:x-*"])
                .missing(&wanted)
                .is_empty()
        );
        assert!(grants(true, &[]).missing(&wanted).is_empty());
    }

    #[test]
    fn a_secret_needs_a_grant_unless_it_is_the_policys_own() {
        let wanted = permissions(&["secret:session", "secret:spy:key", "secret:spy:other"]);
        assert_eq!(
            grants(false, &["secret:session"]).missing(&wanted),
            permissions(&["secret:spy:other"])
        );
    }

    #[test]
    fn a_grant_that_nothing_needs_is_unused() {
        let given = grants(false, &["edit:header:x-*", "input:query", "effect:take"]);
        let wanted = permissions(&["edit:header:x-user", "input:query-parameter:a"]);
        assert_eq!(given.unused(&wanted), ["effect:take"]);
    }

    #[test]
    fn the_line_to_paste_keeps_what_was_given() {
        let line = grants(false, &["effect:take"]).line_with(&permissions(&["input:cookie:a"]));
        assert_eq!(line, r#"grants = ["input:cookie:a", "effect:take"]"#);
    }

    #[test]
    fn what_one_policy_calls_secret_is_guarded_from_the_others() {
        let mut secrets = Guarded::default();
        let key = Input::Header("x-api-key".into());
        let in_base64 = Input::HeaderBase64("x-api-key".into());
        assert!(!secrets.guard(&key, "spy"));
        secrets.add(key.readable().into_iter());
        for (input, is_guarded) in [
            (key, true),
            (in_base64, true),
            (Input::HeaderPresent("x-api-key".into()), false),
            (Input::Header("accept".into()), false),
            (Input::Header("authorization".into()), true),
            (Input::ResponseHeader("set-cookie".into()), true),
            (Input::Query, true),
            (Input::OriginalQuery, true),
            (Input::QueryParameter("a".into()), true),
            (Input::QueryParameterPresent("a".into()), false),
            (Input::RawPath, true),
            (Input::Path, false),
            (Input::ClientIp, false),
            (Input::Variable("spy.a".into()), false),
            (Input::Variable("jwt.sub".into()), true),
            (Input::Variable("spyglass.a".into()), true),
            (Input::Variable("spy.glass.a".into()), true),
        ] {
            assert_eq!(secrets.guard(&input, "spy"), is_guarded, "{input}");
        }
    }
}
