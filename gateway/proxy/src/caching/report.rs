//! What the cache did with a request, reported in the same terms in `Cache-Status`, the
//! access log and the metrics.

use std::sync::Arc;

use janua_cache::Entry;
use janua_cache::rules::status::{CacheStatus, Forward, Named};
use janua_cache::rules::{CacheOutcome, Detail};
use janua_http::Fields;

/// Why a request bypasses the cache.
pub(crate) enum Bypass {
    /// One of the built-in reasons.
    Detail(Detail),
    /// A reason that a policy gives.
    Policy(Box<str>),
}

/// What the cache has done so far. The default is a request that never reached it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    outcome: Option<CacheOutcome>,
    /// Why the request was forwarded; none for a hit.
    forward: Option<Forward>,
    forward_status: Option<u16>,
    ttl: Option<i64>,
    stored: bool,
    collapsed: bool,
    detail: Option<Detail>,
    rule: Option<Arc<str>>,
    /// A policy's reason to bypass the cache.
    reason: Option<Box<str>>,
}

impl Report {
    pub(crate) fn hit(entry: &Entry, now_ms: u64) -> Self {
        Self {
            outcome: Some(CacheOutcome::Hit),
            ttl: Some(entry.terms().ttl(now_ms)),
            rule: entry.rule().cloned(),
            ..Self::default()
        }
    }

    /// A stale response was served and is being validated.
    pub(crate) fn updating(entry: &Entry, now_ms: u64) -> Self {
        Self {
            outcome: Some(CacheOutcome::Updating),
            detail: Some(Detail::Stale),
            ..Self::hit(entry, now_ms)
        }
    }

    /// A stale response was served because the request accepts it.
    pub(crate) fn stale_accepted(entry: &Entry, now_ms: u64) -> Self {
        Self {
            outcome: Some(CacheOutcome::Stale),
            detail: Some(Detail::Stale),
            ..Self::hit(entry, now_ms)
        }
    }

    /// A stale response was served because the upstream failed.
    pub(crate) fn on_error(entry: &Entry, now_ms: u64) -> Self {
        Self {
            outcome: Some(CacheOutcome::Stale),
            detail: Some(Detail::UpstreamError),
            ..Self::hit(entry, now_ms)
        }
    }

    /// There is a stored response, but the request has to be forwarded.
    pub(crate) fn stale(why: Detail) -> Self {
        Self {
            outcome: Some(CacheOutcome::Expired),
            forward: Some(why.into()),
            detail: Some(why),
            ..Self::default()
        }
    }

    pub(crate) fn miss(vary: bool) -> Self {
        let forward = if vary {
            Forward::VaryMiss
        } else {
            Forward::UriMiss
        };
        Self {
            outcome: Some(CacheOutcome::Miss),
            forward: Some(forward),
            ..Self::default()
        }
    }

    pub(crate) fn bypass(why: Bypass) -> Self {
        let (forward, detail, reason) = match why {
            Bypass::Detail(detail) => (detail.into(), detail, None),
            Bypass::Policy(reason) => (Forward::Bypass, Detail::Bypass, Some(reason)),
        };
        Self {
            outcome: Some(CacheOutcome::Bypass),
            forward: Some(forward),
            detail: Some(detail),
            reason,
            ..Self::default()
        }
    }

    /// Sets the reason.
    pub(crate) fn detail(&mut self, detail: Detail) {
        self.detail = Some(detail);
    }

    /// The response was fetched for another request.
    pub(crate) fn collapse(&mut self) {
        self.outcome = Some(CacheOutcome::Collapsed);
        self.collapsed = true;
    }

    /// Sets the rule that decided about the upstream's response, unless one is set.
    pub(crate) fn decided_by(&mut self, rule: &str) {
        if self.rule.is_none() {
            self.rule = Some(rule.into());
        }
    }

    /// The upstream's response has been stored.
    pub(crate) fn stored(&mut self, entry: &Entry, now_ms: u64) {
        self.stored = true;
        self.ttl = Some(entry.terms().ttl(now_ms));
        self.rule = entry.rule().cloned();
    }

    /// The stored response was validated successfully.
    pub(crate) fn revalidated(&mut self, entry: &Entry, now_ms: u64) {
        self.outcome = Some(CacheOutcome::Revalidated);
        self.forward_status = Some(304);
        self.stored(entry, now_ms);
    }

    /// True if the request was not forwarded.
    pub(crate) fn is_hit(&self) -> bool {
        self.outcome.is_some() && self.forward.is_none()
    }

    /// True if the request was looked up.
    pub(crate) fn has_key(&self) -> bool {
        self.outcome
            .is_some_and(|outcome| outcome != CacheOutcome::Bypass)
    }

    pub(crate) fn outcome(&self) -> Option<CacheOutcome> {
        self.outcome
    }

    /// Adds a member to `Cache-Status`. Caches nearer to the origin keep theirs; this
    /// cache is nearer to the client and comes last (RFC 9211 §2).
    pub(crate) fn write_to(&self, rule: Option<&str>, fields: &mut Fields) {
        let mut value = Vec::with_capacity(64);
        self.status(rule).write(&mut value);
        fields.append(b"Cache-Status", &value);
    }

    /// The reason for the access log; empty if there is none.
    pub(crate) fn words(&self, rule: Option<&str>) -> String {
        let mut words = Vec::new();
        self.status(rule).write_detail(&mut words);
        String::from_utf8(words).unwrap_or_default()
    }

    fn status<'a>(&'a self, rule: Option<&'a str>) -> CacheStatus<'a> {
        let rule = self.rule.as_deref().or(rule);
        let named = match &self.reason {
            Some(reason) => Some(Named::Bypass(reason)),
            None => rule.map(Named::Rule),
        };
        if self.outcome.is_none() {
            return CacheStatus {
                forward: Some(Forward::Bypass),
                detail: Some(Detail::Off),
                named,
                ..CacheStatus::default()
            };
        }
        CacheStatus {
            forward: self.forward,
            forward_status: self.forward_status,
            ttl: self.ttl,
            stored: self.stored,
            collapsed: self.collapsed,
            detail: self.detail,
            named,
        }
    }
}
