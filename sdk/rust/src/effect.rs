//! Things for the gateway to do, built up step by step.

use std::marker::PhantomData;

use crate::bindings::janua::policy::types::{self, PurgeScope};
use crate::{AbsentKey, Algorithm, Encoding, QueryKey, Reply, Request, Storage, Value};

/// Tokens to take from a bucket that the gateway keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Take(types::Take);

impl Take {
    /// One token out of a bucket that regains `tokens` every `period_ms`
    /// milliseconds; both at least 1. Without a burst, with one bucket for
    /// all, and answered by 429 when it is empty.
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

    /// Names the bucket, where a policy has several.
    #[must_use]
    pub fn bucket(mut self, name: &str) -> Self {
        name.clone_into(&mut self.0.bucket);
        self
    }

    /// Whose bucket, and what it means if that is absent.
    #[must_use]
    pub fn key(mut self, key: impl Into<Value<Request>>, absent: AbsentKey) -> Self {
        self.0.key = key.into().into_parts();
        self.0.absent = absent;
        self
    }

    /// Tokens that may be taken at once beyond the steady rate.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.0.burst = burst;
        self
    }

    /// Tokens that one request takes. At least 1.
    #[must_use]
    pub fn cost(mut self, cost: u32) -> Self {
        self.0.cost = cost;
        self
    }

    /// The response if there are not enough. The gateway adds `Retry-After`.
    #[must_use]
    pub fn otherwise(mut self, reply: Reply<Request>) -> Self {
        self.0.otherwise = reply.into_contract();
        self
    }

    pub(crate) fn into_contract(self) -> types::Take {
        self.0
    }
}

/// A signature to check with a secret that the policy never sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Verify(types::Verify);

impl Verify {
    /// The signature `signature` of `message`, in lower- or upper-case hex,
    /// answered by 401 when it is wrong.
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

    /// How the signature is written, and what to cut off its front.
    #[must_use]
    pub fn written(mut self, encoding: Encoding, prefix: &str) -> Self {
        self.0.encoding = encoding;
        prefix.clone_into(&mut self.0.prefix);
        self
    }

    /// The response if it is wrong.
    #[must_use]
    pub fn otherwise(mut self, reply: Reply<Request>) -> Self {
        self.0.otherwise = reply.into_contract();
        self
    }

    pub(crate) fn into_contract(self) -> types::Verify {
        self.0
    }
}

/// How a response is found in the cache. Grant `effect:cache-lookup`.
///
/// ```
/// # use janua_sdk::{CacheLookup, QueryKey};
/// // One response for all campaigns of a page.
/// CacheLookup::by(QueryKey::Without(vec!["utm_*".into(), "fbclid".into()]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CacheLookup(types::CacheLookup);

impl CacheLookup {
    /// By this part of the query.
    #[must_use]
    pub fn by(query: QueryKey) -> Self {
        Self(types::CacheLookup {
            query,
            vary_on: Vec::new(),
            bypass: None,
        })
    }

    /// Neither looked up nor stored, for this reason: a short word that is
    /// logged, 1 to 64 bytes of printable ASCII.
    #[must_use]
    pub fn bypass(reason: &str) -> Self {
        let mut lookup = Self::by(QueryKey::Whole);
        lookup.0.bypass = Some(reason.to_owned());
        lookup
    }

    /// With a value that joins the key. At most 16; a reference will do, and
    /// one that is absent differs from an empty one.
    #[must_use]
    pub fn vary_on(mut self, value: impl Into<Value<Request>>) -> Self {
        self.0.vary_on.push(value.into().into_parts());
        self
    }

    pub(crate) fn into_contract(self) -> types::CacheLookup {
        self.0
    }
}

/// What the cache does with a response. Grant `effect:cache-rule`.
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
    /// A rule that stores for so long. The name appears in `Cache-Status` and
    /// the log: 1 to 64 bytes of printable ASCII.
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

    /// Replaces `Cache-Control` by this one line, of at most 1 KiB.
    #[must_use]
    pub fn browser(mut self, cache_control: &str) -> Self {
        self.0.browser = Some(cache_control.to_owned());
        self
    }

    /// Replaces `CDN-Cache-Control` (RFC 9213) by this one line, of at most 1 KiB.
    #[must_use]
    pub fn cdn(mut self, cache_control: &str) -> Self {
        self.0.cdn = Some(cache_control.to_owned());
        self
    }

    /// Seconds after its end that it may be served while it is revalidated.
    #[must_use]
    pub fn stale_while_revalidate(mut self, seconds: u32) -> Self {
        self.0.stale_while_revalidate = Some(seconds);
        self
    }

    /// Seconds after its end that it may be served when the upstream fails.
    #[must_use]
    pub fn stale_if_error(mut self, seconds: u32) -> Self {
        self.0.stale_if_error = Some(seconds);
        self
    }

    /// Users share it although the request took part in making it.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.0.shared = true;
        self
    }

    pub(crate) fn into_contract(self) -> types::CacheRule {
        self.0
    }
}

/// What to purge from the cache, in phase `P`. Hard, unless made
/// [`Purge::soft`]. An absent value purges nothing. Grant `effect:purge`.
#[derive(Clone, Debug, PartialEq)]
pub struct Purge<P> {
    purge: types::Purge,
    kind: PhantomData<P>,
}

impl<P> Purge<P> {
    /// One URL of this site: path and query.
    #[must_use]
    pub fn url(url: impl Into<Value<P>>) -> Self {
        Self::of(PurgeScope::Url(url.into().into_parts()))
    }

    /// Every path of this site that starts with this.
    #[must_use]
    pub fn prefix(prefix: impl Into<Value<P>>) -> Self {
        Self::of(PurgeScope::Prefix(prefix.into().into_parts()))
    }

    /// Everything of this site.
    #[must_use]
    pub fn site() -> Self {
        Self::of(PurgeScope::Site)
    }

    /// Everything with this tag.
    #[must_use]
    pub fn tag(tag: impl Into<Value<P>>) -> Self {
        Self::of(PurgeScope::Tag(tag.into().into_parts()))
    }

    /// It becomes stale instead of going away.
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

/// Keeps someone out, in phase `P`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ban<P> {
    ban: types::Ban,
    kind: PhantomData<P>,
}

impl<P> Ban<P> {
    /// At once, for so many seconds. The reason is a short word for the log.
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

    /// Only after so many such verdicts within so many seconds.
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
