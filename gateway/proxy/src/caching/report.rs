//! What the cache did with a request: for `Cache-Status`, the access log and
//! the metrics, in the same words.

use std::sync::Arc;

use janua_cache::Entry;
use janua_cache::rules::status::{CacheStatus, Forward, Named};
use janua_cache::rules::{Detail, Outcome};
use janua_http::Fields;

/// Why the cache is passed by.
pub(crate) enum Bypass {
    /// One of the fixed words.
    Word(Detail),
    /// A policy's own.
    Policy(Box<str>),
}

/// What the cache did so far. By default it was never asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    outcome: Option<Outcome>,
    /// None is a hit.
    forward: Option<Forward>,
    forward_status: Option<u16>,
    ttl: Option<i64>,
    stored: bool,
    collapsed: bool,
    detail: Option<Detail>,
    rule: Option<Arc<str>>,
    /// A policy's reason to pass the cache by.
    reason: Option<Box<str>>,
}

impl Report {
    pub(crate) fn hit(entry: &Entry, now_ms: u64) -> Self {
        Self {
            outcome: Some(Outcome::Hit),
            ttl: Some(entry.terms().ttl(now_ms)),
            rule: entry.rule().cloned(),
            ..Self::default()
        }
    }

    /// Stale, and served while it is validated.
    pub(crate) fn updating(entry: &Entry, now_ms: u64) -> Self {
        Self {
            outcome: Some(Outcome::Updating),
            detail: Some(Detail::Stale),
            ..Self::hit(entry, now_ms)
        }
    }

    /// Stale, and served because the request allows that.
    pub(crate) fn as_asked(entry: &Entry, now_ms: u64) -> Self {
        Self {
            outcome: Some(Outcome::Stale),
            detail: Some(Detail::Stale),
            ..Self::hit(entry, now_ms)
        }
    }

    /// Stale, and served because the upstream failed.
    pub(crate) fn on_error(entry: &Entry, now_ms: u64) -> Self {
        Self {
            outcome: Some(Outcome::Stale),
            detail: Some(Detail::UpstreamError),
            ..Self::hit(entry, now_ms)
        }
    }

    /// Stored, but the upstream has to be asked.
    pub(crate) fn stale(why: Detail) -> Self {
        Self {
            outcome: Some(Outcome::Expired),
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
            outcome: Some(Outcome::Miss),
            forward: Some(forward),
            ..Self::default()
        }
    }

    pub(crate) fn bypass(why: Bypass) -> Self {
        let (forward, detail, reason) = match why {
            Bypass::Word(detail) => (detail.into(), detail, None),
            Bypass::Policy(reason) => (Forward::Bypass, Detail::Bypass, Some(reason)),
        };
        Self {
            outcome: Some(Outcome::Bypass),
            forward: Some(forward),
            detail: Some(detail),
            reason,
            ..Self::default()
        }
    }

    /// Why.
    pub(crate) fn detail(&mut self, detail: Detail) {
        self.detail = Some(detail);
    }

    /// Another request fetched it.
    pub(crate) fn collapse(&mut self) {
        self.outcome = Some(Outcome::Collapsed);
        self.collapsed = true;
    }

    /// The rule that said what becomes of the upstream's response. Who waits
    /// for it was never asked about rules.
    pub(crate) fn decided_by(&mut self, rule: &str) {
        if self.rule.is_none() {
            self.rule = Some(rule.into());
        }
    }

    /// The upstream's response is stored now.
    pub(crate) fn stored(&mut self, entry: &Entry, now_ms: u64) {
        self.stored = true;
        self.ttl = Some(entry.terms().ttl(now_ms));
        self.rule = entry.rule().cloned();
    }

    /// What is stored still holds.
    pub(crate) fn revalidated(&mut self, entry: &Entry, now_ms: u64) {
        self.outcome = Some(Outcome::Revalidated);
        self.forward_status = Some(304);
        self.stored(entry, now_ms);
    }

    /// True if no upstream was asked for this request.
    pub(crate) fn is_hit(&self) -> bool {
        self.outcome.is_some() && self.forward.is_none()
    }

    /// True if the request was looked up.
    pub(crate) fn has_key(&self) -> bool {
        self.outcome
            .is_some_and(|outcome| outcome != Outcome::Bypass)
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Sets `Cache-Status`. Caches before this one keep their own lines (RFC
    /// 9211 §2): this one is nearer to the client and comes last.
    pub(crate) fn write_to(&self, rule: Option<&str>, fields: &mut Fields) {
        let mut value = Vec::with_capacity(64);
        self.status(rule).write(&mut value);
        fields.append(b"Cache-Status", &value);
    }

    /// Why, as the access log has it; empty if there is nothing to say.
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
