//! What the cache has to know of an exchange: collected while the policies
//! run, used when a response is looked up and stored.

pub(crate) mod query;
mod report;

use std::rc::Rc;

use janua_cache::rules::Asked;
use janua_cache::rules::vary::write_value;
use janua_cache::{Parts, Variance};
use janua_http::RequestHead;
use janua_wasm::{CacheLookup, CacheRule, Effect, Verdict};

pub(crate) use report::{Bypass, Report};

/// Collected on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caching {
    /// What the client says of caching, before any policy changed its head.
    pub(crate) asked: Asked,
    /// The verdict that says which part of the query counts.
    pub(crate) lookup: Option<Rc<Verdict>>,
    /// The query as a rule has it in the key. The upstream is asked with this
    /// one: what the key lacks must not shape what is stored under it.
    pub(crate) keyed_query: Option<Vec<u8>>,
    /// Values that policies want in the key, one behind the other.
    pub(crate) vary_on: Vec<u8>,
    /// Why the cache is passed by.
    pub(crate) bypass: Option<Box<str>>,
    /// What the response may depend on beside the key: credentials that the
    /// route asks for, and what policies put into the head from the request.
    pub(crate) personal: Vec<u8>,
    /// The verdict whose rule says how to store the response.
    pub(crate) rule: Option<Rc<Verdict>>,
    /// A policy of the phase `fetched` edited the response by what the key does
    /// not tell: it is for nobody else.
    pub(crate) edited_for_one: bool,
    /// Tags of the response.
    pub(crate) tags: Vec<Box<str>>,
}

impl Caching {
    /// How the response is to be found, as the last policy said.
    pub(crate) fn lookup(&self) -> Option<&CacheLookup> {
        let effects = self.lookup.as_ref()?.effects.iter();
        effects.rev().find_map(|effect| match effect {
            Effect::CacheLookup(lookup) => Some(&**lookup),
            _ => None,
        })
    }

    /// How the response is to be stored.
    pub(crate) fn rule(&self) -> Option<&CacheRule> {
        self.rule.as_deref().and_then(rule)
    }
}

fn rule(verdict: &Verdict) -> Option<&CacheRule> {
    verdict.effects.iter().find_map(|effect| match effect {
        Effect::CacheRule(rule) => Some(&**rule),
        _ => None,
    })
}

/// Appends a value so that no two sequences of values look the same; what is
/// absent differs from what is empty.
pub(crate) fn prefixed(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let length = value.map_or(0, |value| value.len() as u64 + 1);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value.unwrap_or_default());
}

/// What makes the response one user's.
#[derive(Clone, Copy)]
pub(crate) struct Personal<'a>(&'a [u8]);

impl<'a> Personal<'a> {
    pub(crate) fn of(caching: &'a Caching) -> Self {
        Self(&caching.personal)
    }

    pub(crate) fn is_some(self) -> bool {
        !self.0.is_empty()
    }

    /// Writes a request's values of what a variance names.
    pub(crate) fn variant(
        self,
        request: &'a RequestHead,
    ) -> impl FnMut(&Variance, &mut Parts) + 'a {
        move |variance, parts| {
            let mut value = Vec::new();
            for name in variance.names() {
                value.clear();
                let is_there = write_value(name, &request.fields, &mut value);
                parts.push(is_there.then_some(&*value));
            }
            if variance.by_user() {
                parts.push(Some(self.0));
            }
        }
    }
}
