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

/// What webhooks are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// An endpoint has changed.
    One {
        /// The last change.
        transition: Transition,
        /// Changes since the last message that this one leaves out.
        left_out: u32,
    },
    /// Several endpoints have changed.
    Several {
        /// The last change of each.
        transitions: Vec<Transition>,
    },
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
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    transition: Transition,
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
        // That a new endpoint works is no news.
        if transition.from == Shown::New && transition.to() == Shown::Up {
            return;
        }
        self.changes += 1;
        let key = (transition.upstream.clone(), transition.endpoint.to_string());
        let known = self.endpoints.entry(key).or_default();
        let pending = known.pending.take();
        if pending.is_none() && known.free_ms() <= now_ms {
            let first_ms = self.gathered.map_or(now_ms, |(first_ms, _)| first_ms);
            self.gathered = Some((first_ms, now_ms));
        }
        known.pending = Some(Pending {
            transition: transition.clone(),
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
                Some(pending)
            })
            .collect();
        // What was told long ago limits nothing any more.
        self.endpoints.retain(|_, known| {
            let is_recent = |told_ms: u64| now_ms < told_ms + MINUTE_MS;
            known.pending.is_some() || known.told_ms.is_some_and(is_recent)
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
                left_out: pending.left_out,
            })
            .collect();
        if !rest.is_empty() {
            let transitions = rest.into_iter().map(|pending| pending.transition);
            notices.push(Notice::Several {
                transitions: transitions.collect(),
            });
        }
        self.sent += notices.len();
        notices
    }
}

#[cfg(test)]
mod tests {
    use janua_upstream::{Address, FailingRequests, Ill};

    use super::*;

    fn change(port: u16, from: Shown, is_up: bool) -> Transition {
        Transition {
            upstream: "app".into(),
            endpoint: Address::Ip(([127, 0, 0, 1], port).into()),
            from,
            ill: (!is_up).then_some(Ill::Requests(FailingRequests {
                word: "refused",
                count: 1,
                since_ms: Some(0),
                is_ejected: true,
            })),
            lasted_ms: 0,
            failing_ms: 0,
        }
    }

    fn down(port: u16) -> Transition {
        change(port, Shown::Up, false)
    }

    fn up(port: u16) -> Transition {
        change(port, Shown::Down, true)
    }

    /// What is told of single endpoints: whether it is up, and how much was left out.
    fn singles(notices: &[Notice]) -> Vec<(bool, u32)> {
        let single = |notice: &Notice| match notice {
            Notice::One {
                transition,
                left_out,
            } => (transition.to() == Shown::Up, *left_out),
            Notice::Several { .. } => panic!("several: {notices:?}"),
        };
        notices.iter().map(single).collect()
    }

    #[test]
    fn a_flapping_endpoint_is_told_of_once_a_minute_and_its_last_state_always() {
        let mut notices = Notices::default();
        assert_eq!(notices.due_ms(), None);
        notices.offer(&down(1), 0);
        assert_eq!(notices.take(500), []);
        assert_eq!(notices.due_ms(), Some(1_000));
        assert_eq!(singles(&notices.take(1_000)), [(false, 0)]);
        assert_eq!(notices.due_ms(), None);
        for turn in 1..10 {
            notices.offer(&up(1), turn * 2_000);
            notices.offer(&down(1), turn * 2_000 + 1_000);
        }
        notices.offer(&up(1), 30_000);
        assert_eq!(notices.due_ms(), Some(61_000));
        assert_eq!(notices.take(60_999), []);
        assert_eq!(singles(&notices.take(61_000)), [(true, 18)]);
        assert_eq!(notices.due_ms(), None);
        // After a quiet minute a change is told at once.
        assert_eq!(notices.take(200_000), []);
        assert!(notices.endpoints.is_empty());
        notices.offer(&down(1), 200_000);
        assert_eq!(singles(&notices.take(201_000)), [(false, 0)]);
    }

    #[test]
    fn many_that_fail_together_are_told_of_together() {
        let mut notices = Notices::default();
        for port in 1..=1000 {
            notices.offer(&down(port), u64::from(port));
        }
        let told = notices.take(2_000);
        assert_eq!(told.len(), MOST);
        let Some((Notice::Several { transitions }, first)) = told.split_last() else {
            panic!("no summary: {told:?}");
        };
        assert_eq!(singles(first), [(false, 0); MOST - 1]);
        assert_eq!(transitions.len(), 1000 - (MOST - 1));
        assert_eq!(transitions[0].endpoint.to_string(), "127.0.0.1:10");
        // There is no more room in this minute, and all of it in the next one.
        for port in 1..=3 {
            notices.offer(&up(port), 3_000);
        }
        notices.offer(&down(2_000), 3_000);
        assert_eq!(notices.take(61_999), []);
        assert_eq!(notices.due_ms(), Some(62_000));
        assert_eq!(notices.take(62_000).len(), 4);
    }

    #[test]
    fn messages_wait_while_more_endpoints_fail_but_not_for_ever() {
        let mut notices = Notices::default();
        for (port, now_ms) in [(1, 0), (2, 900), (3, 1_800)] {
            notices.offer(&down(port), now_ms);
            // Further changes of the same endpoint are no reason to wait.
            notices.offer(&up(1), now_ms + 50);
        }
        assert_eq!(notices.due_ms(), Some(2_800));
        for (port, now_ms) in [(4, 2_700), (5, 3_600), (6, 4_500)] {
            notices.offer(&down(port), now_ms);
        }
        assert_eq!(
            (notices.take(4_999), notices.due_ms()),
            (vec![], Some(5_000))
        );
        assert_eq!(notices.take(5_000).len(), 6);
    }

    #[test]
    fn that_a_new_endpoint_works_is_no_news() {
        let mut notices = Notices::default();
        notices.offer(&change(1, Shown::New, true), 0);
        assert_eq!(notices.due_ms(), None);
        notices.offer(&change(1, Shown::New, false), 0);
        assert_eq!(singles(&notices.take(1_000)), [(false, 0)]);
    }
}
