//! The bundled policy `cache-rules`: the first rule that matches a response sets for
//! how long it is stored, and the `Cache-Control` for browsers and CDNs.
//!
//! Only what the configured rules examine is an input. Tags and the parts of the cache
//! key are references, and every verdict is valid until reload: there is one call for
//! all responses with the same inputs.

mod condition;
mod config;
mod lookup;
mod media_type;
mod rule;
mod span;
mod status;
mod tags;
#[cfg(test)]
mod tests;

use janua_sdk::{Fetched, Inputs, Policy, Request, Subscription, Verdict};

use crate::config::Config;
use crate::lookup::Lookup;
use crate::rule::Rules;

/// A configured `cache-rules`.
#[derive(Debug)]
pub struct CacheRules {
    lookup: Option<Lookup>,
    rules: Option<Rules>,
}

impl Policy for CacheRules {
    type Config = Config;

    fn new(config: Config, subscription: &mut Subscription) -> Result<Self, String> {
        let Config {
            rules,
            key,
            bypass,
            tags_from,
        } = config;
        let tags_from = tags_from.unwrap_or_default();
        let lookup = Lookup::new(key, bypass, subscription)?;
        let rules = Rules::new(rules, &tags_from.0, subscription)?;
        if lookup.is_none() && rules.is_none() {
            return Err("nothing to do: give `rules`, `key`, `bypass` or `tags_from`".to_owned());
        }
        Ok(Self { lookup, rules })
    }

    fn on_request(&self, inputs: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        let verdict = Verdict::proceed().until_reload();
        Ok(match &self.lookup {
            Some(lookup) => verdict.cache_lookup(lookup.of(inputs)),
            None => verdict,
        })
    }

    fn on_fetched(&self, inputs: &Inputs<Fetched>) -> Result<Verdict<Fetched>, String> {
        Ok(match &self.rules {
            Some(rules) => rules.of(inputs),
            None => Verdict::proceed().until_reload(),
        })
    }
}

/// An error message about a field of the configuration.
fn at(field: &str, message: &str) -> String {
    ["`", field, "`: ", message].concat()
}

janua_sdk::export!(
    CacheRules,
    name = "cache-rules",
    schema = include_str!("../schema.json")
);
