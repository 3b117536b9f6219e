//! Converts effects: checks phase, grant and limits of each.

use super::{effects as raw, reply, unknown, value};
use crate::convert::Unusable;
use crate::grants::phases_of;
use crate::rules::{self, Place, Rules, Violation};
use crate::verdict::{
    AbsentKey, CacheLookup, CacheRule, Charge, Concurrency, Cost, Effect, ParameterName, Purge,
    PurgeScope, QueryKey, Share, Split, Storage, Take, TokenBucket,
};

pub(super) fn effect(raw: raw::Effect, rules: &Rules<'_>) -> Result<Effect, Unusable> {
    let allowed = |name| {
        let allowed = rules.effect(name, phases_of(name));
        allowed.map_err(Unusable::Effect)
    };
    let not_supported = |name: &str| Err(Unusable::Effect(rules::not_supported(&name)));
    Ok(match raw {
        raw::Effect::Take(raw) => {
            allowed("take")?;
            Effect::Take(Box::new(take(raw, rules)?))
        }
        raw::Effect::CacheLookup(raw) => {
            allowed("cache-lookup")?;
            Effect::CacheLookup(Box::new(cache_lookup(raw, rules)?))
        }
        raw::Effect::CacheRule(raw) => {
            allowed("cache-rule")?;
            Effect::CacheRule(Box::new(cache_rule(raw)?))
        }
        raw::Effect::CacheTag(raw) => {
            allowed("cache-tag")?;
            Effect::CacheTag(value(raw, Place::Field, rules)?)
        }
        raw::Effect::Purge(raw) => {
            allowed("purge")?;
            Effect::Purge(Box::new(purge(raw, rules)?))
        }
        raw::Effect::Charge(raw) => {
            allowed("charge")?;
            Effect::Charge(Box::new(charge(raw, rules)?))
        }
        raw::Effect::Concurrency(raw) => {
            allowed("concurrency")?;
            Effect::Concurrency(Box::new(concurrency(raw, rules)?))
        }
        raw::Effect::Verify(_) => return not_supported("verify"),
        raw::Effect::ChooseUpstream(name) => {
            allowed("choose-upstream")?;
            let upstream = rules.upstream(&name).map_err(Unusable::Effect)?;
            Effect::ChooseUpstream(Box::new(upstream))
        }
        raw::Effect::Split(raw) => {
            allowed("split")?;
            Effect::Split(Box::new(split(raw, rules)?))
        }
        raw::Effect::Ban(_) => return not_supported("ban"),
        raw::Effect::Named(named) => {
            return Err(Unusable::Effect(unknown("effect", &named.name)));
        }
    })
}

fn take(raw: raw::Take, rules: &Rules<'_>) -> Result<Take, Violation> {
    Ok(Take {
        bucket: bucket(raw.bucket, rules)?,
        cost: cost(raw.cost, rules)?,
        otherwise: reply(raw.otherwise, rules)?,
    })
}

fn charge(raw: raw::Charge, rules: &Rules<'_>) -> Result<Charge, Violation> {
    Ok(Charge {
        bucket: bucket(raw.bucket, rules)?,
        cost: cost(raw.cost, rules)?,
        debt: raw.debt,
    })
}

fn bucket(raw: raw::Bucket, rules: &Rules<'_>) -> Result<TokenBucket, Violation> {
    Ok(TokenBucket {
        name: rules::word("the name of a bucket", &raw.name)?,
        key: value(raw.key, Place::Key, rules)?,
        absent: absent(raw.absent),
        tokens: rules::at_least_one("`tokens` of a bucket", raw.tokens)?,
        period_ms: rules::at_least_one("`period-ms` of a bucket", raw.period_ms)?,
        burst: raw.burst,
    })
}

fn cost(raw: raw::Cost, rules: &Rules<'_>) -> Result<Cost, Violation> {
    Ok(match raw {
        raw::Cost::Tokens(tokens) => Cost::Tokens(tokens),
        raw::Cost::Measured(raw) => Cost::Measured {
            amount: value(raw.amount, Place::Key, rules)?,
            otherwise: raw.otherwise,
            most: rules::at_least_one("`most` of a measured cost", raw.most)?,
        },
    })
}

fn concurrency(raw: raw::Concurrency, rules: &Rules<'_>) -> Result<Concurrency, Violation> {
    Ok(Concurrency {
        name: rules::word("the name of a limit", &raw.name)?,
        key: value(raw.key, Place::Key, rules)?,
        absent: absent(raw.absent),
        most: rules::at_least_one("`most` of a limit", raw.most)?,
        otherwise: reply(raw.otherwise, rules)?,
    })
}

fn split(raw: raw::Split, rules: &Rules<'_>) -> Result<Split, Unusable> {
    rules::at_most("upstreams of a split", raw.weights.len(), rules::MAX_SHARES)?;
    let mut shares: Vec<Share> = Vec::with_capacity(raw.weights.len());
    for weighted in raw.weights {
        let upstream = rules
            .upstream(&weighted.upstream)
            .map_err(Unusable::Effect)?;
        // By a key, the second one would have no share of its own.
        if shares.iter().any(|share| share.upstream == upstream) {
            let name = upstream.name;
            return Err(format!("the upstream {name:?} is twice in a split").into());
        }
        shares.push(Share {
            upstream,
            weight: weighted.weight,
        });
    }
    if shares.iter().all(|share| share.weight == 0) {
        return Err("no weight of a split is above 0".to_owned().into());
    }
    let sticky = raw.sticky.map(|raw| value(raw, Place::Key, rules));
    Ok(Split {
        shares: shares.into(),
        sticky: sticky.transpose()?,
    })
}

fn absent(raw: raw::AbsentKey) -> AbsentKey {
    match raw {
        raw::AbsentKey::Share => AbsentKey::Share,
        raw::AbsentKey::Refuse => AbsentKey::Refuse,
        raw::AbsentKey::Skip => AbsentKey::Skip,
    }
}

fn cache_lookup(raw: raw::CacheLookup, rules: &Rules<'_>) -> Result<CacheLookup, Violation> {
    rules::at_most("values in `vary-on`", raw.vary_on.len(), rules::MAX_VARY_ON)?;
    Ok(CacheLookup {
        query: match raw.query {
            raw::QueryKey::Whole => QueryKey::Whole,
            raw::QueryKey::Sorted => QueryKey::Sorted,
            raw::QueryKey::Ignored => QueryKey::Ignored,
            raw::QueryKey::Only(names) => QueryKey::Only(parameter_names(names)?),
            raw::QueryKey::Without(names) => QueryKey::Without(parameter_names(names)?),
        },
        vary_on: raw
            .vary_on
            .into_iter()
            .map(|raw| value(raw, Place::Key, rules))
            .collect::<Result<_, _>>()?,
        bypass: raw
            .bypass
            .map(|why| rules::name("the reason of a bypass", &why))
            .transpose()?,
    })
}

fn parameter_names(names: Vec<String>) -> Result<Box<[ParameterName]>, Violation> {
    rules::at_most(
        "names of query parameters",
        names.len(),
        rules::MAX_PARAMETERS,
    )?;
    names
        .iter()
        .map(|name| rules::parameter_name(name))
        .collect()
}

fn cache_rule(raw: raw::CacheRule) -> Result<CacheRule, Violation> {
    let line =
        |of: &str, text: Option<String>| text.map(|text| rules::field_line(of, text)).transpose();
    let span = |of: &str, seconds: Option<u32>| {
        seconds
            .map(|seconds| rules::seconds(of, seconds))
            .transpose()
    };
    Ok(CacheRule {
        name: rules::name("the name of a cache rule", &raw.name)?,
        store: match raw.store {
            raw::Storage::ByFields => Storage::ByFields,
            raw::Storage::ByFieldsOrHeuristic => Storage::ByFieldsOrHeuristic,
            raw::Storage::Never => Storage::Never,
            raw::Storage::Seconds(seconds) => Storage::Seconds(rules::seconds("store", seconds)?),
        },
        browser: line("browser", raw.browser)?,
        cdn: line("cdn", raw.cdn)?,
        stale_while_revalidate: span("stale-while-revalidate", raw.stale_while_revalidate)?,
        stale_if_error: span("stale-if-error", raw.stale_if_error)?,
        shared: raw.shared,
    })
}

fn purge(raw: raw::Purge, rules: &Rules<'_>) -> Result<Purge, Violation> {
    Ok(Purge {
        scope: match raw.scope {
            raw::PurgeScope::Url(raw) => PurgeScope::Url(value(raw, Place::Target, rules)?),
            raw::PurgeScope::Prefix(raw) => PurgeScope::Prefix(value(raw, Place::Target, rules)?),
            raw::PurgeScope::Site => PurgeScope::Site,
            raw::PurgeScope::Tagged(raw) => PurgeScope::Tagged(value(raw, Place::Field, rules)?),
        },
        soft: raw.soft,
    })
}
