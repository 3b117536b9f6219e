//! The effects of a verdict, with their values evaluated for the exchange.

use super::Outcome;
use crate::bindings::janua::policy::effects::{
    CacheLookup, CacheRule, Charge, Cost, Effect, PurgeScope, Take,
};

impl Outcome {
    /// The buckets that the verdict takes from, with their keys for this exchange. `None`
    /// is an absent key.
    #[must_use]
    pub fn takes(&self) -> Vec<(&Take, Option<String>)> {
        let takes = self.effects().filter_map(|effect| match effect {
            Effect::Take(take) => Some((take, self.resolve(&take.bucket.key))),
            _ => None,
        });
        takes.collect()
    }

    /// The buckets that are charged, with their keys for this exchange and the number of
    /// tokens.
    #[must_use]
    pub fn charges(&self) -> Vec<(&Charge, Option<String>, u32)> {
        let charges = self.effects().filter_map(|effect| match effect {
            Effect::Charge(charge) => {
                let key = self.resolve(&charge.bucket.key);
                Some((charge, key, self.tokens(&charge.cost)))
            }
            _ => None,
        });
        charges.collect()
    }

    /// The number of tokens that a cost comes to for this exchange.
    #[must_use]
    pub fn tokens(&self, cost: &Cost) -> u32 {
        match cost {
            Cost::Tokens(tokens) => *tokens,
            Cost::Measured(measure) => {
                let amount = self.resolve(&measure.amount);
                let amount = amount.and_then(|amount| amount.parse::<u64>().ok());
                let amount = amount.unwrap_or_else(|| measure.otherwise.into());
                let amount = amount.min(measure.most.into());
                u32::try_from(amount).unwrap_or(measure.most)
            }
        }
    }

    /// The cache lookup, with the values that are added to the key for this exchange.
    /// `None` is an absent value.
    #[must_use]
    pub fn cache_lookup(&self) -> Option<(&CacheLookup, Vec<Option<String>>)> {
        self.effects().find_map(|effect| match effect {
            Effect::CacheLookup(lookup) => {
                let values = lookup.vary_on.iter().map(|value| self.resolve(value));
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
            Effect::CacheTag(value) => self.resolve(value),
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
            let (kind, value) = match &purge.scope {
                PurgeScope::Site => return Some(("site".to_owned(), purge.soft)),
                PurgeScope::Url(value) => ("url ", value),
                PurgeScope::Prefix(value) => ("prefix ", value),
                PurgeScope::Tagged(value) => ("tag ", value),
            };
            Some((kind.to_owned() + &self.resolve(value)?, purge.soft))
        });
        purges.collect()
    }

    fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.verdict.iter().flat_map(|verdict| &verdict.effects)
    }
}
