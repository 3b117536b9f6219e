//! Whether a verdict stays within its declaration. The message names the permissions that
//! are missing.

use crate::bindings::janua::policy::effects::Effect;
use crate::bindings::janua::policy::subscriptions::{Phase, Subscription};
use crate::bindings::janua::policy::values::Reply;
use crate::bindings::janua::policy::verdicts::{Edit, Outcome, Reuse, Verdict};

/// Checks a verdict of a phase against its declaration, and the number of its parts.
pub(super) fn check(
    subscription: &Subscription,
    phase: &Phase,
    verdict: &Verdict,
) -> Result<(), String> {
    for (count, most, what) in [
        (verdict.edits.len(), 256, "edits"),
        (verdict.response_edits.len(), 256, "response edits"),
        (verdict.effects.len(), 16, "effects"),
        (verdict.annotations.len(), 16, "annotations"),
    ] {
        if count > most {
            return Err(format!(
                "it has {count} {what}, but at most {most} are possible"
            ));
        }
    }
    let mut needed = Needed {
        subscription,
        phase,
        missing: Vec::new(),
    };
    needed.outcome(&verdict.outcome)?;
    for edit in &verdict.edits {
        needed.edit(edit)?;
    }
    for edit in &verdict.response_edits {
        needed.response_edit(edit)?;
    }
    for effect in &verdict.effects {
        needed.effect(effect)?;
    }
    if let Reuse::Named(rule) = &verdict.reuse {
        return Err(format!("there is no rule of reuse `{}`", rule.name));
    }
    match needed.missing.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "the phase {} does not declare `{}`",
            phase.name,
            needed.missing.join("`, `")
        )),
    }
}

/// What the verdict needs and its declaration lacks.
struct Needed<'a> {
    subscription: &'a Subscription,
    phase: &'a Phase,
    missing: Vec<String>,
}

impl Needed<'_> {
    fn outcome(&mut self, outcome: &Outcome) -> Result<(), String> {
        match outcome {
            Outcome::Proceed => {}
            Outcome::Respond(reply) if self.phase.name != "finished" => {
                self.may("respond");
                self.reply(reply);
            }
            Outcome::Serve(_) if self.phase.name == "missing" => self.may("serve"),
            Outcome::Named(named) => return Err(format!("there is no outcome `{}`", named.name)),
            Outcome::Respond(_) => return self.impossible("respond"),
            Outcome::Serve(_) => return self.impossible("serve"),
        }
        Ok(())
    }

    /// An edit of the head of this phase, or of a variable.
    fn edit(&mut self, edit: &Edit) -> Result<(), String> {
        let request = match self.phase.name.as_str() {
            "request" => true,
            "fetched" | "response" => false,
            name if !matches!(edit, Edit::SetVariable(_) | Edit::Named(_)) => {
                return Err(format!("there is no head to edit in the phase {name}"));
            }
            _ => false,
        };
        match edit {
            Edit::SetVariable(variable) => {
                let known = &self.subscription.variables;
                if !known.contains(&variable.name) {
                    self.lacks(&["variables: ", &variable.name].concat());
                }
            }
            Edit::SetPath(_) if request => self.may("edit:set-path"),
            Edit::SetQuery(_) if request => self.may("edit:set-query"),
            Edit::SetStatus(_) if request => return self.impossible("set-status"),
            Edit::SetPath(_) => return self.impossible("set-path"),
            Edit::SetQuery(_) => return self.impossible("set-query"),
            Edit::SetStatus(_) => self.may("edit:set-status"),
            Edit::Named(named) => return Err(format!("there is no edit `{}`", named.name)),
            Edit::SetHeader(header) | Edit::AppendHeader(header) | Edit::DefaultHeader(header) => {
                self.field(request, &header.name);
            }
            Edit::RemoveHeader(name) => self.field(request, name),
        }
        Ok(())
    }

    fn response_edit(&mut self, edit: &Edit) -> Result<(), String> {
        if !matches!(self.phase.name.as_str(), "request" | "missing") {
            return self.impossible("response-edits");
        }
        match edit {
            Edit::SetHeader(header) | Edit::AppendHeader(header) | Edit::DefaultHeader(header) => {
                self.field(false, &header.name);
            }
            Edit::RemoveHeader(name) => self.field(false, name),
            Edit::SetStatus(_) => self.may("edit:set-status"),
            Edit::Named(named) => return Err(format!("there is no edit `{}`", named.name)),
            Edit::SetPath(_) | Edit::SetQuery(_) | Edit::SetVariable(_) => {
                return Err("`response-edits` change fields and the status only".to_owned());
            }
        }
        Ok(())
    }

    fn effect(&mut self, effect: &Effect) -> Result<(), String> {
        let (name, phases): (_, &[&str]) = match effect {
            Effect::Take(take) => {
                self.reply(&take.otherwise);
                ("take", &["request"])
            }
            Effect::Concurrency(concurrency) => {
                self.reply(&concurrency.otherwise);
                ("concurrency", &["request"])
            }
            Effect::Verify(verify) => {
                self.reply(&verify.otherwise);
                self.uses("secret:", &verify.secret);
                ("verify", &["request"])
            }
            Effect::ChooseUpstream(upstream) => {
                self.uses("upstream:", upstream);
                ("choose-upstream", &["request"])
            }
            Effect::Split(split) => {
                for weighted in &split.weights {
                    self.uses("upstream:", &weighted.upstream);
                }
                ("split", &["request"])
            }
            Effect::Charge(_) => (
                "charge",
                &["request", "fetched", "missing", "response", "finished"],
            ),
            Effect::CacheLookup(_) => ("cache-lookup", &["request"]),
            Effect::CacheRule(_) => ("cache-rule", &["fetched"]),
            Effect::CacheTag(_) => ("cache-tag", &["fetched"]),
            Effect::Purge(_) => ("purge", &["request", "response", "finished"]),
            Effect::Ban(_) => ("ban", &["request", "response", "finished"]),
            Effect::Named(named) => return Err(format!("there is no effect `{}`", named.name)),
        };
        if !phases.contains(&self.phase.name.as_str()) {
            return self.impossible(name);
        }
        self.may(&["effect:", name].concat());
        Ok(())
    }

    fn reply(&mut self, reply: &Reply) {
        let mut names = reply.headers.iter().map(|header| &header.name);
        if names.any(|name| name.eq_ignore_ascii_case("set-cookie")) {
            self.field(false, "set-cookie");
        }
    }

    /// A field of the request or of the response.
    fn field(&mut self, request: bool, name: &str) {
        let name = name.to_ascii_lowercase();
        let kind = match request {
            true => "edit:header:",
            false => "edit:response-header:",
        };
        let mut may = self.phase.may.iter().filter_map(|m| m.strip_prefix(kind));
        let owned = request && self.subscription.owns.iter().any(|o| covers(o, &name));
        if !owned && !may.any(|declared| covers(declared, &name)) {
            self.lacks(&[kind, &name].concat());
        }
    }

    fn uses(&mut self, kind: &str, name: &str) {
        let word = [kind, name].concat();
        if !self.subscription.uses.contains(&word) {
            self.lacks(&word);
        }
    }

    fn may(&mut self, word: &str) {
        if !self.phase.may.iter().any(|declared| declared == word) {
            self.lacks(word);
        }
    }

    fn lacks(&mut self, word: &str) {
        if !self.missing.iter().any(|known| known == word) {
            self.missing.push(word.to_owned());
        }
    }

    fn impossible(&self, what: &str) -> Result<(), String> {
        let phase = &self.phase.name;
        Err(format!("`{what}` is not possible in the phase {phase}"))
    }
}

/// Whether a declared name, which may end in `*`, is or covers this one.
fn covers(declared: &str, name: &str) -> bool {
    match declared.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => declared == name,
    }
}
