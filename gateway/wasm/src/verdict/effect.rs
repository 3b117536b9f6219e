//! What a verdict asks the gateway to do beside editing and answering.

use super::{Reply, Value};

/// Something for the gateway to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Take tokens from a bucket. Phase `request`.
    Take(Box<Take>),
    /// How to find the response in the cache. Phase `request`.
    CacheLookup(Box<CacheLookup>),
    /// What the cache does with the response. Phase `fetched`.
    CacheRule(Box<CacheRule>),
    /// Adds cache tags. Phase `fetched`. An absent value adds none; one with
    /// commas or spaces adds several.
    Tag(Value),
    /// Purge from the cache. Phases `request` and `response`.
    Purge(Box<Purge>),
}

/// A token bucket and what to take from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Take {
    /// Tells the buckets of one policy apart. Visible ASCII, may be empty.
    pub bucket: Box<str>,
    /// Whose bucket.
    pub key: Value,
    /// What an absent key means.
    pub absent: AbsentKey,
    /// Tokens that come back in each period, at least 1.
    pub tokens: u32,
    /// The period in milliseconds, at least 1.
    pub period_ms: u32,
    /// How many may be taken at once beyond the steady rate: the bucket holds one more.
    pub burst: u32,
    /// Tokens that this request takes, at least 1.
    pub cost: u32,
    /// The response if there are not enough.
    pub otherwise: Reply,
}

/// What a missing key means for a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AbsentKey {
    /// Everyone without a key shares one bucket.
    Share,
    /// As if the bucket were empty.
    Refuse,
    /// No bucket applies.
    Skip,
}

/// How a response is found in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheLookup {
    /// The part of the query that counts.
    pub query: QueryKey,
    /// Values that join the key, in order; an absent one differs from an empty
    /// one. At most 16.
    pub vary_on: Box<[Value]>,
    /// Neither look up nor store, for this reason: printable ASCII, 1 to 64 bytes.
    pub bypass: Option<Box<str>>,
}

/// How the query takes part in the cache key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum QueryKey {
    /// As it is.
    Whole,
    /// Its parameters sorted by name.
    Sorted,
    /// Not at all.
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
    /// Every name that starts with this; empty is every name. Written with a
    /// `*` at its end, which is taken off here.
    StartsWith(Box<str>),
}

/// What the cache does with a response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheRule {
    /// Names the rule in `Cache-Status` and the log: printable ASCII, 1 to 64 bytes.
    pub name: Box<str>,
    /// How long to store it.
    pub store: Storage,
    /// Replaces `Cache-Control` by this one line: a valid field value of at
    /// most 1 KiB.
    pub browser: Option<Box<str>>,
    /// Replaces `CDN-Cache-Control` (RFC 9213), as `browser`.
    pub cdn: Option<Box<str>>,
    /// Seconds after its end that it may be served while it is revalidated.
    pub stale_while_revalidate: Option<u32>,
    /// Seconds after its end that it may be served when the upstream fails.
    pub stale_if_error: Option<u32>,
    /// Whether users may share it although a policy put something of the
    /// request into the head, or the route asks for a credential.
    pub shared: bool,
}

/// For how long a response is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Storage {
    /// As its own fields say (RFC 9111).
    ByFields,
    /// As its own fields say, and by the heuristic of RFC 9111 §4.2.2 if they
    /// say nothing.
    ByFieldsOrHeuristic,
    /// Not at all.
    Never,
    /// For this many seconds, at most 2^31 - 1, whatever its fields say.
    Seconds(u32),
}

/// A purge, soft (it becomes stale) or hard (it is gone).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Purge {
    /// What.
    pub scope: PurgeScope,
    /// True: becomes stale. False: is gone.
    pub soft: bool,
}

/// What to purge from the cache. An absent value purges nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PurgeScope {
    /// One URL of this site: path and query.
    Url(Value),
    /// Every path of this site that starts with this.
    Prefix(Value),
    /// Everything of this site.
    Site,
    /// Everything with this tag.
    Tag(Value),
}

impl Effect {
    /// Visits its values, in order.
    pub(super) fn for_each_value(&self, visit: &mut impl FnMut(&Value)) {
        match self {
            Self::Take(take) => {
                visit(&take.key);
                take.otherwise.values().for_each(visit);
            }
            Self::CacheLookup(lookup) => lookup.vary_on.iter().for_each(visit),
            Self::CacheRule(_) => {}
            Self::Tag(value) => visit(value),
            Self::Purge(purge) => {
                if let PurgeScope::Url(value) | PurgeScope::Prefix(value) | PurgeScope::Tag(value) =
                    &purge.scope
                {
                    visit(value);
                }
            }
        }
    }

    /// How many values it has.
    pub(super) fn value_count(&self) -> usize {
        let mut count = 0;
        self.for_each_value(&mut |_| count += 1);
        count
    }

    /// Roughly the bytes that it holds on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Take(take) => {
                size_of::<Take>()
                    + take.bucket.len()
                    + take.key.heap_bytes()
                    + take.otherwise.heap_bytes()
            }
            Self::CacheLookup(lookup) => size_of::<CacheLookup>() + lookup.heap_bytes(),
            Self::CacheRule(rule) => size_of::<CacheRule>() + rule.heap_bytes(),
            Self::Tag(value) => value.heap_bytes(),
            Self::Purge(purge) => size_of::<Purge>() + purge.scope.heap_bytes(),
        }
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
            Self::Url(value) | Self::Prefix(value) | Self::Tag(value) => value.heap_bytes(),
            Self::Site => 0,
        }
    }
}

fn length(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
}
