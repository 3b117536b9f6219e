//! What the cache needs to know about an exchange: collected while policies run, and
//! used when a response is looked up and stored.

pub(crate) mod query;
mod report;

use std::rc::Rc;

use janua_cache::rules::RequestControl;
use janua_cache::rules::vary::write_value;
use janua_cache::{Parts, Variance};
use janua_http::{Fields, RequestHead};
use janua_wasm::{CacheLookup, CacheRule, Effect, Verdict};

pub(crate) use report::{Bypass, Report};

/// What has been collected so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caching {
    /// The client's caching directives, from the head before any policy edited it.
    pub(crate) request: RequestControl,
    /// The verdict that says which part of the query joins the cache key.
    pub(crate) lookup: Option<Rc<Verdict>>,
    /// The query as a rule puts it into the key. The upstream gets this query too: a
    /// parameter that is not in the key must not influence the stored response.
    pub(crate) keyed_query: Option<Vec<u8>>,
    /// Values that policies add to the key, concatenated with length prefixes.
    pub(crate) vary_on: Vec<u8>,
    /// Why a policy bypasses the cache.
    pub(crate) bypass: Option<Box<str>>,
    /// What the response may depend on besides the key: the credentials that the route's
    /// policies read, and values of the request that policies put into the head.
    pub(crate) personal: Vec<u8>,
    /// The verdict whose rule says how to store the response.
    pub(crate) rule: Option<Rc<Verdict>>,
    /// A policy of the phase `fetched` edited the response depending on an input that is
    /// not in the key, so that it must not be shared.
    pub(crate) edited_for_one: bool,
    /// A policy of the phase `fetched` failed and was skipped, which is no reason to store the
    /// response as if the policy did not exist.
    pub(crate) lacks_edits: bool,
    /// The head of the response before the policies of the phase `fetched` edited it.
    pub(crate) received: Option<Box<ReceivedHead>>,
    /// Tags of the response.
    pub(crate) tags: Vec<Box<str>>,
}

/// The head of a response as the upstream sent it.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedHead {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
}

impl Caching {
    /// How the response is looked up, as the last policy specified it.
    pub(crate) fn lookup(&self) -> Option<&CacheLookup> {
        let effects = self.lookup.as_ref()?.effects.iter();
        effects.rev().find_map(|effect| match effect {
            Effect::CacheLookup(lookup) => Some(&**lookup),
            _ => None,
        })
    }

    /// The rule by which the response is stored.
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

/// Appends a value with a length prefix, so that different sequences of values give
/// different bytes. An absent value differs from an empty one.
pub(crate) fn prefixed(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let length = value.map_or(0, |value| value.len() as u64 + 1);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value.unwrap_or_default());
}

/// The values that make a response specific to one user.
#[derive(Clone, Copy)]
pub(crate) struct Personal<'a>(&'a [u8]);

impl<'a> Personal<'a> {
    pub(crate) fn of(caching: &'a Caching) -> Self {
        Self(&caching.personal)
    }

    pub(crate) fn is_some(self) -> bool {
        !self.0.is_empty()
    }

    /// Writes the request's values for the fields that a variance names.
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
