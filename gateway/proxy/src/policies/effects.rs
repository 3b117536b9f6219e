//! Effects of verdicts that concern the cache.

use std::rc::Rc;

use janua_cache::{Cache, Scope};
use janua_http::Failure;
use janua_wasm::{CacheLookup, Edit, Input, Part, Plan, Purge, PurgeScope, Value, Verdict};

use crate::caching::{Caching, prefixed};
use crate::facts::View;
use crate::render::Rendered;

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

/// Records the edits of a verdict to the head of the request, since the response depends on
/// them. Values that depend on inputs outside the cache key may differ between requests with
/// the same key, and are recorded apart; the others are added to the key.
pub(super) fn keep_edits(
    verdict: &Verdict,
    plan: &Plan,
    rendered: &Rendered,
    caching: &mut Caching,
) {
    let decides = plan.inputs.iter().any(Input::is_outside_cache_key);
    let mut keep = |name: &str, value: Option<&[u8]>, is_personal: bool| {
        let kept = match decides || is_personal {
            true => &mut caching.personal,
            false => &mut caching.vary_on,
        };
        prefixed(kept, Some(name.as_bytes()));
        prefixed(kept, value);
    };
    let mut place = 0;
    for edit in &verdict.edits {
        match edit {
            Edit::SetHeader { name, value }
            | Edit::AppendHeader { name, value }
            | Edit::DefaultHeader { name, value } => {
                keep(name, rendered.get(place, value), is_personal(value, plan));
                place += 1;
            }
            Edit::SetVariable { name, value, .. } => {
                keep(name, rendered.get(place, value), is_personal(value, plan));
                place += 1;
            }
            Edit::SetPath(_) | Edit::SetQuery(_) => place += 1,
            Edit::RemoveHeader(name) => keep(name, None, false),
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

/// True if the edits of a verdict of the phase `fetched` may depend on inputs outside the
/// cache key, so that the edited response is right for this request only.
pub(super) fn depends_on_requester(verdict: &Verdict, plan: &Plan) -> bool {
    !verdict.edits.is_empty()
        && (plan.inputs.iter().any(Input::is_outside_cache_key)
            || plan.references.iter().any(Input::is_outside_cache_key))
}

/// The tags in a value, separated by commas or spaces as CDNs write them.
pub(super) fn tags(value: &[u8]) -> impl Iterator<Item = Box<str>> {
    value
        .split(|byte| matches!(byte, b',' | b' ' | b'\t'))
        .filter(|tag| !tag.is_empty())
        .map(|tag| String::from_utf8_lossy(tag).into())
}
