//! A verdict as data: its outcome, its edits and its effects, with the values that it has for
//! the exchange.

use janua_proxy::rehearsal::{CarriedOut, Made};
use janua_wasm::{
    AbsentKey, CacheLookup, CacheRule, Concurrency, Cost, Edit, Effect, Outcome, ParameterName,
    PurgeScope, QueryKey, Reply, Split, Storage, TokenBucket,
};
use serde_json::{Value, json};

use super::shown::{self, Secrets};

/// Something that a verdict asks for: a word, and what it is about.
pub(super) struct Item {
    pub(super) word: &'static str,
    pub(super) details: Vec<(&'static str, Value)>,
}

impl Item {
    fn new(word: &'static str, details: Vec<(&'static str, Value)>) -> Self {
        Self { word, details }
    }

    /// As an object that has its word under this key.
    pub(super) fn json(&self, key: &str) -> Value {
        let details = self.details.iter();
        let details = details.map(|(name, value)| ((*name).to_owned(), value.clone()));
        let word = (key.to_owned(), Value::from(self.word));
        Value::Object(std::iter::once(word).chain(details).collect())
    }
}

/// The parts of a verdict.
pub(super) struct Parts {
    pub(super) edits: Vec<Item>,
    pub(super) response_edits: Vec<Item>,
    pub(super) effects: Vec<Item>,
    pub(super) outcome: Item,
}

/// The values of a verdict that contain a secret, and what became of them in a path or a query.
pub(super) fn secrets(carried: &CarriedOut) -> Vec<Vec<u8>> {
    let made = carried.values.iter().filter(|made| made.is_secret);
    let mut secrets: Vec<Vec<u8>> = made.filter_map(|made| made.bytes.clone()).collect();
    let mut values = carried.values.iter();
    for edit in &carried.verdict.edits {
        let made = edit.value().and_then(|_| values.next());
        if made.is_some_and(|made| made.is_secret) {
            match edit {
                Edit::SetPath(_) => secrets.push(carried.after.path.clone()),
                Edit::SetQuery(_) => secrets.extend(carried.after.query.clone()),
                _ => {}
            }
        }
    }
    let is_served_secret = carried.values.last().is_some_and(|made| made.is_secret);
    if is_served_secret {
        secrets.extend(carried.served.clone());
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

/// Takes a verdict apart, in the order in which its values were visited.
pub(super) fn parts(carried: &CarriedOut, secrets: &Secrets) -> Parts {
    let verdict = &carried.verdict;
    let mut values = Values {
        made: carried.values.iter(),
        secrets,
    };
    let edits = verdict.edits.iter();
    let edits = edits.map(|edit| values.edit(edit)).collect();
    let response_edits = verdict.response_edits.iter();
    let response_edits = response_edits.map(|edit| values.edit(edit)).collect();
    for _ in &verdict.annotations {
        values.next();
    }
    let effects = verdict.effects.iter();
    let effects = effects.map(|effect| values.effect(effect)).collect();
    let outcome = match &verdict.outcome {
        Outcome::Proceed => Item::new("proceed", Vec::new()),
        Outcome::Respond(reply) => Item::new("respond", values.reply(reply)),
        Outcome::Serve(_) => Item::new("serve", vec![("path", values.next())]),
    };
    Parts {
        edits,
        response_edits,
        effects,
        outcome,
    }
}

/// The values of a verdict that have not been shown yet.
struct Values<'a> {
    made: std::slice::Iter<'a, Made>,
    secrets: &'a Secrets,
}

impl Values<'_> {
    fn next(&mut self) -> Value {
        self.next_of("")
    }

    /// The next value, which is that of a field with this name.
    fn next_of(&mut self, name: &str) -> Value {
        match self.made.next() {
            None => Value::Null,
            Some(Made {
                bytes: Some(bytes),
                is_secret: true,
            }) => shown::secret(bytes),
            Some(made) => self.secrets.field(name, made.bytes.as_deref()),
        }
    }

    fn edit(&mut self, edit: &Edit) -> Item {
        let named = |name: &str, value| vec![("name", name.into()), ("value", value)];
        match edit {
            Edit::SetHeader { name, .. } => {
                Item::new("set-header", named(name, self.next_of(name)))
            }
            Edit::AppendHeader { name, .. } => {
                Item::new("append-header", named(name, self.next_of(name)))
            }
            Edit::DefaultHeader { name, .. } => {
                Item::new("default-header", named(name, self.next_of(name)))
            }
            Edit::RemoveHeader(name) => {
                Item::new("remove-header", vec![("name", (&**name).into())])
            }
            Edit::SetPath(_) => Item::new("set-path", vec![("value", self.next())]),
            Edit::SetQuery(_) => Item::new("set-query", vec![("value", self.next())]),
            Edit::SetStatus(status) => Item::new("set-status", vec![("status", (*status).into())]),
            Edit::SetVariable {
                name, is_secret, ..
            } => {
                let mut details = named(name, self.next());
                details.push(("is_logged", (!is_secret).into()));
                Item::new("set-variable", details)
            }
        }
    }

    fn effect(&mut self, effect: &Effect) -> Item {
        match effect {
            Effect::Take(take) => {
                let mut details = self.bucket(&take.bucket);
                details.extend(self.cost(&take.cost));
                details.push(("otherwise", object(self.reply(&take.otherwise))));
                Item::new("take", details)
            }
            Effect::Charge(charge) => {
                let mut details = self.bucket(&charge.bucket);
                details.extend(self.cost(&charge.cost));
                details.push(("debt", charge.debt.into()));
                Item::new("charge", details)
            }
            Effect::Concurrency(limit) => Item::new("concurrency", self.concurrency(limit)),
            Effect::ChooseUpstream(upstream) => Item::new(
                "choose-upstream",
                vec![("upstream", (&*upstream.name).into())],
            ),
            Effect::Split(split) => Item::new("split", self.split(split)),
            Effect::CacheLookup(lookup) => Item::new("cache-lookup", self.lookup(lookup)),
            Effect::CacheRule(rule) => Item::new("cache-rule", cache_rule(rule)),
            Effect::CacheTag(_) => Item::new("cache-tag", vec![("tags", self.next())]),
            Effect::Purge(purge) => {
                let (scope, value) = match &purge.scope {
                    PurgeScope::Url(_) => ("url", self.next()),
                    PurgeScope::Prefix(_) => ("prefix", self.next()),
                    PurgeScope::Tagged(_) => ("tag", self.next()),
                    PurgeScope::Site => ("site", true.into()),
                };
                Item::new("purge", vec![(scope, value), ("soft", purge.soft.into())])
            }
        }
    }

    fn reply(&mut self, reply: &Reply) -> Vec<(&'static str, Value)> {
        let headers = reply.headers.iter();
        let headers: Value = headers
            .map(|(name, _)| json!({ "name": name, "value": self.next_of(name) }))
            .collect();
        vec![
            ("status", reply.status.into()),
            ("headers", headers),
            ("body", self.secrets.value(Some(&reply.body))),
        ]
    }

    fn bucket(&mut self, bucket: &TokenBucket) -> Vec<(&'static str, Value)> {
        vec![
            ("bucket", (&*bucket.name).into()),
            ("key", self.next()),
            ("absent", absent(bucket.absent).into()),
            ("tokens", bucket.tokens.into()),
            ("period_ms", bucket.period_ms.into()),
            ("burst", bucket.burst.into()),
        ]
    }

    fn cost(&mut self, cost: &Cost) -> Vec<(&'static str, Value)> {
        let bytes = match cost {
            Cost::Tokens(_) => None,
            Cost::Measured { .. } => self.made.next().and_then(|made| made.bytes.as_deref()),
        };
        vec![("cost", cost.tokens(bytes).into())]
    }

    fn concurrency(&mut self, limit: &Concurrency) -> Vec<(&'static str, Value)> {
        vec![
            ("limit", (&*limit.name).into()),
            ("key", self.next()),
            ("absent", absent(limit.absent).into()),
            ("most", limit.most.into()),
            ("otherwise", object(self.reply(&limit.otherwise))),
        ]
    }

    fn split(&mut self, split: &Split) -> Vec<(&'static str, Value)> {
        let shares = split.shares.iter();
        let weights: Value = shares
            .map(|share| json!({ "upstream": &*share.upstream.name, "weight": share.weight }))
            .collect();
        let sticky = split.sticky.as_ref().map(|_| self.next());
        vec![("weights", weights), ("sticky", sticky.unwrap_or_default())]
    }

    fn lookup(&mut self, lookup: &CacheLookup) -> Vec<(&'static str, Value)> {
        let names = |names: &[ParameterName]| -> Value {
            let names = names.iter().map(|name| match name {
                ParameterName::Exact(name) => name.to_string(),
                ParameterName::StartsWith(start) => format!("{start}*"),
            });
            names.collect()
        };
        let query = match &lookup.query {
            QueryKey::Whole => "whole".into(),
            QueryKey::Sorted => "sorted".into(),
            QueryKey::Ignored => "ignored".into(),
            QueryKey::Only(only) => json!({ "only": names(only) }),
            QueryKey::Without(without) => json!({ "without": names(without) }),
        };
        let vary_on = lookup.vary_on.iter().map(|_| self.next());
        vec![
            ("query", query),
            ("vary_on", vary_on.collect()),
            ("bypass", lookup.bypass.as_deref().into()),
        ]
    }
}

fn cache_rule(rule: &CacheRule) -> Vec<(&'static str, Value)> {
    let store = match rule.store {
        Storage::ByFields => "by-fields".into(),
        Storage::ByFieldsOrHeuristic => "by-fields-or-heuristic".into(),
        Storage::Never => "never".into(),
        Storage::Seconds(seconds) => json!({ "seconds": seconds }),
    };
    vec![
        ("rule", (&*rule.name).into()),
        ("store", store),
        ("browser", rule.browser.as_deref().into()),
        ("cdn", rule.cdn.as_deref().into()),
        ("stale_while_revalidate", rule.stale_while_revalidate.into()),
        ("stale_if_error", rule.stale_if_error.into()),
        ("shared", rule.shared.into()),
    ]
}

fn absent(absent: AbsentKey) -> &'static str {
    match absent {
        AbsentKey::Share => "share",
        AbsentKey::Refuse => "refuse",
        AbsentKey::Skip => "skip",
    }
}

fn object(details: Vec<(&'static str, Value)>) -> Value {
    let details = details.into_iter();
    Value::Object(
        details
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}
