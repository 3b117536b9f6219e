//! One worker's view of one upstream: who may be chosen, and whose turn it is.

use std::sync::Arc;

use crate::balance::ip_hash::IpHash;
use crate::balance::ring::Ring;
use crate::balance::round_robin::{Turn, Turns, stride};
use crate::balance::two::{self, Intervals};
use crate::balance::{Affinity, Balance, Key, least_conn};
use crate::random::Random;
use crate::tier::{self, Candidate, Tier};
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
    /// What addresses are mapped to, if that is the balance.
    ip_hash: IpHash,
    /// What hashes are mapped to, if that is the balance.
    ring: Arc<Ring>,
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
            ip_hash: IpHash::default(),
            ring: Arc::default(),
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
            self.prepare(upstream);
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
        affinity: &Affinity,
        now_ms: u64,
        usable: impl Fn(usize, &Member) -> bool,
    ) -> Option<usize> {
        let members = upstream.members();
        let usable = |index: usize| members.get(index).is_some_and(|it| usable(index, it));
        match (upstream.balance(), affinity.key) {
            (Balance::LeastConn, _) => self.least_conn(members, tier, usable),
            (Balance::RandomTwo, _) => self.two(tier, |candidate| {
                let member = members.get(candidate.index)?;
                let in_flight = member.endpoint.in_flight();
                usable(candidate.index).then(|| least_conn::load(in_flight, candidate.weight))
            }),
            (Balance::Latency, _) => self.two(tier, |candidate| {
                let member = members.get(candidate.index)?;
                let cost = || member.endpoint.cost(now_ms) / candidate.weight as f64;
                usable(candidate.index).then(cost)
            }),
            (Balance::IpHash, Key::Client(client)) => {
                let indexes = &self.tiers.get(tier)?.indexes;
                let among = |index| indexes.contains(index) && usable(index);
                let chosen = self.ip_hash.choose(client, among);
                chosen.or_else(|| self.round_robin(tier, usable))
            }
            (Balance::Hash { bounded }, Key::Hash(hash)) => {
                let Tier { indexes, total, .. } = self.tiers.get(tier)?;
                let bound = bounded.map(|factor| Bound {
                    factor,
                    in_flight: upstream.group().in_flight(),
                    total: *total,
                });
                let chosen = self.ring.choose(hash, |index| {
                    indexes.contains(index)
                        && usable(index)
                        && bound.is_none_or(|it| members.get(index).is_some_and(|m| it.allows(m)))
                });
                chosen.or_else(|| self.round_robin(tier, usable))
            }
            (Balance::RoundRobin | Balance::IpHash | Balance::Hash { .. }, _) => {
                self.round_robin(tier, usable)
            }
        }
    }

    fn two(&mut self, tier: usize, cost: impl Fn(&Candidate) -> Option<f64>) -> Option<usize> {
        let Tier {
            candidates,
            intervals,
            ..
        } = self.tiers.get(tier)?;
        let place = two::choose(candidates, intervals, &mut self.random, cost)?;
        candidates.get(place).map(|chosen| chosen.index)
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
                // An endpoint of the gateway's zone has a turn in two tiers, of which one is idle.
                if let Some(known) = known {
                    *known = turn.at.max(*known);
                }
            }
        }
        for at in self.turns.iter_mut().filter(|at| **at != UNKNOWN) {
            *at = at.saturating_sub(self.now);
        }
        self.now = 0;
    }

    /// Makes what the balance needs to choose among the new tiers.
    fn prepare(&mut self, upstream: &Upstream) {
        let balance = upstream.balance();
        match balance {
            Balance::LeastConn | Balance::RoundRobin => {}
            Balance::RandomTwo | Balance::Latency => {
                for tier in &mut self.tiers {
                    let weights = tier.candidates.iter().map(|candidate| candidate.weight);
                    tier.intervals = Intervals::new(weights);
                }
                return;
            }
            Balance::IpHash => {
                let members = upstream.members().iter().enumerate();
                let primaries = members.filter(|(_, member)| !member.is_backup);
                let weight = |member: &Member| u64::from(member.current_weight());
                let weighted = primaries.map(|(index, member)| (index, weight(member)));
                self.ip_hash = IpHash::new(weighted);
            }
            Balance::Hash { .. } => self.ring = upstream.ring(),
        }
        self.assign_turns(balance != Balance::LeastConn);
    }

    /// Gives the candidates of new tiers their turns. Those that are new get theirs at equal
    /// distances from a random start. `are_taken_in_order` is false if the turns of all candidates
    /// are looked at for each choice.
    fn assign_turns(&mut self, are_taken_in_order: bool) {
        for tier in &mut self.tiers {
            let start = self.random.next() >> 32;
            let step = (1_u64 << 32) / (tier.candidates.len() as u64).max(1);
            let mut turns = Vec::new();
            for (place, candidate) in tier.candidates.iter().enumerate() {
                let Some(at) = self.turns.get_mut(candidate.index) else {
                    continue;
                };
                let stride = stride(candidate.weight);
                *at = if *at == UNKNOWN {
                    let phase = (start + step * place as u64) % (1 << 32);
                    let first = (u128::from(stride) * u128::from(phase)) >> 32;
                    u64::try_from(first).unwrap_or_default()
                } else {
                    (*at).min(stride)
                };
                if are_taken_in_order {
                    turns.push(Turn {
                        at: *at,
                        place,
                        stride,
                    });
                }
            }
            tier.turns = Turns::new(turns);
        }
    }
}

/// How many requests an endpoint may have in flight.
#[derive(Clone, Copy)]
struct Bound {
    /// How many times its share.
    factor: f64,
    /// The requests in flight of the whole upstream, with the one that is to be sent.
    in_flight: u64,
    /// The weight of all endpoints of the tier.
    total: u64,
}

impl Bound {
    /// Whether an endpoint may have one more.
    #[allow(
        clippy::cast_precision_loss,
        reason = "neither weights nor requests reach 2^53"
    )]
    fn allows(&self, member: &Member) -> bool {
        let weight = u64::from(member.current_weight()) * tier::UNIT;
        let share = self.in_flight as f64 * weight as f64 / self.total.max(1) as f64;
        f64::from(member.endpoint.in_flight()) < (self.factor * share).ceil()
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
