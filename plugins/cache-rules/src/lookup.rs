//! The cache key, and which requests bypass the cache.

use janua_sdk::{
    CacheLookup, Inputs, OneOrMore, Phase, QueryKey, Request, Subscription, Value, input_named,
};

use crate::at;
use crate::condition::{Condition, cookie_name, entries};
use crate::config::{Bypass, Key, Query};

/// The limits of the contract.
const MAX_VALUES: usize = 16;
const MAX_PARAMETERS: usize = 64;
const MAX_NAME: usize = 128;

/// The possible lookups. The request decides which one applies.
#[derive(Debug)]
pub(crate) struct Lookup {
    by_key: CacheLookup,
    bypass: Vec<(Vec<Condition<Request>>, CacheLookup)>,
}

impl Lookup {
    /// Checks both parts of the configuration and declares their inputs. `None` if
    /// neither is given.
    pub(crate) fn new(
        key: Option<Key>,
        bypass: Vec<Bypass>,
        subscription: &mut Subscription,
    ) -> Result<Option<Self>, String> {
        if key.is_none() && bypass.is_empty() {
            return Ok(None);
        }
        let phase = subscription.request().may_cache_lookup();
        let by_key = match key {
            Some(key) => by_key(key, phase)?,
            None => CacheLookup::by(QueryKey::Whole),
        };
        let mut bypasses = Vec::new();
        for (index, entry) in bypass.into_iter().enumerate() {
            bypasses.push(bypass_of(&format!("bypass[{index}]"), entry, phase)?);
        }
        Ok(Some(Self {
            by_key,
            bypass: bypasses,
        }))
    }

    /// The lookup for a request.
    pub(crate) fn of(&self, inputs: &Inputs<Request>) -> CacheLookup {
        let all = |conditions: &[Condition<Request>]| {
            conditions.iter().all(|condition| condition.holds(inputs))
        };
        let mut bypass = self.bypass.iter();
        let matching = bypass.find(|(conditions, _)| all(conditions));
        matching.map_or(&self.by_key, |(_, lookup)| lookup).clone()
    }
}

fn by_key(key: Key, phase: &mut Phase<Request>) -> Result<CacheLookup, String> {
    let query = match key.query {
        Query::Whole => QueryKey::Whole,
        Query::Sorted => QueryKey::Sorted,
        Query::Ignored => QueryKey::Ignored,
        Query::Only(names) => QueryKey::Only(parameters("key.query.only", names)?),
        Query::Without(names) => QueryKey::Without(parameters("key.query.without", names)?),
    };
    let mut lookup = CacheLookup::by(query);
    let OneOrMore(headers) = key.headers;
    let OneOrMore(cookies) = key.cookies;
    if headers.len() + cookies.len() > MAX_VALUES {
        let most = "at most 16 fields and cookies join the key";
        return Err(at("key", most));
    }
    for name in headers {
        let input = input_named(&["header:", &name].concat());
        let input = input.map_err(|why| at("key.headers", &why))?;
        lookup = lookup.vary_on(Value::from(phase.reference(input)));
    }
    for name in cookies {
        cookie_name(&name).map_err(|why| at("key.cookies", &why))?;
        let cookie = phase.reference(janua_sdk::Input::Cookie(name));
        lookup = lookup.vary_on(Value::from(cookie));
    }
    Ok(lookup)
}

fn parameters(field: &str, OneOrMore(names): OneOrMore<String>) -> Result<Vec<String>, String> {
    for name in &names {
        let inner = name.strip_suffix('*').unwrap_or(name);
        if name.is_empty() || name.len() > MAX_NAME || inner.contains('*') {
            let wrong = "\" is not the name of a parameter; a `*` may only end it";
            return Err(at(field, &["\"", name, wrong].concat()));
        }
        if name.chars().any(char::is_control) {
            return Err(at(field, "a name holds no control characters"));
        }
    }
    match names.len() > MAX_PARAMETERS {
        true => Err(at(field, "at most 64 parameters")),
        false => Ok(names),
    }
}

/// The conditions of one entry, and the lookup with the reason for the bypass.
fn bypass_of(
    place: &str,
    entry: Bypass,
    phase: &mut Phase<Request>,
) -> Result<(Vec<Condition<Request>>, CacheLookup), String> {
    let field = |name: &str| [place, ".", name].concat();
    let mut conditions = Vec::new();
    let mut reasons = Vec::new();
    if let Some(OneOrMore(names)) = entry.cookie {
        let names = entries(&field("cookie"), names)?;
        let condition = Condition::cookies(phase, &names);
        conditions.push(condition.map_err(|why| at(&field("cookie"), &why))?);
        reasons.push("cookie");
    }
    if let Some(OneOrMore(names)) = entry.header {
        let names = entries(&field("header"), names)?;
        let condition = Condition::headers(phase, &names);
        conditions.push(condition.map_err(|why| at(&field("header"), &why))?);
        reasons.push("header");
    }
    if let Some(OneOrMore(paths)) = entry.path {
        let paths = entries(&field("path"), paths)?;
        conditions.push(Condition::Path(phase.path(), paths));
        reasons.push("path");
    }
    if conditions.is_empty() {
        return Err(at(place, "give `path`, `cookie` or `header`"));
    }
    Ok((conditions, CacheLookup::bypass(&reasons.join("+"))))
}
