//! The division of requests among upstreams: by chance, or by a key, whose requests all go to
//! the same one.
//!
//! By a key, the choice is weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted
//! distributed hash tables", 2005): each upstream draws the time until it claims the key, from
//! an exponential distribution whose rate is its weight and whose randomness is the hash of the
//! key and the upstream's name, and the first one has it. That has the properties that a gradual
//! release needs, whatever the number of upstreams and their order in the file:
//!
//! - While the weights stay, a key stays.
//! - If one weight grows, keys move to its upstream only, and none leaves it.
//! - If one weight shrinks, keys move away from its upstream only.
//! - What counts are the ratios of the weights: 95 and 5 are the same as 19 and 1.
//!
//! The hash has a fixed key, so that every gateway of a fleet, and every version of it, gives a
//! key to the same upstream. Who can choose the key can therefore choose the upstream.

use std::hash::Hasher as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use siphasher::sip::SipHasher13;

use crate::random::mixed;

/// The upstreams among which the requests of a route are divided. The weights may be changed
/// while requests are divided.
#[derive(Debug)]
pub struct Split {
    shares: Box<[Share]>,
    /// Held while a weight is set, so that of two commands at once each sees what the other leaves.
    changing: Mutex<()>,
}

/// One of these upstreams.
#[derive(Debug)]
struct Share {
    upstream: Box<str>,
    draw: Draw,
    configured: u32,
    weight: AtomicU32,
}

/// An upstream as it takes part in the choice by a key: a number that its name alone determines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw(u64);

impl Draw {
    /// That of the upstream with this name.
    pub fn of(upstream: &str) -> Self {
        Self(hash(upstream.as_bytes()))
    }
}

/// No weight is above 0, so that no upstream may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoWeight;

impl Split {
    /// A division among upstreams with these names and weights. No name occurs twice.
    pub fn new<'a>(shares: impl IntoIterator<Item = (&'a str, u32)>) -> Self {
        let share = |(upstream, weight): (&str, u32)| Share {
            upstream: upstream.into(),
            draw: Draw::of(upstream),
            configured: weight,
            weight: AtomicU32::new(weight),
        };
        Self {
            shares: shares.into_iter().map(share).collect(),
            changing: Mutex::default(),
        }
    }

    /// Whether the other one was configured in the same way, whatever the weights are now.
    pub fn is_configured_as(&self, other: &Self) -> bool {
        let configured = |split: &Self| -> Vec<(Box<str>, u32)> {
            let shares = split.shares.iter();
            shares
                .map(|share| (share.upstream.clone(), share.configured))
                .collect()
        };
        configured(self) == configured(other)
    }

    /// The upstreams in their order: the name, the present weight and the configured one.
    pub fn weights(&self) -> impl Iterator<Item = (&str, u32, u32)> {
        self.shares
            .iter()
            .map(|share| (&*share.upstream, share.weight(), share.configured))
    }

    /// Sets the weight of the upstream with this name, for requests of all workers that are
    /// divided from now on. False if there is no such upstream.
    ///
    /// # Errors
    /// No upstream would have a weight above 0, and every request would fail. Nothing is changed
    /// then.
    pub fn set_weight(&self, upstream: &str, weight: u32) -> Result<bool, NoWeight> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shares = self.shares.iter();
        let Some(share) = shares.find(|share| *share.upstream == *upstream) else {
            return Ok(false);
        };
        let is_other = |other: &&Share| !std::ptr::eq(*other, share);
        let others = self.shares.iter().filter(is_other);
        if weight == 0 && others.map(|other| u64::from(other.weight())).sum::<u64>() == 0 {
            return Err(NoWeight);
        }
        // Released, so that who reads this weight also reads those that were set before it.
        share.weight.store(weight, Ordering::Release);
        Ok(true)
    }

    /// The index of the upstream that a key belongs to.
    ///
    /// # Errors
    /// No weight is above 0.
    pub fn by_key(&self, key: &[u8]) -> Result<usize, NoWeight> {
        let choose = || {
            let shares = self.shares.iter();
            by_key(shares.map(|share| (share.draw, share.weight())), key)
        };
        choose().or_else(|_| choose())
    }

    /// The index of an upstream by chance. `random` is evenly distributed.
    ///
    /// # Errors
    /// No weight is above 0.
    pub fn by_chance(&self, random: u64) -> Result<usize, NoWeight> {
        let choose = || by_chance(self.shares.iter().map(Share::weight), random);
        // While one weight is lowered and another one was raised before, a first look at them may
        // find the old ones of these and the new one of those. Having seen the new one, a second
        // look sees what was set before it.
        choose().or_else(|_| choose())
    }
}

impl Share {
    fn weight(&self) -> u32 {
        self.weight.load(Ordering::Acquire)
    }
}

/// The index of the upstream that a key belongs to, of these with their weights.
///
/// # Errors
/// No weight is above 0.
pub fn by_key(shares: impl Iterator<Item = (Draw, u32)>, key: &[u8]) -> Result<usize, NoWeight> {
    let key = hash(key);
    let mut first: Option<(usize, f64)> = None;
    for (index, (draw, weight)) in shares.enumerate() {
        if weight == 0 {
            continue;
        }
        let time = -uniform(mixed(key ^ draw.0)).ln() / f64::from(weight);
        if first.is_none_or(|(_, least)| time < least) {
            first = Some((index, time));
        }
    }
    first.map(|(index, _)| index).ok_or(NoWeight)
}

/// The index of an upstream by chance, of those with these weights. `random` is evenly
/// distributed.
///
/// # Errors
/// No weight is above 0.
pub fn by_chance(
    weights: impl Iterator<Item = u32> + Clone,
    random: u64,
) -> Result<usize, NoWeight> {
    let total: u64 = weights.clone().map(u64::from).sum();
    // Below the total: the upper half of the product.
    let product = u128::from(random) * u128::from(total);
    let mut rest = u64::try_from(product >> 64).unwrap_or(u64::MAX);
    for (index, weight) in weights.enumerate() {
        match rest.checked_sub(u64::from(weight)) {
            Some(less) => rest = less,
            None => return Ok(index),
        }
    }
    Err(NoWeight)
}

fn hash(bytes: &[u8]) -> u64 {
    // Not the keys by which endpoints are chosen by a hash: the two must not depend on each
    // other, or each version would get its users' requests at some of its endpoints only.
    let mut hasher = SipHasher13::new_with_keys(0x7370_6c69_7400, 0);
    hasher.write(bytes);
    hasher.finish()
}

/// A number between 0 and 1, which are excluded.
#[allow(
    clippy::cast_precision_loss,
    reason = "the 53 bits that are left are those that a float has"
)]
fn uniform(number: u64) -> f64 {
    ((number >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
