//! What the cache does with a request and its response.

use std::marker::PhantomData;

use crate::bindings::janua::policy::effects::{self, PurgeScope};
use crate::{QueryKey, Request, Storage, Value};

/// Sets the cache key of a request. Requires
/// [`may_cache_lookup`](crate::Phase::may_cache_lookup).
///
/// ```
/// # use janua_sdk::{CacheLookup, QueryKey};
/// // One response for all campaigns of a page.
/// CacheLookup::by(QueryKey::Without(vec!["utm_*".into(), "fbclid".into()]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CacheLookup(effects::CacheLookup);

impl CacheLookup {
    /// A key with this part of the query.
    #[must_use]
    pub fn by(query: QueryKey) -> Self {
        Self(effects::CacheLookup {
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

    pub(crate) fn into_contract(self) -> effects::CacheLookup {
        self.0
    }
}

/// Sets whether and for how long a response is stored. Requires
/// [`may_cache_rule`](crate::Phase::may_cache_rule).
///
/// ```
/// # use janua_sdk::{CacheRule, Storage};
/// CacheRule::new("images", Storage::Seconds(604_800))
///     .browser("public, max-age=604800")
///     .stale_if_error(86_400);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CacheRule(effects::CacheRule);

impl CacheRule {
    /// A rule that stores the response as `store` says. The name appears in
    /// `Cache-Status` and the access log: 1 to 64 bytes of printable ASCII.
    #[must_use]
    pub fn new(name: &str, store: Storage) -> Self {
        Self(effects::CacheRule {
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

    pub(crate) fn into_contract(self) -> effects::CacheRule {
        self.0
    }
}

/// Purges stored responses, in phase `P`. They are removed, unless the purge is
/// [`soft`](Purge::soft). An absent value purges none. Requires
/// [`may_purge`](crate::Phase::may_purge).
#[derive(Clone, Debug, PartialEq)]
pub struct Purge<P> {
    purge: effects::Purge,
    kind: PhantomData<P>,
}

impl<P> Purge<P> {
    /// One URL of this site: path and query.
    #[must_use]
    pub fn url(url: impl Into<Value<P>>) -> Self {
        Self::of(PurgeScope::Url(url.into().into_parts()))
    }

    /// All paths of this site that start with this.
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
        Self::of(PurgeScope::Tagged(tag.into().into_parts()))
    }

    /// The responses become stale instead of being removed.
    #[must_use]
    pub fn soft(mut self) -> Self {
        self.purge.soft = true;
        self
    }

    fn of(scope: PurgeScope) -> Self {
        Self {
            purge: effects::Purge { scope, soft: false },
            kind: PhantomData,
        }
    }

    pub(crate) fn into_contract(self) -> effects::Purge {
        self.purge
    }
}
