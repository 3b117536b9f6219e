//! Circuit limits: how much of an upstream may be used at once, over all workers
//! and reloads.
//!
//! A request that would exceed a limit is answered at once, before anything of
//! its body is read: what waits for an overloaded upstream only adds to its load.
//! Each use is a [`Place`], which counts for as long as it exists, so that no
//! count can be wrong after a request has ended in whatever way. They belong to
//! the [`Group`] and not to a snapshot: after a reload the old ones still count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::adaptive::{AdaptiveRule, Sample};
use crate::group::Group;
use crate::upstream::Upstream;

/// The limits of an upstream; none means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// See [`Limit::Requests`].
    pub requests: Option<u32>,
    /// See [`Limit::Pending`].
    pub pending: Option<u32>,
    /// See [`Limit::Connections`].
    pub connections: Option<u32>,
    /// See [`Limit::Retries`].
    pub retries: Option<u32>,
    /// See [`Limit::Adaptive`].
    pub adaptive: Option<AdaptiveRule>,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Requests in flight, from the choice of an endpoint to the end of the
    /// response's body, or of the tunnel.
    Requests,
    /// Requests that wait, for a connection or because no endpoint can be reached.
    Pending,
    /// Open connections, idle ones included.
    Connections,
    /// Requests that are sent again.
    Retries,
    /// Requests whose response has not begun. The limit is found from how long
    /// that takes.
    Adaptive,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Requests,
        Self::Pending,
        Self::Connections,
        Self::Retries,
        Self::Adaptive,
    ];

    /// The word for the log and the metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Pending => "pending",
            Self::Connections => "connections",
            Self::Retries => "retries",
            Self::Adaptive => "adaptive",
        }
    }
}

/// How much of each is in use.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    requests: AtomicU32,
    pending: AtomicU32,
    connections: AtomicU32,
    retries: AtomicU32,
    unanswered: AtomicU32,
}

/// A place within a limit. Dropping it gives the place back.
#[derive(Debug)]
pub struct Place {
    group: Arc<Group>,
    of: Limit,
}

/// A request whose response has not begun, counted for the adaptive limit.
#[derive(Debug)]
pub struct Unanswered {
    place: Place,
    /// How many requests were unanswered when it began, itself included.
    concurrency: u32,
    begin_ms: u64,
    rule: AdaptiveRule,
}

impl Group {
    /// Takes a place. `limit` is the most that there may be; none for no limit.
    ///
    /// # Errors
    /// All are taken.
    pub fn take_place(self: &Arc<Self>, of: Limit, limit: Option<u32>) -> Result<Place, Limit> {
        self.uses.take(of, limit)?;
        Ok(Place {
            group: Arc::clone(self),
            of,
        })
    }

    /// Takes a place for a request in flight, which [`Self::leave`] gives back. No [`Place`], so
    /// that a request does not count the references to the group too.
    pub(crate) fn enter(&self, limit: Option<u32>) -> Result<(), Limit> {
        self.uses.take(Limit::Requests, limit)
    }

    /// The request is not in flight any more.
    pub(crate) fn leave(&self) {
        self.uses.of(Limit::Requests).fetch_sub(1, Relaxed);
    }

    /// How much is in use.
    pub fn in_use(&self, of: Limit) -> u64 {
        u64::from(self.uses.of(of).load(Relaxed))
    }
}

impl Upstream {
    /// A limit of this upstream, as it is now; none if there is none.
    pub fn limit(&self, of: Limit) -> Option<u32> {
        let limits = self.limits();
        match of {
            Limit::Requests => limits.requests,
            Limit::Pending => limits.pending,
            Limit::Connections => limits.connections,
            Limit::Retries => limits.retries,
            Limit::Adaptive => {
                let rule = limits.adaptive.as_ref()?;
                Some(self.group().adaptive.limit(rule))
            }
        }
    }

    /// Takes a place for as long as a request waits for a connection or an endpoint
    /// ([`Limit::Pending`]), has a connection open ([`Limit::Connections`]), or is
    /// sent again ([`Limit::Retries`]).
    ///
    /// # Errors
    /// All are taken.
    pub fn take_place(&self, of: Limit) -> Result<Place, Limit> {
        self.group().take_place(of, self.limit(of))
    }

    /// Counts a request for the adaptive limit, if there is one.
    pub(crate) fn begin_unanswered(&self, now_ms: u64) -> Result<Option<Unanswered>, Limit> {
        let Some(rule) = self.limits().adaptive else {
            return Ok(None);
        };
        let place = self.take_place(Limit::Adaptive)?;
        let concurrency = self.group().in_use(Limit::Adaptive);
        Ok(Some(Unanswered {
            place,
            concurrency: u32::try_from(concurrency).unwrap_or(u32::MAX),
            begin_ms: now_ms,
            rule,
        }))
    }
}

impl Unanswered {
    /// The head of the response has not arrived until now, and is not waited for any longer.
    pub fn gave_up(&self, now_ms: u64) {
        self.took(self.age(now_ms), now_ms);
    }

    /// How long ago the request began.
    fn age(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms.saturating_sub(self.begin_ms))
    }

    /// The head of the response has arrived after this long.
    pub fn took(&self, took: Duration, now_ms: u64) {
        let sample = Sample {
            took,
            concurrency: self.concurrency,
        };
        let group = &self.place.group;
        group.adaptive.sample(sample, now_ms, &self.rule);
    }
}

impl Uses {
    fn take(&self, of: Limit, limit: Option<u32>) -> Result<(), Limit> {
        let used = self.of(of);
        let Some(limit) = limit else {
            used.fetch_add(1, Relaxed);
            return Ok(());
        };
        let one_more = |used: u32| (used < limit).then(|| used + 1);
        used.fetch_update(Relaxed, Relaxed, one_more)
            .map_err(|_| of)?;
        Ok(())
    }

    fn of(&self, limit: Limit) -> &AtomicU32 {
        match limit {
            Limit::Requests => &self.requests,
            Limit::Pending => &self.pending,
            Limit::Connections => &self.connections,
            Limit::Retries => &self.retries,
            Limit::Adaptive => &self.unanswered,
        }
    }
}

impl Place {
    /// What the endpoints of the upstream share.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.group.uses.of(self.of).fetch_sub(1, Relaxed);
        if self.of == Limit::Connections {
            self.group.waiting.closed();
        }
    }
}

#[cfg(test)]
mod tests;
