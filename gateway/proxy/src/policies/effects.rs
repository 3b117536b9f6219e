//! Effects of verdicts that concern the cache.

use std::rc::Rc;

use janua_cache::{Cache, Scope};
use janua_http::Failure;
use janua_wasm::{CacheLookup, Edit, Input, Part, Plan, Purge, PurgeScope, Value, Verdict};

use crate::caching::{Caching, prefixed};
use crate::facts::View;
use crate::render::Rendered;

/// What the effects of a verdict need: its values, worked out before its edits,
/// and the exchange after them. Each effect's values begin at its `place`.
pub(super) struct Rendering<'a> {
    pub(super) plan: &'a Plan,
    pub(super) view: View<'a>,
    pub(super) rendered: &'a Rendered,
}

impl Rendering<'_> {
    /// How the response is to be found. Of several policies the last one says
    /// which part of the query counts; all their values join the key; the
    /// first reason for a bypass stands.
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
            // Of two cookies of one name some upstreams read the last.
            let mut asked = parts_of(value, self.plan);
            if asked
                .any(|input| matches!(input, Input::Cookie(name) if self.view.repeats_cookie(name)))
            {
                for line in self.view.request.fields.get_all(b"cookie") {
                    prefixed(&mut caching.vary_on, Some(line));
                }
            }
        }
        if caching.bypass.is_none() {
            caching.bypass.clone_from(&lookup.bypass);
        }
    }

    /// Purges at once: no look-up on any worker that begins after this finds what
    /// was purged. The disk's journal is written behind it. What is absent
    /// purges nothing.
    pub(super) fn purge(&self, purge: &Purge, place: usize, cache: &Cache<Failure>) {
        let host = self.view.origin.host(&self.view.request.authority);
        let value = |value| self.rendered.get(place, value);
        let scope = match &purge.scope {
            PurgeScope::Site => Some(Scope::Host(&host)),
            PurgeScope::Tag(tag) => value(tag).map(Scope::Tag),
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
                now_ms: self.view.unix_seconds * 1000,
            }
        } else {
            janua_cache::Purge::Hard
        };
        if let Some(scope) = scope {
            cache.purge_at_once(&scope, kind);
        }
    }
}

/// Keeps what the edits of a verdict made of the request's head, which is what
/// the response answers. What comes from the request itself, and what a decision
/// about it brought, differs from user to user; the rest joins the key.
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
            Edit::SetPath(_) | Edit::SetQuery(_) => place += 1,
            Edit::RemoveHeader(name) => keep(name, None, false),
            Edit::SetStatus(_) => {}
        }
    }
}

fn is_personal(value: &Value, plan: &Plan) -> bool {
    parts_of(value, plan).any(Input::is_outside_cache_key)
}

/// What a value takes from the request.
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

/// Whether a verdict of the phase `fetched` made the response what it is for
/// this request alone.
pub(super) fn depends_on_requester(verdict: &Verdict, plan: &Plan) -> bool {
    !verdict.edits.is_empty()
        && (plan.inputs.iter().any(Input::is_outside_cache_key)
            || plan.references.iter().any(Input::is_outside_cache_key))
}

/// Tags are separated by commas or spaces, as CDNs write them.
pub(super) fn tags(value: &[u8]) -> impl Iterator<Item = Box<str>> {
    value
        .split(|byte| matches!(byte, b',' | b' ' | b'\t'))
        .filter(|tag| !tag.is_empty())
        .map(|tag| String::from_utf8_lossy(tag).into())
}
