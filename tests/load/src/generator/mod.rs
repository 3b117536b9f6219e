//! The load generator: one thread sends requests to many targets at the same time, to each
//! at its own rate.
//!
//! It is an open loop: requests are due at random times (a Poisson process), whether or not
//! earlier ones were answered, and latency counts from the time when a request was due. So a
//! slow contender does not slow down its own load, and no contender profits from regular
//! arrivals. The closed loop, in which the next request follows the response, is for
//! saturation.

mod ask;
mod chunks;
mod connection;
mod lane;
mod multiplexed;
mod outcome;
mod socket;
mod wire;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::event::{Timespec, epoll};

pub(crate) use ask::Ask;
use lane::{Lane, Slot};
pub(crate) use outcome::{Failure, Outcome};
use wire::Wire;

use crate::http2::Finished;
use crate::process;

/// How long the generator waits for the last responses after the end of a run.
const GRACE: Duration = Duration::from_secs(3);
/// How long the generator waits before it opens a lost connection again.
const REDIAL: Duration = Duration::from_millis(2);

/// The API key that the policies of some contenders require; it is sent to all.
pub(crate) const API_KEY: &str = "janua-load-key";

/// A contender, and the requests to it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The address that the contender listens on.
    pub(crate) address: SocketAddr,
    /// The requests and the expected response.
    pub(crate) ask: Ask,
    /// Keep-alive connections.
    pub(crate) connections: usize,
    /// When requests are sent.
    pub(crate) pace: Pace,
}

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// This many per second, at random times.
    PerSecond(f64),
    /// As many as the connections carry together, at the start and again after each time of this
    /// length.
    Bursts(Duration),
    /// As soon as the connection, or the stream of HTTP/2, has its response.
    Closed,
}

/// Connections to all targets, which are kept from run to run.
pub(crate) struct Generator {
    epoll: OwnedFd,
    lanes: Vec<Lane>,
    slots: Vec<Slot>,
    scratch: Vec<u8>,
    /// The requests of HTTP/2 that the last reading of a connection has finished.
    finished: Vec<Finished>,
    random: Random,
    /// The lane that is served first the next time.
    first: usize,
}

impl Generator {
    /// Opens all connections.
    ///
    /// # Errors
    /// A target does not accept connections, or epoll fails.
    pub(crate) fn connect(targets: &[Target]) -> anyhow::Result<Self> {
        Self::connect_apart(targets, Duration::ZERO)
    }

    /// Opens all connections, with a pause after each.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub(crate) fn connect_apart(targets: &[Target], pause: Duration) -> anyhow::Result<Self> {
        let mut this = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            lanes: Vec::new(),
            slots: Vec::new(),
            scratch: vec![0; 64 * 1024],
            finished: Vec::new(),
            random: Random(0x9e37_79b9_7f4a_7c15),
            first: 0,
        };
        for target in targets {
            let lane = this.lanes.len();
            this.lanes.push(Lane::new(target.clone())?);
            for _ in 0..target.connections {
                let slot = this.slots.len();
                this.slots.push(Slot {
                    lane,
                    connection: None,
                });
                this.dial(slot)
                    .with_context(|| format!("no connection to {}", target.address))?;
                if !pause.is_zero() {
                    process::pause(pause);
                }
            }
        }
        Ok(this)
    }

    /// Changes the rates of all targets that have one.
    pub(crate) fn set_rate(&mut self, per_second: f64) {
        for lane in &mut self.lanes {
            if let Pace::PerSecond(rate) = &mut lane.target.pace {
                *rate = per_second;
            }
        }
    }

    /// Sends requests for `window`, then waits for the last responses. The outcomes are in the
    /// order of the targets.
    ///
    /// # Errors
    /// Epoll fails.
    pub(crate) fn run(&mut self, window: Duration) -> anyhow::Result<Vec<Outcome>> {
        let start = Instant::now();
        let end = start + window;
        self.begin(start);
        let mut events: Vec<epoll::Event> = Vec::with_capacity(512);
        let mut redial = start;
        loop {
            let now = Instant::now();
            let open = now < end;
            if open {
                self.issue(now);
            }
            self.flush();
            if now >= redial {
                self.redial(open);
                redial = now + REDIAL;
            }
            if !open && (now > end + GRACE || self.slots.iter().all(|slot| slot.busy() == 0)) {
                break;
            }
            let waking = if open {
                self.next_due().min(end)
            } else {
                end + GRACE
            };
            let lost = self.lanes.iter().any(|lane| !lane.lost.is_empty());
            let until = if lost { waking.min(redial) } else { waking };
            self.wait(&mut events, until.saturating_duration_since(Instant::now()))?;
            for event in &events {
                let slot = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
                self.receive(slot, open);
            }
        }
        Ok(self.finish())
    }

    fn begin(&mut self, start: Instant) {
        for lane in &mut self.lanes {
            lane.outcome = Outcome::default();
            lane.queue.clear();
            lane.next = start;
            if let Pace::PerSecond(rate) = lane.target.pace {
                lane.next += self.random.interval(rate);
            }
        }
    }

    /// Sends the requests that are due, each time to another target first. Of those that are due
    /// together, the first wakes the core of the contenders, and its answer wakes this one: that
    /// contender pays for both, and must not always be the same.
    fn issue(&mut self, now: Instant) {
        self.first = (self.first + 1) % self.lanes.len().max(1);
        for lane in in_turn(&mut self.lanes, self.first) {
            lane.issue(now, &mut self.slots, &mut self.random);
        }
    }

    /// Writes what [`issue`](Self::issue) has left for later, in the same order.
    fn flush(&mut self) {
        for lane in in_turn(&mut self.lanes, self.first) {
            lane.flush(&mut self.slots, &mut self.finished);
        }
    }

    fn next_due(&self) -> Instant {
        let due = self.lanes.iter().filter_map(|lane| match lane.target.pace {
            Pace::PerSecond(_) | Pace::Bursts(_) => Some(lane.next),
            Pace::Closed => None,
        });
        due.min().unwrap_or_else(|| Instant::now() + GRACE)
    }

    fn wait(&self, events: &mut Vec<epoll::Event>, at_most: Duration) -> anyhow::Result<()> {
        events.clear();
        let timeout = Timespec::try_from(at_most)?;
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(events),
            Some(&timeout),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self, slot: usize, open: bool) {
        let Some(place) = self.slots.get_mut(slot) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(place.lane) else {
            return;
        };
        let (scratch, finished) = (&mut self.scratch, &mut self.finished);
        let is_free = lane.receive(slot, place, scratch, finished);
        if is_free && open && matches!(lane.target.pace, Pace::Closed) {
            self.issue(Instant::now());
        }
    }

    /// Opens lost connections again. A refusal counts as a failed request only during the
    /// run.
    fn redial(&mut self, open: bool) {
        for lane in 0..self.lanes.len() {
            let lost = self
                .lanes
                .get_mut(lane)
                .map(|lane| std::mem::take(&mut lane.lost));
            for slot in lost.unwrap_or_default() {
                if self.dial(slot).is_err()
                    && let Some(lane) = self.lanes.get_mut(lane)
                {
                    lane.lost.push(slot);
                    if open {
                        lane.outcome.fail(Failure::Connect);
                    }
                }
            }
        }
    }

    fn dial(&mut self, slot: usize) -> anyhow::Result<()> {
        let place = self.slots.get_mut(slot).context("no such slot")?;
        let lane = self.lanes.get_mut(place.lane).context("no such lane")?;
        place.connection = None;
        let connection = Wire::dial(&lane.target, lane.tls.as_ref())?;
        let token = epoll::EventData::new_u64(slot as u64);
        let interest = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
        epoll::add(&self.epoll, connection.socket(), token, interest)?;
        lane.opened(slot, &connection);
        place.connection = Some(connection);
        Ok(())
    }

    fn finish(&mut self) -> Vec<Outcome> {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            let under_way = slot.busy();
            if under_way > 0
                && let Some(lane) = self.lanes.get_mut(slot.lane)
            {
                for _ in 0..under_way {
                    lane.outcome.fail(Failure::TimedOut);
                }
                lane.abandon(number, slot);
            }
        }
        let taken = self.lanes.iter_mut().map(|lane| {
            lane.outcome.unsent = match lane.target.pace {
                Pace::PerSecond(_) | Pace::Bursts(_) => lane.queue.len() as u64,
                Pace::Closed => 0,
            };
            std::mem::take(&mut lane.outcome)
        });
        taken.collect()
    }
}

/// All elements, from this one on.
fn in_turn<T>(all: &mut [T], first: usize) -> impl Iterator<Item = &mut T> {
    let (before, from) = all.split_at_mut(first.min(all.len()));
    from.iter_mut().chain(before)
}

/// xorshift64, which is good enough for arrival times. With the same seed, every run has the
/// same arrival times.
struct Random(u64);

impl Random {
    /// The time until the next arrival of a Poisson process.
    fn interval(&mut self, per_second: f64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let uniform = ((self.0 >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        Duration::from_secs_f64((-uniform.ln() / per_second.max(0.001)).min(10.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Fleet;

    #[test]
    fn the_targets_take_turns() {
        let order = |first| -> Vec<u8> {
            let mut all = [0, 1, 2];
            in_turn(&mut all, first).map(|one| *one).collect()
        };
        assert_eq!(order(0), [0, 1, 2]);
        assert_eq!(order(2), [2, 0, 1]);
        assert_eq!(order(3), [0, 1, 2]);
        assert_eq!(in_turn::<u8>(&mut [], 1).count(), 0);
    }

    #[test]
    fn arrivals_come_at_the_rate_asked_for() {
        let mut random = Random(1);
        let total: Duration = (0..100_000).map(|_| random.interval(2000.0)).sum();
        assert!((49.0..51.0).contains(&total.as_secs_f64()), "{total:?}");
    }

    #[test]
    fn load_through_the_bare_proxy_is_answered_whole() {
        let free = || crate::process::free_address().unwrap();
        let (backend, proxy) = (free(), free());
        std::thread::spawn(move || crate::backend::serve(backend, &Fleet::ONE));
        std::thread::spawn(move || crate::bare_hyper::serve(proxy, backend));
        while crate::client::get(proxy, "/1k").is_err() {
            crate::process::pause(Duration::from_millis(2));
        }
        let target = |path: &str, length, pace| Target {
            address: proxy,
            ask: Ask::plain(path, length),
            connections: 4,
            pace,
        };
        let targets = [
            target("/1k", 1024, Pace::PerSecond(500.0)),
            target("/1m", 1024 * 1024, Pace::Closed),
            target("/1k", 1000, Pace::PerSecond(100.0)),
            target("/none", 0, Pace::PerSecond(100.0)),
        ];
        let mut generator = Generator::connect(&targets).unwrap();
        let outcomes = generator.run(Duration::from_millis(400)).unwrap();
        let seen: Vec<_> = outcomes
            .iter()
            .map(|one| (one.answered > 3, one.failed() > 3))
            .collect();
        assert_eq!(
            seen,
            [(true, false), (true, false), (false, true), (false, true)],
            "{outcomes:?}"
        );
    }
}
