//! The choice of an endpoint for a request.

use super::{Member, Upstream};
use crate::admission::Entry;
use crate::balance::{Affinity, Balance};
use crate::cursor::Cursor;
use crate::eligibility::Probe;
use crate::endpoint::InFlight;
use crate::limits::{Limit, Unanswered};
use crate::tried::Tried;

/// An endpoint chosen for a request.
#[derive(Debug)]
pub struct Picked {
    /// The endpoint's index in the upstream, for [`Tried::insert`].
    pub index: usize,
    /// The request, counted as in flight.
    pub in_flight: InFlight,
    /// The same, until the head of the response has arrived; none without an adaptive
    /// limit.
    pub unanswered: Option<Unanswered>,
}

/// Why no endpoint could be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// The upstream has no endpoints.
    Empty,
    /// Every endpoint was already tried for this request.
    Tried,
    /// No remaining endpoint has an address: its name is not resolved.
    Dns,
    /// The remaining endpoints have reached their limit of requests in flight.
    Limit,
    /// The remaining endpoints are ejected, while others are healthy.
    Unhealthy,
    /// The remaining endpoints are draining.
    Draining,
    /// The upstream has reached this limit.
    Overloaded(Limit),
}

/// An endpoint that has counted a request.
struct Chosen<'a> {
    index: usize,
    member: &'a Member,
    probe: Probe,
}

impl Upstream {
    /// Chooses an endpoint for a request that no other is tied to. See [`Self::pick_for`].
    ///
    /// # Errors
    /// Why there is none.
    pub fn pick(
        &self,
        cursor: &mut Cursor,
        tried: &Tried,
        now_ms: u64,
    ) -> Result<Picked, Unavailable> {
        self.pick_for(cursor, &Affinity::default(), tried, now_ms)
    }

    /// Chooses an endpoint that is not in `tried`, and counts the request as in
    /// flight there.
    ///
    /// The endpoint of the request's session is chosen if that is possible.
    /// Ejected endpoints are skipped, and one whose ejection is over is chosen
    /// for one probe. If all endpoints are ejected, all are candidates: a wrong
    /// conclusion about health must not take a whole upstream down.
    ///
    /// # Errors
    /// Why there is none. If there are several reasons, the one that the
    /// operator can act on best is returned: see the order of [`Unavailable`].
    pub fn pick_for(
        &self,
        cursor: &mut Cursor,
        affinity: &Affinity,
        tried: &Tried,
        now_ms: u64,
    ) -> Result<Picked, Unavailable> {
        let group = self.group();
        // Counted first: of two workers that want the last place, one gets it.
        group
            .enter(self.limits.requests)
            .map_err(Unavailable::Overloaded)?;
        let picked = self.pick_counted(cursor, affinity, tried, now_ms);
        if picked.is_err() {
            group.leave();
        }
        picked
    }

    /// Chooses an endpoint for a request that its group has counted.
    fn pick_counted(
        &self,
        cursor: &mut Cursor,
        affinity: &Affinity,
        tried: &Tried,
        now_ms: u64,
    ) -> Result<Picked, Unavailable> {
        let unanswered = self
            .begin_unanswered(now_ms)
            .map_err(Unavailable::Overloaded)?;
        let Chosen {
            index,
            member,
            probe,
        } = self.choose(cursor, affinity, tried, now_ms)?;
        let observes = self.balance == Balance::Latency;
        Ok(Picked {
            index,
            in_flight: InFlight::new(&member.endpoint, self.rule, observes, probe),
            unanswered,
        })
    }

    /// Chooses an endpoint, which counts the request.
    fn choose(
        &self,
        cursor: &mut Cursor,
        affinity: &Affinity,
        tried: &Tried,
        now_ms: u64,
    ) -> Result<Chosen<'_>, Unavailable> {
        cursor.refresh(self, now_ms);
        if let Some(chosen) = self.of_session(cursor, affinity, tried, now_ms) {
            return Ok(chosen);
        }
        // Each pass that cannot enter its choice excludes one endpoint more.
        let mut passed = tried.clone();
        for tier in 0..cursor.tiers().len() {
            loop {
                let usable =
                    |index: usize, member: &Member| !passed.contains(index) && !member.is_full();
                let Some(index) = cursor.choose(self, tier, affinity, now_ms, usable) else {
                    break;
                };
                let is_last_resort = cursor.is_last_resort(tier);
                match self.enter(index, is_last_resort, now_ms) {
                    Some(chosen) => return Ok(chosen),
                    None => passed.insert(index),
                }
            }
        }
        Err(self.unavailable(tried, now_ms))
    }

    /// The endpoint of the request's session, if it may be chosen.
    fn of_session(
        &self,
        cursor: &Cursor,
        affinity: &Affinity,
        tried: &Tried,
        now_ms: u64,
    ) -> Option<Chosen<'_>> {
        let index = affinity.session.filter(|index| !tried.contains(*index))?;
        let member = self.members.get(index).filter(|it| !it.is_full())?;
        // If all endpoints are ejected, it is as good as any other.
        let is_last_resort = cursor.is_last_resort(0);
        let is_admitted = match self.admission(member, now_ms).entry {
            Entry::Open | Entry::Probe | Entry::Sessions => true,
            Entry::LastResort => is_last_resort,
            Entry::Closed => false,
        };
        is_admitted.then(|| self.enter(index, is_last_resort, now_ms))?
    }

    /// Counts the request as in flight; none if another request has taken the last place or the
    /// probe meanwhile.
    fn enter(&self, index: usize, is_last_resort: bool, now_ms: u64) -> Option<Chosen<'_>> {
        let member = self.members.get(index)?;
        if !member.endpoint.enter(member.max_connections) {
            return None;
        }
        let Some(probe) = self.claim(member, is_last_resort, now_ms) else {
            member.endpoint.retract();
            return None;
        };
        Some(Chosen {
            index,
            member,
            probe,
        })
    }

    /// Why there is no candidate. Called only if no endpoint could be chosen.
    fn unavailable(&self, tried: &Tried, now_ms: u64) -> Unavailable {
        if self.members.is_empty() {
            return Unavailable::Empty;
        }
        let left = || {
            let each = self.members.iter().enumerate();
            each.filter(|(index, _)| !tried.contains(*index))
                .map(|(_, m)| m)
        };
        if left().next().is_none() {
            return Unavailable::Tried;
        }
        if left().all(|m| !m.endpoint.is_resolved()) {
            return Unavailable::Dns;
        }
        let resolved = || left().filter(|m| m.endpoint.is_resolved());
        if resolved().any(|m| self.admission(m, now_ms).entry.is_eligible()) {
            Unavailable::Limit
        } else if resolved().all(Member::is_draining) {
            Unavailable::Draining
        } else {
            Unavailable::Unhealthy
        }
    }
}

impl Member {
    /// Whether it has reached its limit of requests in flight.
    fn is_full(&self) -> bool {
        let most = self.max_connections;
        most.is_some_and(|most| self.endpoint.in_flight() >= most)
    }
}
