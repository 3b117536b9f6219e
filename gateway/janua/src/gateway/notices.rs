//! Which changes of endpoints webhooks are told of, and when: pure decisions.
//!
//! An endpoint may flap, and a thousand may fail together. Of each endpoint there is at most one
//! message a minute, with the number of changes that it leaves out, and of all together a few; the
//! last one of them is a summary of what is left. Whatever happens, the last state is told.

use std::collections::HashMap;

use janua_upstream::{Shown, Transition};

/// The shortest time between two messages about an endpoint, and the time in which messages are
/// counted, in milliseconds.
const MINUTE_MS: u64 = 60_000;
/// The most messages in that time.
const MOST: usize = 10;
/// How long a message waits for others, so that many endpoints that fail together are told of
/// together, in milliseconds; and for how long altogether while more of them fail.
const GATHER_MS: u64 = 1_000;
const GATHER_MOST_MS: u64 = 5_000;
/// Of how many endpoints it is remembered that they are down. Those that are removed while they are
/// down never come back.
const MOST_KNOWN: usize = 10_000;

/// What webhooks are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// An endpoint has changed.
    One {
        /// The last change.
        transition: Transition,
        /// When it happened.
        at_ms: u64,
        /// Changes since the last message that this one leaves out.
        left_out: u32,
    },
    /// Several endpoints have changed.
    Several {
        /// The last change of each.
        transitions: Vec<Transition>,
        /// When the last of them happened.
        at_ms: u64,
    },
}

impl Notice {
    /// When it happened.
    pub(super) fn at_ms(&self) -> u64 {
        match self {
            Self::One { at_ms, .. } | Self::Several { at_ms, .. } => *at_ms,
        }
    }
}

/// The changes that webhooks have not been told of.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// By upstream and endpoint.
    endpoints: HashMap<(Box<str>, String), Known>,
    /// When the messages began that are counted now, and how many there were.
    begun_ms: u64,
    sent: usize,
    /// When the first and the last endpoint changed that messages wait for.
    gathered: Option<(u64, u64)>,
    /// The number of changes so far, which orders them.
    changes: u64,
}

#[derive(Debug, Default)]
struct Known {
    /// When there was the last message.
    told_ms: Option<u64>,
    /// That message said that it is down.
    is_told_down: bool,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    transition: Transition,
    at_ms: u64,
    left_out: u32,
    /// The number of the first change that is not told yet.
    order: u64,
}

impl Known {
    /// When the message before limits nothing any more.
    fn free_ms(&self) -> u64 {
        self.told_ms.map_or(0, |told_ms| told_ms + MINUTE_MS)
    }
}

impl Notices {
    /// Takes in a change that has happened now.
    pub(super) fn offer(&mut self, transition: &Transition, now_ms: u64) {
        // Whoever has taken it out expects that it ends.
        if transition.to() == Shown::Down && transition.is_draining {
            return;
        }
        let key = (transition.upstream.clone(), transition.endpoint.to_string());
        // That an endpoint works of which nobody has heard is no news.
        let is_known = self
            .endpoints
            .get(&key)
            .is_some_and(|known| known.is_told_down || known.pending.is_some());
        if transition.to() == Shown::Up && !is_known {
            return;
        }
        self.changes += 1;
        let known = self.endpoints.entry(key).or_default();
        let pending = known.pending.take();
        if pending.is_none() && known.free_ms() <= now_ms {
            let first_ms = self.gathered.map_or(now_ms, |(first_ms, _)| first_ms);
            self.gathered = Some((first_ms, now_ms));
        }
        known.pending = Some(Pending {
            transition: transition.clone(),
            at_ms: now_ms,
            left_out: pending.as_ref().map_or(0, |pending| pending.left_out + 1),
            order: pending.map_or(self.changes, |pending| pending.order),
        });
    }

    /// When there is something to be told; none if there is nothing.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let pending = self.endpoints.values().filter(|it| it.pending.is_some());
        let due_ms = pending.map(Known::free_ms).min()?.max(self.ready_ms());
        Some(match self.sent < MOST {
            true => due_ms,
            false => due_ms.max(self.begun_ms + MINUTE_MS),
        })
    }

    /// When no message waits for others any more.
    fn ready_ms(&self) -> u64 {
        self.gathered.map_or(0, |(first_ms, last_ms)| {
            (last_ms + GATHER_MS).min(first_ms + GATHER_MOST_MS)
        })
    }

    /// What is to be told now.
    pub(super) fn take(&mut self, now_ms: u64) -> Vec<Notice> {
        if self.sent == 0 || now_ms >= self.begun_ms + MINUTE_MS {
            self.begun_ms = now_ms;
            self.sent = 0;
        }
        let room = MOST - self.sent;
        if room == 0 || now_ms < self.ready_ms() {
            return Vec::new();
        }
        self.gathered = None;
        let free = self.endpoints.values_mut();
        let free = free.filter(|known| known.free_ms() <= now_ms);
        let mut pending: Vec<Pending> = free
            .filter_map(|known| {
                let pending = known.pending.take()?;
                known.told_ms = Some(now_ms);
                known.is_told_down = pending.transition.to() == Shown::Down;
                Some(pending)
            })
            .collect();
        // What was told long ago limits nothing any more.
        let are_few = self.endpoints.len() <= MOST_KNOWN;
        self.endpoints.retain(|_, known| {
            let is_recent = |told_ms: u64| now_ms < told_ms + MINUTE_MS;
            known.pending.is_some()
                || known.told_ms.is_some_and(is_recent)
                || known.is_told_down && are_few
        });
        pending.sort_by_key(|pending| pending.order);
        let singles = if pending.len() <= room {
            room
        } else {
            room - 1
        };
        let rest = pending.split_off(singles.min(pending.len()));
        let mut notices: Vec<Notice> = pending
            .into_iter()
            .map(|pending| Notice::One {
                transition: pending.transition,
                at_ms: pending.at_ms,
                left_out: pending.left_out,
            })
            .collect();
        if let Some(at_ms) = rest.iter().map(|pending| pending.at_ms).max() {
            let transitions = rest.into_iter().map(|pending| pending.transition);
            notices.push(Notice::Several {
                transitions: transitions.collect(),
                at_ms,
            });
        }
        self.sent += notices.len();
        notices
    }
}

#[cfg(test)]
mod tests;
