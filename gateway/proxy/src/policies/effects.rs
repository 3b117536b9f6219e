//! Effects of verdicts that concern the cache, and the choice of the upstream.

use std::rc::Rc;

use janua_cache::{Cache, Scope};
use janua_http::Failure;
use janua_upstream::split;
use janua_wasm::{
    CacheLookup, DeclaredUpstream, Edit, Input, Part, Plan, Purge, PurgeScope, Split, Value,
    Verdict,
};

use super::Decided;
use crate::caching::{Caching, prefixed};
use crate::exchange::{Exchange, Matched};
use crate::facts::View;
use crate::render::Rendered;
use crate::snapshot::Chosen;

/// What the effects of a verdict need: its values, rendered before its edits were made, and
/// a view of the exchange after them. The values of an effect begin at its `place`.
pub(super) struct Rendering<'a> {
    pub(super) plan: &'a Plan,
    pub(super) view: View<'a>,
    pub(super) rendered: &'a Rendered,
}

impl Rendering<'_> {
    /// Records how the response is looked up in the cache. If several policies have this
    /// effect, the last one determines which part of the query is in the key, the values of
    /// all of them are added to the key, and the first reason for a bypass applies.
    pub(super) fn lookup(
        &self,
        lookup: &CacheLookup,
        place: usize,
        verdict: &Rc<Verdict>,
        caching: &mut Caching,
    ) {
        caching.lookup = Some(Rc::clone(verdict));
        for (place, value) in (place..).zip(&lookup.vary_on) {
            prefixed(&mut caching.vary_on, self.rendered.get(place, value));
            for input in parts_of(value, self.plan) {
                self.view.repeated_cookies(input, &mut caching.vary_on);
            }
        }
        if caching.bypass.is_none() {
            caching.bypass.clone_from(&lookup.bypass);
        }
    }

    /// Purges at once: no look-up that begins afterwards on any worker finds what was purged.
    /// The journal on disk is written later. An absent value purges nothing.
    pub(super) fn purge(&self, purge: &Purge, place: usize, cache: &Cache<Failure>) {
        let host = self.view.origin.host(&self.view.request.authority);
        let value = |value| self.rendered.get(place, value);
        let scope = match &purge.scope {
            PurgeScope::Site => Some(Scope::Host(&host)),
            PurgeScope::Tagged(tag) => value(tag).map(Scope::Tag),
            PurgeScope::Prefix(path) => value(path).map(|path| Scope::Prefix { host: &host, path }),
            PurgeScope::Url(url) => value(url).map(|url| {
                let mut parts = url.splitn(2, |&byte| byte == b'?');
                Scope::Url {
                    scheme: self.view.origin.scheme().as_bytes(),
                    host: &host,
                    path: parts.next().unwrap_or_default(),
                    query: parts.next(),
                }
            }),
        };
        let kind = if purge.soft {
            janua_cache::Purge::Soft {
                now_ms: self.view.unix_ms,
            }
        } else {
            janua_cache::Purge::Hard
        };
        if let Some(scope) = scope {
            cache.purge_at_once(&scope, kind);
        }
    }
}

/// Records the upstream that a policy has chosen, in place of one that an earlier policy has
/// chosen. Nothing happens on a route whose requests go to no upstream.
pub(super) fn choose(
    exchange: &mut Exchange,
    matched: &Matched,
    policy: usize,
    upstream: &DeclaredUpstream,
) {
    let choice = matched.route().choices.of(policy, upstream.place);
    if let Some(choice) = choice {
        exchange.chosen = Some(Chosen::ByPolicy(choice));
    }
}

/// Records the upstream that a request gets of those among which a policy divides requests: with
/// a key always the same one.
pub(super) fn divide(
    exchange: &mut Exchange,
    matched: &Matched,
    policy: usize,
    split: &Split,
    key: Option<&[u8]>,
) {
    let choices = &matched.route().choices;
    let shares = split.shares.iter();
    let shares = shares.filter_map(|share| {
        let choice = choices.of(policy, share.upstream.place)?;
        Some((choice, share.weight))
    });
    // Not by the place in the split, since a route without upstreams has none of them.
    let chosen = match key {
        Some(key) => {
            let draws = shares.clone().filter_map(|(choice, weight)| {
                let choice = choices.all.get(choice)?;
                Some((choice.draw, weight))
            });
            split::by_key(draws, key)
        }
        None => {
            let weights = shares.clone().map(|(_, weight)| weight);
            split::by_chance(weights, exchange.worker.random_u64())
        }
    };
    let chosen = chosen.ok().and_then(|place| shares.clone().nth(place));
    if let Some((choice, _)) = chosen {
        exchange.chosen = Some(Chosen::ByPolicy(choice));
    }
}

/// What is recorded of a verdict, so that no two verdicts give the same bytes.
#[derive(Clone, Copy)]
enum Kept {
    Decision,
    Set,
    Append,
    Default,
    Remove,
    Variable,
}

impl Kept {
    fn write(self, name: &str, out: &mut Vec<u8>) {
        prefixed(out, Some(&[&[self as u8], name.as_bytes()].concat()));
    }
}

/// Records that this policy was asked about the requester, so that a request for which it
/// makes no edit is not taken for one about which it was not asked, or to which it makes one.
pub(super) fn keep_decision(policy: &str, caching: &mut Caching) {
    Kept::Decision.write(policy, &mut caching.personal);
}

/// Records the edits of a verdict to the head of the request, since the response depends on
/// them. Values that depend on inputs outside the cache key may differ between requests with
/// the same key, and are recorded apart; the others are added to the key.
pub(super) fn keep_edits(decided: Decided<'_>, rendered: &Rendered, caching: &mut Caching) {
    let Decided {
        policy,
        plan,
        verdict,
        ..
    } = decided;
    let decides = plan.inputs.iter().any(Input::is_outside_cache_key);
    let mut keep = |kind: Kept, name: &str, value: Option<&[u8]>, is_personal: bool| {
        let kept = match decides || is_personal {
            true => &mut caching.personal,
            false => &mut caching.vary_on,
        };
        kind.write(name, kept);
        prefixed(kept, value);
    };
    let mut place = 0;
    for edit in &verdict.edits {
        let kind = match edit {
            Edit::SetHeader { .. } => Kept::Set,
            Edit::AppendHeader { .. } => Kept::Append,
            _ => Kept::Default,
        };
        match edit {
            Edit::SetHeader { name, value }
            | Edit::AppendHeader { name, value }
            | Edit::DefaultHeader { name, value } => {
                let personal = is_personal(value, plan);
                keep(kind, name, rendered.get(place, value), personal);
                place += 1;
            }
            Edit::SetVariable { name, value, .. } => {
                let name = format!("{policy}.{name}");
                let personal = is_personal(value, plan);
                keep(Kept::Variable, &name, rendered.get(place, value), personal);
                place += 1;
            }
            Edit::SetPath(_) | Edit::SetQuery(_) => place += 1,
            Edit::RemoveHeader(name) => keep(Kept::Remove, name, None, false),
            Edit::SetStatus(_) => {}
        }
    }
}

fn is_personal(value: &Value, plan: &Plan) -> bool {
    parts_of(value, plan).any(Input::is_outside_cache_key)
}

/// The inputs that a value refers to.
fn parts_of<'a>(value: &'a Value, plan: &'a Plan) -> impl Iterator<Item = &'a Input> {
    let parts = match value {
        Value::Parts(parts) => &**parts,
        Value::Literal(_) => &[],
    };
    parts.iter().filter_map(|part| match part {
        Part::Literal(_) => None,
        Part::Input(at) => plan.inputs.get(usize::from(*at)),
        Part::Reference(at) => plan.references.get(usize::from(*at)),
    })
}

/// Whether two requests with the same cache key on this route can differ in one of these.
pub(super) fn has_outside(inputs: &[Input], matched: &Matched) -> bool {
    inputs
        .iter()
        .any(|input| is_outside(input, !matched.route().missing.is_empty()))
}

/// Whether two requests with the same cache key can differ in this input. What is served in
/// place of many missing paths is stored under its own, so that there the path that was asked
/// for is not in the key.
fn is_outside(input: &Input, may_serve_others: bool) -> bool {
    match input {
        Input::OriginalPath => may_serve_others,
        Input::Lookup(lookup) => is_outside(&lookup.key, may_serve_others),
        _ => input.is_outside_cache_key(),
    }
}

/// The tags in a value, separated by commas or spaces as CDNs write them.
pub(super) fn tags(value: &[u8]) -> impl Iterator<Item = Box<str>> {
    value
        .split(|byte| matches!(byte, b',' | b' ' | b'\t'))
        .filter(|tag| !tag.is_empty())
        .map(|tag| String::from_utf8_lossy(tag).into())
}
