//! The CPU time of calls: what each may use and what it has used.
//!
//! A call that waits is carried out in several turns, and other work of the thread comes
//! between them, so each turn is measured by itself. The time in which the thread is
//! preempted does not count.
//!
//! A short turn is measured by the monotonic clock, which takes no system call. If the
//! thread was preempted meanwhile, that clock shows too much: a turn during which no tick
//! came is taken for one tick at most. A longer turn reads the CPU time of the thread at its
//! first tick (`deadline`), and is measured by it from there on. The number of its ticks
//! would not do, because they come late on a busy machine. So a budget is exact to about one
//! tick.

use std::time::{Duration, Instant};

use wasmtime::{StoreContextMut, UpdateDeadline};

use crate::deadline::TICK;
use crate::state::HostState;

/// The CPU-time budget of the current call in a store.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    allowed: Duration,
    /// In the turns that have ended.
    spent: Duration,
    turn: Option<Turn>,
}

/// A stretch of a call without a wait.
#[derive(Debug)]
struct Turn {
    began: Instant,
    /// The thread's CPU time at the first tick.
    first_tick: Option<Duration>,
}

impl Budget {
    /// Begins a call.
    pub(crate) fn begin(&mut self, allowed: Duration) {
        *self = Self {
            allowed,
            ..Self::default()
        };
    }

    pub(crate) fn begin_turn(&mut self) {
        self.turn = Some(Turn {
            began: Instant::now(),
            first_tick: None,
        });
    }

    pub(crate) fn end_turn(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        let since_tick = turn
            .first_tick
            .map(|tick| thread_cpu().saturating_sub(tick));
        self.spent += bounded(turn.began.elapsed(), since_tick);
    }

    /// What the call has used. Complete when its last turn has ended.
    pub(crate) fn spent(&self) -> Duration {
        self.spent
    }

    /// Whether the call may go on.
    fn tick(&mut self, now: Duration) -> bool {
        let Some(turn) = &mut self.turn else {
            return true;
        };
        let first_tick = *turn.first_tick.get_or_insert(now);
        self.spent + now.saturating_sub(first_tick) < self.allowed
    }
}

fn bounded(elapsed: Duration, since_tick: Option<Duration>) -> Duration {
    elapsed.min(TICK + since_tick.unwrap_or_default())
}

/// The error that ends a call that exceeds its budget.
#[derive(Debug)]
pub(crate) struct OutOfTime;

impl std::fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("used up its CPU time")
    }
}

impl std::error::Error for OutOfTime {}

/// Wasmtime calls this at each tick that falls into a call.
pub(crate) fn on_tick(
    mut store: StoreContextMut<'_, HostState>,
) -> wasmtime::Result<UpdateDeadline> {
    match store.data_mut().budget.tick(thread_cpu()) {
        true => Ok(UpdateDeadline::Continue(1)),
        false => Err(wasmtime::Error::new(OutOfTime)),
    }
}

/// The CPU time that `work` takes, exactly. Takes two system calls: only for what takes
/// much longer.
pub(crate) fn exactly<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let before = thread_cpu();
    let result = work();
    (result, thread_cpu().saturating_sub(before))
}

/// The CPU time of this thread. A system call.
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_preempted_turn_is_not_blamed() {
        let us = Duration::from_micros;
        for (elapsed, since_tick, expected) in [
            (us(40), None, us(40)),
            (us(50_000), None, us(1_000)),
            (us(700), Some(us(200)), us(700)),
            (us(6_000), Some(us(5_400)), us(6_000)),
            (us(90_000), Some(us(4_000)), us(5_000)),
        ] {
            assert_eq!(bounded(elapsed, since_tick), expected);
        }
    }

    #[test]
    fn a_call_ends_when_its_budget_is_spent() {
        let mut budget = Budget::default();
        budget.begin(ms(10));
        budget.begin_turn();
        assert!(budget.tick(ms(500)));
        assert!(budget.tick(ms(509)));
        assert!(!budget.tick(ms(510)));
    }

    /// Between the turns the thread does other work, and ticks come that are for others.
    #[test]
    fn waiting_costs_nothing_and_turns_add_up() {
        let mut budget = Budget::default();
        budget.begin(ms(10));
        budget.spent = ms(6);
        assert!(budget.tick(ms(900)), "it is not its turn");
        budget.begin_turn();
        assert!(budget.tick(ms(1_000)));
        assert!(budget.tick(ms(1_003)));
        assert!(!budget.tick(ms(1_004)));
        budget.end_turn();
        assert!(budget.spent() >= ms(6));
        budget.begin(ms(10));
        assert_eq!(budget.spent(), Duration::ZERO);
        // Many short turns are no way around the budget.
        budget.spent = ms(10);
        budget.begin_turn();
        assert!(!budget.tick(ms(2_000)));
    }
}
