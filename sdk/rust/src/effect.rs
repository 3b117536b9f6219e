//! Effects: actions of the gateway that a verdict asks for.

use std::marker::PhantomData;

use crate::bindings::janua::policy::types::{self, PurgeScope};
use crate::{AbsentKey, Algorithm, Encoding, QueryKey, Reply, Request, Storage, Value};

/// Takes tokens from a token bucket of the gateway. Requires the grant `effect:take`.
#[derive(Clone, Debug, PartialEq)]
pub struct Take(types::Take);

impl Take {
    /// Takes one token from a bucket to which `tokens` are added every `period_ms`
    /// milliseconds; both are at least 1. By default there is no burst, all requests
    /// share one bucket, and the refusal is a 429.
    #[must_use]
    pub fn new(tokens: u32, period_ms: u32) -> Self {
        Self(types::Take {
            bucket: String::new(),
            key: Vec::new(),
            absent: AbsentKey::Share,
            tokens,
            period_ms,
            burst: 0,
            cost: 1,
            otherwise: Reply::<Request>::new(429).into_contract(),
        })
    }

    /// Names the limit, for policies with several.
    #[must_use]
    pub fn bucket(mut self, name: &str) -> Self {
        name.clone_into(&mut self.0.bucket);
        self
    }

    /// Gives each value of the key its own bucket. `absent` decides about requests
    /// without a key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Value<Request>>, absent: AbsentKey) -> Self {
        self.0.key = key.into().into_parts();
        self.0.absent = absent;
        self
    }

    /// The number of requests at once beyond the rate: the bucket holds `burst + 1`
    /// tokens.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.0.burst = burst;
        self
    }

    /// The number of tokens that one request takes. At least 1.
    #[must_use]
    pub fn cost(mut self, cost: u32) -> Self {
        self.0.cost = cost;
        self
    }

    /// The response if there are not enough tokens. The gateway adds `Retry-After`.
    #[must_use]
    pub fn otherwise(mut self, reply: Reply<Request>) -> Self {
        self.0.otherwise = reply.into_contract();
        self
    }

    pub(crate) fn into_contract(self) -> types::Take {
        self.0
    }
}

/// Verifies a signature with a secret that is not passed to the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Verify(types::Verify);

impl Verify {
    /// Verifies that `signature`, in hexadecimal, is the signature of `message`. The
    /// refusal is a 401.
    #[must_use]
    pub fn new(
        secret: &str,
        algorithm: Algorithm,
        message: impl Into<Value<Request>>,
        signature: impl Into<Value<Request>>,
    ) -> Self {
        Self(types::Verify {
            secret: secret.to_owned(),
            algorithm,
            message: message.into().into_parts(),
            signature: signature.into().into_parts(),
            encoding: Encoding::Hex,
            prefix: String::new(),
            otherwise: Reply::<Request>::new(401).into_contract(),
        })
    }

    /// The encoding of the signature, and the prefix in front of it.
    #[must_use]
    pub fn written(mut self, encoding: Encoding, prefix: &str) -> Self {
        self.0.encoding = encoding;
        prefix.clone_into(&mut self.0.prefix);
        self
    }

    /// The response if the signature is not valid.
    #[must_use]
    pub fn otherwise(mut self, reply: Reply<Request>) -> Self {
        self.0.otherwise = reply.into_contract();
        self
    }

    pub(crate) fn into_contract(self) -> types::Verify {
        self.0
    }
}

/// Sets the cache key of a request. Requires the grant `effect:cache-lookup`.
///
/// ```
/// # use janua_sdk::{CacheLookup, QueryKey};
/// // One response for all campaigns of a page.
/// CacheLookup::by(QueryKey::Without(vec!["utm_*".into(), "fbclid".into()]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CacheLookup(types::CacheLookup);

impl CacheLookup {
    /// A key with this part of the query.
    #[must_use]
    pub fn by(query: QueryKey) -> Self {
        Self(types::CacheLookup {
            query,
            vary_on: Vec::new(),
            bypass: None,
        })
    }

    /// The request bypasses the cache: its response is neither looked up nor stored. The
    /// reason is logged: 1 to 64 bytes of printable ASCII.
    #[must_use]
    pub fn bypass(reason: &str) -> Self {
        let mut lookup = Self::by(QueryKey::Whole);
        lookup.0.bypass = Some(reason.to_owned());
        lookup
    }

    /// Adds a value to the key. At most 16. It can be a reference; an absent value
    /// differs from an empty one.
    #[must_use]
    pub fn vary_on(mut self, value: impl Into<Value<Request>>) -> Self {
        self.0.vary_on.push(value.into().into_parts());
        self
    }

    pub(crate) fn into_contract(self) -> types::CacheLookup {
        self.0
    }
}

/// Sets whether and for how long a response is stored. Requires the grant
/// `effect:cache-rule`.
///
/// ```
/// # use janua_sdk::{CacheRule, Storage};
/// CacheRule::new("images", Storage::Seconds(604_800))
///     .browser("public, max-age=604800")
///     .stale_if_error(86_400);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CacheRule(types::CacheRule);

impl CacheRule {
    /// A rule that stores the response as `store` says. The name appears in
    /// `Cache-Status` and the access log: 1 to 64 bytes of printable ASCII.
    #[must_use]
    pub fn new(name: &str, store: Storage) -> Self {
        Self(types::CacheRule {
            name: name.to_owned(),
            store,
            browser: None,
            cdn: None,
            stale_while_revalidate: None,
            stale_if_error: None,
            shared: false,
        })
    }

    /// The new value of `Cache-Control`, at most 1 KiB.
    #[must_use]
    pub fn browser(mut self, cache_control: &str) -> Self {
        self.0.browser = Some(cache_control.to_owned());
        self
    }

    /// The new value of `CDN-Cache-Control` (RFC 9213), at most 1 KiB.
    #[must_use]
    pub fn cdn(mut self, cache_control: &str) -> Self {
        self.0.cdn = Some(cache_control.to_owned());
        self
    }

    /// For how many seconds the stale response may be served while it is revalidated.
    #[must_use]
    pub fn stale_while_revalidate(mut self, seconds: u32) -> Self {
        self.0.stale_while_revalidate = Some(seconds);
        self
    }

    /// For how many seconds the stale response may be served if the upstream fails.
    #[must_use]
    pub fn stale_if_error(mut self, seconds: u32) -> Self {
        self.0.stale_if_error = Some(seconds);
        self
    }

    /// Users share the response although it contains part of a request, or the route
    /// requires a credential.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.0.shared = true;
        self
    }

    pub(crate) fn into_contract(self) -> types::CacheRule {
        self.0
    }
}

/// Purges stored responses, in phase `P`. They are removed, unless the purge is
/// [`soft`](Purge::soft). An absent value purges none. Requires the grant
/// `effect:purge`.
#[derive(Clone, Debug, PartialEq)]
pub struct Purge<P> {
    purge: types::Purge,
    kind: PhantomData<P>,
}

impl<P> Purge<P> {
    /// One URL of this site: path and query. Inputs in the path go in as in
    /// [`set_path`](crate::Verdict::set_path), and behind the `?` as in
    /// [`set_query`](crate::Verdict::set_query).
    #[must_use]
    pub fn url(url: impl Into<Value<P>>) -> Self {
        Self::of(PurgeScope::Url(url.into().into_parts()))
    }

    /// All paths of this site that start with this. Inputs go in as in
    /// [`set_path`](crate::Verdict::set_path).
    #[must_use]
    pub fn prefix(prefix: impl Into<Value<P>>) -> Self {
        Self::of(PurgeScope::Prefix(prefix.into().into_parts()))
    }

    /// All of this site.
    #[must_use]
    pub fn site() -> Self {
        Self::of(PurgeScope::Site)
    }

    /// All with this tag.
    #[must_use]
    pub fn tag(tag: impl Into<Value<P>>) -> Self {
        Self::of(PurgeScope::Tag(tag.into().into_parts()))
    }

    /// The responses become stale instead of being removed.
    #[must_use]
    pub fn soft(mut self) -> Self {
        self.purge.soft = true;
        self
    }

    fn of(scope: PurgeScope) -> Self {
        Self {
            purge: types::Purge { scope, soft: false },
            kind: PhantomData,
        }
    }

    pub(crate) fn into_contract(self) -> types::Purge {
        self.purge
    }
}

/// Bans a subject for some time, in phase `P`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ban<P> {
    ban: types::Ban,
    kind: PhantomData<P>,
}

impl<P> Ban<P> {
    /// Bans at once, for `for_seconds` seconds. The reason is a short text for the log.
    #[must_use]
    pub fn new(subject: impl Into<Value<P>>, for_seconds: u32, reason: &str) -> Self {
        Self {
            ban: types::Ban {
                subject: subject.into().into_parts(),
                after: 1,
                within_seconds: 1,
                for_seconds,
                reason: reason.to_owned(),
            },
            kind: PhantomData,
        }
    }

    /// Bans only after this many such verdicts within this many seconds.
    #[must_use]
    pub fn after(mut self, times: u32, within_seconds: u32) -> Self {
        self.ban.after = times;
        self.ban.within_seconds = within_seconds;
        self
    }

    pub(crate) fn into_contract(self) -> types::Ban {
        self.ban
    }
}
