//! The state of one target: its connections, and the requests that wait for one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;

use super::connection::Step;
use super::outcome::Outcome;
use super::wire::Wire;
use super::{Pace, Random, Target};
use crate::http2::Finished;

/// The state of one target.
pub(super) struct Lane {
    pub(super) target: Target,
    /// How connections are encrypted; none for cleartext.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The requests, which take turns, and the index of the next one.
    requests: Vec<Vec<u8>>,
    turn: usize,
    /// Connections that can take a request, the one first that has not had one for the longest
    /// time.
    free: VecDeque<usize>,
    /// Requests that a connection carries at the same time.
    streams: usize,
    /// Connections on which frames of HTTP/2 wait until all requests that are due are written.
    unflushed: Vec<usize>,
    /// Connections to be opened again.
    pub(super) lost: Vec<usize>,
    /// Requests that are due and wait for a connection.
    pub(super) queue: VecDeque<Instant>,
    pub(super) next: Instant,
    pub(super) outcome: Outcome,
}

/// A place for a connection.
pub(super) struct Slot {
    pub(super) lane: usize,
    pub(super) connection: Option<Wire>,
}

impl Slot {
    /// The number of requests under way.
    pub(super) fn busy(&self) -> usize {
        self.connection.as_ref().map_or(0, Wire::busy)
    }
}

impl Lane {
    pub(super) fn new(target: Target) -> anyhow::Result<Self> {
        Ok(Self {
            tls: target.ask.over.config()?,
            requests: target.ask.requests(),
            turn: 0,
            streams: target.ask.together,
            target,
            free: VecDeque::new(),
            unflushed: Vec::new(),
            lost: Vec::new(),
            queue: VecDeque::new(),
            next: Instant::now(),
            outcome: Outcome::default(),
        })
    }

    /// Sends the requests that are due, as far as connections are free. Those of HTTP/2 are
    /// written by [`flush`](Self::flush).
    pub(super) fn issue(&mut self, now: Instant, slots: &mut [Slot], random: &mut Random) {
        match self.target.pace {
            Pace::PerSecond(rate) => {
                while self.next <= now {
                    self.queue.push_back(self.next);
                    self.next += random.interval(rate);
                }
            }
            Pace::Bursts(every) => {
                while self.next <= now {
                    let burst = self.target.connections * self.streams;
                    self.queue.extend(std::iter::repeat_n(self.next, burst));
                    self.next += every;
                }
            }
            Pace::Closed => {
                let busy = |slot: &usize| slots.get(*slot).map_or(0, Slot::busy);
                let idle = match self.streams {
                    1 => self.free.len(),
                    streams => self.free.iter().map(|slot| streams - busy(slot)).sum(),
                };
                self.queue.resize(idle, now);
            }
        }
        while let Some(due) = self.queue.front().copied() {
            let Some(slot) = self.free.pop_front() else {
                break;
            };
            self.queue.pop_front();
            let Some(place) = slots.get_mut(slot) else {
                continue;
            };
            let Some(connection) = &mut place.connection else {
                continue;
            };
            let request = self.requests.get(self.turn).map_or(&[][..], Vec::as_slice);
            self.turn = (self.turn + 1) % self.requests.len().max(1);
            match connection.send(request, due) {
                Ok(()) => {
                    if connection.busy() < self.streams {
                        self.free.push_back(slot);
                    }
                    self.leave_unflushed(slot);
                }
                Err(failure) => {
                    self.outcome.fail(failure);
                    self.lose(slot, place);
                }
            }
        }
    }

    /// Writes the frames of HTTP/2 that wait, those of each connection together.
    pub(super) fn flush(&mut self, slots: &mut [Slot], finished: &mut Vec<Finished>) {
        while let Some(slot) = self.unflushed.pop() {
            let Some(place) = slots.get_mut(slot) else {
                continue;
            };
            if let Some(connection) = &mut place.connection {
                let step = connection.flush(finished);
                self.advance(slot, place, &step, finished);
            }
        }
    }

    /// Reads what has come on a connection. True if it has finished its only request and can
    /// take the next one.
    pub(super) fn receive(
        &mut self,
        slot: usize,
        place: &mut Slot,
        scratch: &mut [u8],
        finished: &mut Vec<Finished>,
    ) -> bool {
        let Some(connection) = &mut place.connection else {
            return false;
        };
        let step = connection.receive(scratch, self.target.ask.body, finished);
        self.leave_unflushed(slot);
        self.advance(slot, place, &step, finished);
        matches!(step, Step::Whole { .. }) && place.connection.is_some()
    }

    /// A connection is open, and its handshake may be under way.
    pub(super) fn opened(&mut self, slot: usize, connection: &Wire) {
        if !connection.is_handshaking() {
            self.set_free(slot);
        }
    }

    fn set_free(&mut self, slot: usize) {
        self.free.push_back(slot);
        self.leave_unflushed(slot);
    }

    fn leave_unflushed(&mut self, slot: usize) {
        if self.streams > 1 && self.unflushed.last() != Some(&slot) {
            self.unflushed.push(slot);
        }
    }

    /// Counts finished requests, and replaces a connection that has ended.
    fn advance(
        &mut self,
        slot: usize,
        place: &mut Slot,
        step: &Step,
        finished: &mut Vec<Finished>,
    ) {
        if !finished.is_empty() && place.busy() + finished.len() == self.streams {
            self.free.push_back(slot);
        }
        for one in finished.drain(..) {
            self.outcome.note(one.due, one.wrong);
        }
        match *step {
            Step::Waits => {}
            Step::Ready => self.set_free(slot),
            Step::Ending => self.free.retain(|free| *free != slot),
            Step::Whole { due, wrong, closes } => {
                self.outcome.note(due, wrong);
                if closes || self.target.ask.over.is_new_each_time() {
                    self.lose(slot, place);
                } else {
                    self.free.push_back(slot);
                }
            }
            Step::Broken(failure) => {
                self.outcome.fail(failure);
                self.lose(slot, place);
            }
            Step::Gone => self.abandon(slot, place),
            Step::ClosedIdle => {
                self.outcome.closed_idle += 1;
                self.abandon(slot, place);
            }
        }
    }

    /// As [`lose`](Self::lose), for a connection that may be among those that are free.
    pub(super) fn abandon(&mut self, slot: usize, place: &mut Slot) {
        self.free.retain(|free| *free != slot);
        self.lose(slot, place);
    }

    /// Lets a connection be opened again.
    fn lose(&mut self, slot: usize, place: &mut Slot) {
        place.connection = None;
        self.lost.push(slot);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Ask;
    use super::*;
    use crate::tls::Over;

    #[test]
    fn a_burst_fills_all_connections() {
        let every = Duration::from_millis(50);
        let target = Target {
            address: "127.0.0.1:80".parse().unwrap(),
            ask: Ask::plain("/", 0).over(Over::Http2).together(32),
            connections: 8,
            pace: Pace::Bursts(every),
        };
        let mut lane = Lane::new(target).unwrap();
        let start = lane.next;
        // No connection is open, so that the requests wait.
        for (millis, bursts) in [(0, 1), (49, 1), (50, 2), (149, 3), (250, 6)] {
            let now = start + Duration::from_millis(millis);
            lane.issue(now, &mut [], &mut Random(1));
            assert_eq!(lane.queue.len(), bursts * 8 * 32, "{millis}");
        }
        let due = start + every;
        assert_eq!(lane.queue.iter().filter(|one| **one == due).count(), 256);
    }
}
