//! The effects of a verdict, with their values evaluated for the exchange.

use super::Outcome;
use super::destination::Destination;
use crate::bindings::janua::policy::types::{CacheLookup, CacheRule, Effect, PurgeScope, Take};

impl Outcome {
    /// The buckets that the verdict takes from, with their keys for this exchange. `None`
    /// is an absent key.
    #[must_use]
    pub fn takes(&self) -> Vec<(&Take, Option<String>)> {
        let takes = self.effects().filter_map(|effect| match effect {
            Effect::Take(take) => Some((take, self.resolve(&take.key, Destination::Text))),
            _ => None,
        });
        takes.collect()
    }

    /// The cache lookup, with the values that are added to the key for this exchange.
    /// `None` is an absent value.
    #[must_use]
    pub fn cache_lookup(&self) -> Option<(&CacheLookup, Vec<Option<String>>)> {
        self.effects().find_map(|effect| match effect {
            Effect::CacheLookup(lookup) => {
                let values = lookup.vary_on.iter();
                let values = values.map(|value| self.resolve(value, Destination::Text));
                Some((lookup, values.collect()))
            }
            _ => None,
        })
    }

    /// The cache rule.
    #[must_use]
    pub fn cache_rule(&self) -> Option<&CacheRule> {
        self.effects().find_map(|effect| match effect {
            Effect::CacheRule(rule) => Some(rule),
            _ => None,
        })
    }

    /// The cache tags that are added.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        let values = self.effects().filter_map(|effect| match effect {
            Effect::Tag(value) => self.resolve(value, Destination::Text),
            _ => None,
        });
        let mut tags = Vec::new();
        for value in values {
            let words = value
                .split([',', ' ', '\t'])
                .filter(|word| !word.is_empty());
            tags.extend(words.map(ToOwned::to_owned));
        }
        tags
    }

    /// The purges, as `url /a`, `prefix /a/`, `tag a` or `site`, and whether they are
    /// soft. Purges with an absent value are left out.
    #[must_use]
    pub fn purges(&self) -> Vec<(String, bool)> {
        let purges = self.effects().filter_map(|effect| {
            let Effect::Purge(purge) = effect else {
                return None;
            };
            let (kind, value, destination) = match &purge.scope {
                PurgeScope::Site => return Some(("site".to_owned(), purge.soft)),
                PurgeScope::Url(value) => ("url ", value, Destination::Url),
                PurgeScope::Prefix(value) => ("prefix ", value, Destination::Path),
                PurgeScope::Tag(value) => ("tag ", value, Destination::Text),
            };
            let value = self.resolve(value, destination)?;
            Some((kind.to_owned() + &value, purge.soft))
        });
        purges.collect()
    }

    fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.verdict.iter().flat_map(|verdict| &verdict.effects)
    }
}
