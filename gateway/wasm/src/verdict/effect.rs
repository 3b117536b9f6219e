//! Effects: actions of the gateway that a verdict asks for.

use super::{Destination, Reply, Value};

/// An action of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Takes tokens from a bucket. Phase `request`.
    Take(Box<Take>),
    /// Takes tokens from a bucket, even if it holds too few.
    Charge(Box<Charge>),
    /// Takes one of a number of places until the exchange has ended. Phase `request`.
    Concurrency(Box<Concurrency>),
    /// Chooses the upstream. Phase `request`.
    ChooseUpstream(Box<DeclaredUpstream>),
    /// Divides requests among upstreams. Phase `request`.
    Split(Box<Split>),
    /// Sets the cache key of the request. Phase `request`.
    CacheLookup(Box<CacheLookup>),
    /// Sets whether and for how long the response is stored. Phase `fetched`.
    CacheRule(Box<CacheRule>),
    /// Adds the cache tags in this value, which are separated by commas or spaces.
    /// An absent value adds none. Phase `fetched`.
    CacheTag(Value),
    /// Purges stored responses. Phases `request` and `response`.
    Purge(Box<Purge>),
}

/// Takes tokens from a token bucket, or refuses the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Take {
    /// The bucket.
    pub bucket: TokenBucket,
    /// How many tokens.
    pub cost: Cost,
    /// The response if the bucket holds fewer tokens.
    pub otherwise: Reply,
}

/// Takes tokens from a token bucket, even if it holds too few.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Charge {
    /// The bucket.
    pub bucket: TokenBucket,
    /// How many tokens.
    pub cost: Cost,
    /// How many tokens the bucket may lack below empty.
    pub debt: u32,
}

/// The token bucket of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenBucket {
    /// The name of the limit, for policies with several. Printable ASCII, may be empty.
    pub name: Box<str>,
    /// Each value of the key has a bucket of its own.
    pub key: Value,
    /// What an absent key means.
    pub absent: AbsentKey,
    /// Tokens added in each period, at least 1.
    pub tokens: u32,
    /// The period in milliseconds, at least 1.
    pub period_ms: u32,
    /// The bucket holds `burst + 1` tokens.
    pub burst: u32,
}

/// How many tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cost {
    /// This many.
    Tokens(u32),
    /// As many as the exchange states.
    Measured {
        /// A decimal number.
        amount: Value,
        /// The number of tokens if the amount is absent or no number.
        otherwise: u32,
        /// A larger amount counts as this one.
        most: u32,
    },
}

impl Cost {
    /// The number of tokens. `amount` is the rendered value of a measured cost.
    pub fn tokens(&self, amount: Option<&[u8]>) -> u32 {
        match self {
            Self::Tokens(tokens) => *tokens,
            Self::Measured {
                otherwise, most, ..
            } => number(amount).map_or(*otherwise, |amount| amount.min(*most)),
        }
    }

    /// The value of a measured cost.
    pub fn amount(&self) -> Option<&Value> {
        match self {
            Self::Tokens(_) => None,
            Self::Measured { amount, .. } => Some(amount),
        }
    }
}

/// A decimal number; one that is too large counts as the largest.
fn number(text: Option<&[u8]>) -> Option<u32> {
    let digits = text.filter(|text| !text.is_empty() && text.iter().all(u8::is_ascii_digit))?;
    Some(digits.iter().fold(0_u32, |number, digit| {
        let digit = u32::from(digit - b'0');
        number.saturating_mul(10).saturating_add(digit)
    }))
}

/// Takes one of a number of places.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Concurrency {
    /// The name of the limit, for policies with several. Printable ASCII, may be empty.
    pub name: Box<str>,
    /// Each value of the key has places of its own.
    pub key: Value,
    /// What an absent key means.
    pub absent: AbsentKey,
    /// The number of places, at least 1.
    pub most: u32,
    /// The response if none is free.
    pub otherwise: Reply,
}

/// What an absent key means for a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AbsentKey {
    /// All requests without a key share one bucket.
    Share,
    /// The request is refused, as if the bucket were empty.
    Refuse,
    /// The request is not limited.
    Skip,
}

/// An upstream that the policy has declared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeclaredUpstream {
    /// Its name.
    pub name: Box<str>,
    /// Its position among those that the policy has declared
    /// ([`Policy::upstreams`](crate::Policy::upstreams)), so that nobody has to look for the
    /// name.
    pub place: usize,
}

/// Divides requests among upstreams.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Split {
    /// The upstreams, none of them twice, and their weights, of which at least one is above 0.
    pub shares: Box<[Share]>,
    /// Requests with the same key go to the same upstream. If it is absent, each draws anew.
    pub sticky: Option<Value>,
}

/// An upstream and its share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Share {
    /// The upstream.
    pub upstream: DeclaredUpstream,
    /// Its weight, in proportion to the sum of all weights.
    pub weight: u32,
}

/// The cache key of a request, beyond host and path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheLookup {
    /// The part of the query that belongs to the key.
    pub query: QueryKey,
    /// Values that are added to the key, in order. An absent value differs from an
    /// empty one. At most 16.
    pub vary_on: Box<[Value]>,
    /// The reason to neither look up nor store: printable ASCII, 1 to 64 bytes.
    pub bypass: Option<Box<str>>,
}

/// The part of the query that belongs to the cache key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum QueryKey {
    /// The query as it is.
    Whole,
    /// All parameters, sorted by name.
    Sorted,
    /// No part of it.
    Ignored,
    /// Only these parameters, sorted. At most 64.
    Only(Box<[ParameterName]>),
    /// All but these, sorted. At most 64.
    Without(Box<[ParameterName]>),
}

/// The name of a query parameter, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ParameterName {
    /// This name.
    Exact(Box<str>),
    /// Every name that starts with this; if empty, every name. The contract writes
    /// it with a `*` at its end, which is removed here.
    StartsWith(Box<str>),
}

/// Whether and for how long a response is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheRule {
    /// Names the rule in `Cache-Status` and the log: printable ASCII, 1 to 64 bytes.
    pub name: Box<str>,
    /// For how long it is stored.
    pub store: Storage,
    /// The new value of `Cache-Control`: a valid field value of at most 1 KiB.
    pub browser: Option<Box<str>>,
    /// The new value of `CDN-Cache-Control` (RFC 9213), with the limits of `browser`.
    pub cdn: Option<Box<str>>,
    /// For how many seconds the stale response may be served while it is revalidated
    /// (RFC 5861 §3).
    pub stale_while_revalidate: Option<u32>,
    /// For how many seconds the stale response may be served if the upstream fails
    /// (RFC 5861 §4).
    pub stale_if_error: Option<u32>,
    /// Whether users may share the response although a policy copied part of the
    /// request into its head, or the route requires a credential.
    pub shared: bool,
}

/// For how long a response is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Storage {
    /// As its own fields say (RFC 9111).
    ByFields,
    /// As its own fields say, or by heuristic freshness (RFC 9111 §4.2.2) if they do
    /// not say.
    ByFieldsOrHeuristic,
    /// It is not stored.
    Never,
    /// For this many seconds, at most 2^31 - 1, regardless of its fields.
    Seconds(u32),
}

/// A purge of stored responses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Purge {
    /// Which responses.
    pub scope: PurgeScope,
    /// True: they become stale. False: they are removed.
    pub soft: bool,
}

/// The stored responses to purge. An absent value purges none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PurgeScope {
    /// One URL of this site: path and query.
    Url(Value),
    /// All paths of this site that start with this.
    Prefix(Value),
    /// All of this site.
    Site,
    /// All with this tag.
    Tagged(Value),
}

impl Effect {
    /// Visits its values, in order.
    pub(super) fn for_each_value(&self, visit: &mut impl FnMut(Destination, &Value)) {
        let mut text = |value: &Value| visit(Destination::Text, value);
        match self {
            Self::Take(take) => {
                text(&take.bucket.key);
                take.cost.amount().into_iter().for_each(&mut text);
                take.otherwise.values().for_each(text);
            }
            Self::Charge(charge) => {
                text(&charge.bucket.key);
                charge.cost.amount().into_iter().for_each(text);
            }
            Self::Concurrency(limit) => {
                text(&limit.key);
                limit.otherwise.values().for_each(text);
            }
            Self::Split(split) => split.sticky.iter().for_each(text),
            Self::CacheLookup(lookup) => lookup.vary_on.iter().for_each(text),
            Self::ChooseUpstream(_) | Self::CacheRule(_) => {}
            Self::CacheTag(value) => text(value),
            Self::Purge(purge) => match &purge.scope {
                PurgeScope::Url(value) => visit(Destination::Url, value),
                PurgeScope::Prefix(value) => visit(Destination::Path, value),
                PurgeScope::Tagged(value) => text(value),
                PurgeScope::Site => {}
            },
        }
    }

    /// The number of its values.
    pub(super) fn value_count(&self) -> usize {
        let mut count = 0;
        self.for_each_value(&mut |_, _| count += 1);
        count
    }

    /// Its approximate size on the heap in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Take(take) => {
                size_of::<Take>()
                    + take.bucket.heap_bytes()
                    + take.cost.heap_bytes()
                    + take.otherwise.heap_bytes()
            }
            Self::Charge(charge) => {
                size_of::<Charge>() + charge.bucket.heap_bytes() + charge.cost.heap_bytes()
            }
            Self::Concurrency(limit) => {
                size_of::<Concurrency>()
                    + limit.name.len()
                    + limit.key.heap_bytes()
                    + limit.otherwise.heap_bytes()
            }
            Self::ChooseUpstream(upstream) => size_of::<DeclaredUpstream>() + upstream.name.len(),
            Self::Split(split) => size_of::<Split>() + split.heap_bytes(),
            Self::CacheLookup(lookup) => size_of::<CacheLookup>() + lookup.heap_bytes(),
            Self::CacheRule(rule) => size_of::<CacheRule>() + rule.heap_bytes(),
            Self::CacheTag(value) => value.heap_bytes(),
            Self::Purge(purge) => size_of::<Purge>() + purge.scope.heap_bytes(),
        }
    }
}

impl TokenBucket {
    fn heap_bytes(&self) -> usize {
        self.name.len() + self.key.heap_bytes()
    }
}

impl Cost {
    fn heap_bytes(&self) -> usize {
        self.amount().map_or(0, Value::heap_bytes)
    }
}

impl Split {
    fn heap_bytes(&self) -> usize {
        let shares = self.shares.iter();
        let shares: usize = shares
            .map(|share| size_of::<Share>() + share.upstream.name.len())
            .sum();
        shares + self.sticky.as_ref().map_or(0, Value::heap_bytes)
    }
}

impl CacheLookup {
    fn heap_bytes(&self) -> usize {
        let query: usize = match &self.query {
            QueryKey::Whole | QueryKey::Sorted | QueryKey::Ignored => 0,
            QueryKey::Only(names) | QueryKey::Without(names) => {
                names.iter().map(ParameterName::bytes).sum()
            }
        };
        let vary_on: usize = self
            .vary_on
            .iter()
            .map(|value| size_of::<Value>() + value.heap_bytes())
            .sum();
        query + vary_on + length(self.bypass.as_deref())
    }
}

impl ParameterName {
    fn bytes(&self) -> usize {
        let (Self::Exact(name) | Self::StartsWith(name)) = self;
        size_of::<Self>() + name.len()
    }
}

impl CacheRule {
    fn heap_bytes(&self) -> usize {
        self.name.len() + length(self.browser.as_deref()) + length(self.cdn.as_deref())
    }
}

impl PurgeScope {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Url(value) | Self::Prefix(value) | Self::Tagged(value) => value.heap_bytes(),
            Self::Site => 0,
        }
    }
}

fn length(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_cost_is_a_decimal_number() {
        let cost = Cost::Measured {
            amount: Value::Literal(Box::default()),
            otherwise: 7,
            most: 1_000,
        };
        for (amount, tokens) in [
            (None, 7),
            (Some(""), 7),
            (Some("0"), 0),
            (Some("0042"), 42),
            (Some("1000"), 1_000),
            (Some("1001"), 1_000),
            (Some("99999999999999999999"), 1_000),
            (Some("-1"), 7),
            (Some("+1"), 7),
            (Some("1.5"), 7),
            (Some(" 1"), 7),
        ] {
            assert_eq!(cost.tokens(amount.map(str::as_bytes)), tokens, "{amount:?}");
        }
        assert_eq!(Cost::Tokens(3).tokens(None), 3);
    }
}
