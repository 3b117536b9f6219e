//! Effects, each in the phases that allow it.

use super::Verdict;
use crate::bindings::janua::policy::effects::Effect;
use crate::phase::PerExchange;
use crate::{
    Ban, CacheLookup, CacheRule, Charge, Concurrency, Fetched, Kind, Named, Purge, Request, Split,
    Take, Value, Verify,
};

impl<P: Kind> Verdict<P> {
    /// Charges a bucket for what was used.
    #[must_use]
    pub fn charge(self, charge: Charge<P>) -> Self {
        self.effect(Effect::Charge(charge.into_contract()))
    }

    /// An effect that is younger than this version of the contract.
    #[must_use]
    pub fn effect_named(self, effect: Named<P>) -> Self {
        self.effect(Effect::Named(effect.into_contract()))
    }

    fn effect(mut self, effect: Effect) -> Self {
        self.verdict.effects.push(effect);
        self
    }
}

impl Verdict<Request> {
    /// Takes tokens from a bucket. If there are not enough, the request ends with the
    /// response of the [`Take`].
    #[must_use]
    pub fn take(self, take: Take) -> Self {
        self.effect(Effect::Take(take.into_contract()))
    }

    /// Limits how many requests are under way. If there are too many, the request ends
    /// with the response of the [`Concurrency`].
    #[must_use]
    pub fn concurrency(self, concurrency: Concurrency) -> Self {
        self.effect(Effect::Concurrency(concurrency.into_contract()))
    }

    /// Verifies a signature. If it is not valid, the request ends with the response of the
    /// [`Verify`].
    #[must_use]
    pub fn verify(self, verify: Verify) -> Self {
        self.effect(Effect::Verify(verify.into_contract()))
    }

    /// Selects an upstream by its configured name.
    #[must_use]
    pub fn choose_upstream(self, name: impl AsRef<str>) -> Self {
        self.effect(Effect::ChooseUpstream(name.as_ref().to_owned()))
    }

    /// Divides requests among upstreams.
    #[must_use]
    pub fn split(self, split: Split) -> Self {
        self.effect(Effect::Split(split.into_contract()))
    }

    /// Sets the cache key of the request.
    #[must_use]
    pub fn cache_lookup(self, lookup: CacheLookup) -> Self {
        self.effect(Effect::CacheLookup(lookup.into_contract()))
    }
}

impl Verdict<Fetched> {
    /// Sets whether and for how long the response is stored.
    #[must_use]
    pub fn cache_rule(self, rule: CacheRule) -> Self {
        self.effect(Effect::CacheRule(rule.into_contract()))
    }

    /// Adds the cache tags in this value, which are separated by commas or spaces. It can
    /// be a reference to a field with tags. An absent value adds none.
    #[must_use]
    pub fn cache_tag(self, tag: impl Into<Value<Fetched>>) -> Self {
        self.effect(Effect::CacheTag(tag.into().into_parts()))
    }
}

impl<P: PerExchange> Verdict<P> {
    /// Purges stored responses.
    #[must_use]
    pub fn purge(self, purge: Purge<P>) -> Self {
        self.effect(Effect::Purge(purge.into_contract()))
    }

    /// Counts towards a ban.
    #[must_use]
    pub fn ban(self, ban: Ban<P>) -> Self {
        self.effect(Effect::Ban(ban.into_contract()))
    }
}
