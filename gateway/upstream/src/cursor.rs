//! One worker's view of one upstream: who may be chosen, and whose turn it is.

use crate::balance::round_robin::{Turn, Turns, stride};
use crate::balance::{Affinity, Balance, least_conn};
use crate::random::Random;
use crate::tier::{self, Tier};
use crate::upstream::{Member, Upstream};

/// The virtual time at which it starts again from 0.
const RESTART: u64 = 1 << 62;

/// The turn of an endpoint that has not had one.
const UNKNOWN: u64 = u64::MAX;

/// The position of one worker in one upstream of a snapshot. The workers go through the endpoints
/// independently, each from a random start: otherwise all of them would begin with the first
/// endpoint.
#[derive(Debug)]
pub struct Cursor {
    tiers: Vec<Tier>,
    /// The number of changes that the tiers take into account; none before the first request.
    changes: Option<u64>,
    /// When the tiers change by time alone.
    until_ms: u64,
    /// When it is the turn of each endpoint, by its index, on the virtual time of this cursor.
    turns: Vec<u64>,
    /// The latest turn that was taken.
    now: u64,
    random: Random,
}

impl Cursor {
    /// A cursor with a random start.
    pub fn new() -> Self {
        Self::with(Random::new())
    }

    /// A cursor whose start is derived from `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self::with(Random::from_seed(seed))
    }

    fn with(random: Random) -> Self {
        Self {
            tiers: Vec::new(),
            changes: None,
            until_ms: 0,
            turns: Vec::new(),
            now: 0,
            random,
        }
    }

    /// Works out anew which endpoints may be chosen, if that may have changed.
    pub(crate) fn refresh(&mut self, upstream: &Upstream, now_ms: u64) {
        // Read before the admissions, so that a change in between is noticed the next time.
        let changes = upstream.group().changes();
        if self.changes != Some(changes) || now_ms >= self.until_ms || self.now >= RESTART {
            self.keep_turns(upstream.members().len());
            (self.tiers, self.until_ms) = tier::tiers(upstream, now_ms);
            self.changes = Some(changes);
            self.assign_turns(upstream.balance());
        }
    }

    /// The best tier first.
    pub(crate) fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// Whether all endpoints of this tier are ejected, and are tried all the same.
    pub(crate) fn is_last_resort(&self, tier: usize) -> bool {
        self.tiers.get(tier).is_some_and(|tier| tier.is_last_resort)
    }

    /// Chooses one of a tier's endpoints that are usable; returns its index.
    pub(crate) fn choose(
        &mut self,
        upstream: &Upstream,
        tier: usize,
        _affinity: &Affinity,
        usable: impl Fn(usize, &Member) -> bool,
    ) -> Option<usize> {
        let members = upstream.members();
        let usable = |index: usize| members.get(index).is_some_and(|it| usable(index, it));
        match upstream.balance() {
            Balance::RoundRobin => self.round_robin(tier, usable),
            Balance::LeastConn => self.least_conn(members, tier, usable),
        }
    }

    fn round_robin(&mut self, tier: usize, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let Tier {
            candidates, turns, ..
        } = self.tiers.get_mut(tier)?;
        let index = |place: usize| candidates.get(place).map(|candidate| candidate.index);
        let (place, at) = turns.next(|place| index(place).is_some_and(&usable))?;
        self.now = self.now.max(at);
        index(place)
    }

    fn least_conn(
        &mut self,
        members: &[Member],
        tier: usize,
        usable: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let candidates = &self.tiers.get(tier)?.candidates;
        let (now, turns) = (self.now, &mut self.turns);
        // One that was busy for long has missed turns, which are not made up for.
        let turn = |index: usize| turns.get(index).map_or(now, |at| now.max(*at));
        let place = least_conn::choose(
            candidates,
            &mut self.random,
            |candidate| {
                let member = members.get(candidate.index)?;
                let in_flight = member.endpoint.in_flight();
                usable(candidate.index).then(|| least_conn::load(in_flight, candidate.weight))
            },
            |candidate| turn(candidate.index),
        )?;
        let chosen = candidates.get(place)?;
        let at = turn(chosen.index);
        self.now = at;
        *turns.get_mut(chosen.index)? = at + stride(chosen.weight);
        Some(chosen.index)
    }

    /// Takes the turns out of the tiers before these are replaced, and sets the virtual time to 0.
    fn keep_turns(&mut self, len: usize) {
        self.turns.resize(len, UNKNOWN);
        for tier in &self.tiers {
            for turn in tier.turns.iter() {
                let candidate = tier.candidates.get(turn.place);
                let known = candidate.and_then(|it| self.turns.get_mut(it.index));
                if let Some(known) = known {
                    *known = turn.at;
                }
            }
        }
        for at in self.turns.iter_mut().filter(|at| **at != UNKNOWN) {
            *at = at.saturating_sub(self.now);
        }
        self.now = 0;
    }

    /// Gives the candidates of new tiers their turns. Those that are new get theirs at equal
    /// distances from a random start.
    fn assign_turns(&mut self, balance: Balance) {
        for tier in &mut self.tiers {
            let start = self.random.next() >> 32;
            let step = (1_u64 << 32) / (tier.candidates.len() as u64).max(1);
            let candidates = tier.candidates.iter().enumerate();
            let turns = candidates.map(|(place, candidate)| {
                let stride = stride(candidate.weight);
                let phase = (start + step * place as u64) % (1 << 32);
                let known = self.turns.get_mut(candidate.index);
                let at = match known {
                    Some(at) if *at != UNKNOWN => (*at).min(stride),
                    _ => u64::try_from(u128::from(stride) * u128::from(phase) >> 32)
                        .unwrap_or_default(),
                };
                if let Some(known) = self.turns.get_mut(candidate.index) {
                    *known = at;
                }
                Turn { at, place, stride }
            });
            tier.turns = match balance {
                // It looks at the turns of all candidates, and takes them out of order.
                Balance::LeastConn => {
                    turns.for_each(drop);
                    Turns::default()
                }
                Balance::RoundRobin => Turns::new(turns),
            };
        }
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self::new()
    }
}
