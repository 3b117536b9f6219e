//! The rules: conditions, and the verdict if they are met.

use janua_sdk::{
    CacheRule, Fetched, Inputs, OneOrMore, Phase, Subscription, Value, Verdict, syntax,
};

use crate::condition::{Condition, entries};
use crate::span::Store;
use crate::status::Statuses;
use crate::{at, config, tags};

/// The maximum lengths of a name and of a field value in the contract, in bytes.
const MAX_NAME: usize = 64;
const MAX_LINE: usize = 1024;

/// The rules in order, and the verdict if none matches.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    otherwise: Verdict<Fetched>,
}

#[derive(Debug)]
struct Rule {
    conditions: Vec<Condition<Fetched>>,
    verdict: Verdict<Fetched>,
}

impl Rules {
    /// Checks the rules and declares their inputs. `None` if there are neither rules nor
    /// fields with tags.
    pub(crate) fn new(
        written: Vec<config::Rule>,
        tags_from: &[String],
        subscription: &mut Subscription,
    ) -> Result<Option<Self>, String> {
        if written.is_empty() && tags_from.is_empty() {
            return Ok(None);
        }
        let phase = subscription.fetched();
        if !written.is_empty() {
            phase.may_cache_rule();
        }
        if !tags_from.is_empty() || written.iter().any(|rule| !rule.tags.0.is_empty()) {
            phase.may_cache_tag();
        }
        let given = tags::from_fields(tags_from, phase)?;
        tags::fit("tags_from", given.len())?;
        let mut rules: Vec<Rule> = Vec::new();
        for (index, rule) in written.into_iter().enumerate() {
            let place = format!("rules[{index}]");
            if rules.last().is_some_and(|last| last.conditions.is_empty()) {
                let before = "the rule before it matches everything, so this one is never reached";
                return Err(at(&place, before));
            }
            rules.push(Rule::new(rule, index, &place, &given, phase)?);
        }
        let otherwise = tagged(Verdict::proceed().until_reload(), &given);
        Ok(Some(Self { rules, otherwise }))
    }

    /// The verdict of the first rule that matches.
    pub(crate) fn of(&self, inputs: &Inputs<Fetched>) -> Verdict<Fetched> {
        let matching = self.rules.iter().find(|rule| rule.matches(inputs));
        matching
            .map_or(&self.otherwise, |rule| &rule.verdict)
            .clone()
    }
}

impl Rule {
    fn new(
        rule: config::Rule,
        index: usize,
        place: &str,
        given: &[Value<Fetched>],
        phase: &mut Phase<Fetched>,
    ) -> Result<Self, String> {
        let field = |name: &str| [place, ".", name].concat();
        let name = match rule.name {
            Some(name) => checked_name(name).map_err(|why| at(&field("name"), &why))?,
            None => format!("rule {}", index + 1),
        };
        let mut said = CacheRule::new(&name, rule.store.into());
        if let Some(text) = &rule.browser {
            line("cache-control", text).map_err(|why| at(&field("browser"), &why))?;
            said = said.browser(text);
        }
        if let Some(text) = &rule.cdn {
            line("cdn-cache-control", text).map_err(|why| at(&field("cdn"), &why))?;
            said = said.cdn(text);
        }
        for (name, span) in [
            ("stale_while_revalidate", rule.stale_while_revalidate),
            ("stale_if_error", rule.stale_if_error),
        ] {
            if span.is_some() && rule.store == Store::Never {
                let why = "what is never stored is never stale; leave it out, or store it";
                return Err(at(&field(name), why));
            }
        }
        if let Some(span) = rule.stale_while_revalidate {
            said = said.stale_while_revalidate(span.0);
        }
        if let Some(span) = rule.stale_if_error {
            said = said.stale_if_error(span.0);
        }
        if rule.shared {
            said = said.shared();
        }
        let own = tags::named(&field("tags"), &rule.tags.0, phase)?;
        tags::fit(&field("tags"), own.len() + given.len())?;
        let verdict = Verdict::proceed().cache_rule(said).until_reload();

        let mut conditions = Vec::new();
        if let Some(OneOrMore(paths)) = rule.path {
            let paths = entries(&field("path"), paths)?;
            conditions.push(Condition::Path(phase.path(), paths));
        }
        if let Some(OneOrMore(known)) = rule.extension {
            let known = extensions(known).map_err(|why| at(&field("extension"), &why))?;
            let known = entries(&field("extension"), known)?;
            conditions.push(Condition::Extension(phase.extension(), known));
        }
        if let Some(OneOrMore(types)) = rule.media_type {
            let types = entries(&field("type"), types)?;
            conditions.push(Condition::Type(
                phase.response_header("content-type"),
                types,
            ));
        }
        let statuses = match rule.status {
            Some(OneOrMore(statuses)) => entries(&field("status"), statuses)?,
            None => default_statuses(rule.store),
        };
        if !statuses.contains(&Statuses::Any) {
            conditions.push(Condition::Status(phase.status(), statuses));
        }
        if let Some(OneOrMore(methods)) = rule.method {
            let methods = entries(&field("method"), methods)?;
            let methods = methods.iter().map(|method| method.to_ascii_uppercase());
            conditions.push(Condition::Method(phase.method(), methods.collect()));
        }
        if let Some(OneOrMore(names)) = rule.cookie {
            let names = entries(&field("cookie"), names)?;
            let condition = Condition::cookies(phase, &names);
            conditions.push(condition.map_err(|why| at(&field("cookie"), &why))?);
        }
        if let Some(OneOrMore(names)) = rule.header {
            let names = entries(&field("header"), names)?;
            let condition = Condition::headers(phase, &names);
            conditions.push(condition.map_err(|why| at(&field("header"), &why))?);
        }
        Ok(Self {
            conditions,
            verdict: tagged(tagged(verdict, &own), given),
        })
    }

    fn matches(&self, inputs: &Inputs<Fetched>) -> bool {
        self.conditions
            .iter()
            .all(|condition| condition.holds(inputs))
    }
}

/// The statuses of a rule that names none. A rule that stores should not store errors by
/// accident.
fn default_statuses(store: Store) -> Vec<Statuses> {
    match store {
        Store::Never => vec![Statuses::Any],
        _ => vec![Statuses::Class(2), Statuses::Class(3)],
    }
}

fn tagged(verdict: Verdict<Fetched>, tags: &[Value<Fetched>]) -> Verdict<Fetched> {
    tags.iter()
        .fold(verdict, |verdict, tag| verdict.cache_tag(tag))
}

fn checked_name(name: String) -> Result<String, String> {
    let printable = name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    match name.is_empty() || name.len() > MAX_NAME || !printable {
        true => Err("a name is 1 to 64 printable ASCII characters".to_owned()),
        false => Ok(name),
    }
}

fn extensions(written: Vec<String>) -> Result<Vec<String>, String> {
    let extension = |text: String| match text.strip_prefix('.') {
        Some(rest) => Err(["write \"", rest, "\", without the dot"].concat()),
        None if text.is_empty() || text.contains(['/', '*', '.']) => {
            let wrong = "\" is not an extension; for other patterns there is `path`";
            Err(["\"", &text, wrong].concat())
        }
        None => Ok(text.to_ascii_lowercase()),
    };
    written.into_iter().map(extension).collect()
}

/// Checks that the text is the value of a field, without the field's name.
fn line(name: &str, text: &str) -> Result<(), String> {
    syntax::field_text(text)?;
    let written = text.trim_start().to_ascii_lowercase();
    if written.starts_with(&[name, ":"].concat()) {
        return Err("write the value alone, without the name of the field".to_owned());
    }
    match text.trim().is_empty() || text.len() > MAX_LINE {
        true => Err("the value has 1 to 1024 bytes".to_owned()),
        false => Ok(()),
    }
}
