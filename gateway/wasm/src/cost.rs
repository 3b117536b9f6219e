//! What a call costs, in CPU time of the worker.
//!
//! A short call is measured by the monotonic clock, which takes no system call. If the
//! thread was preempted meanwhile, that clock shows too much: a call during which no tick
//! came is taken for one tick at most. A longer call has read the CPU time of the thread
//! at its first tick (`deadline`), and is measured by it from there on. The number of its
//! ticks would not do, because they come late on a busy machine.

use std::time::{Duration, Instant};

use crate::deadline::{TICK, thread_cpu};

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The cost of a call that ends now. `since_tick` is the CPU time since its first
    /// tick, if there was one.
    pub(crate) fn stop(self, since_tick: Option<Duration>) -> Duration {
        bounded(self.0.elapsed(), since_tick)
    }
}

fn bounded(elapsed: Duration, since_tick: Option<Duration>) -> Duration {
    elapsed.min(TICK + since_tick.unwrap_or_default())
}

/// The CPU time that `work` takes, exactly. Takes two system calls: only for what takes
/// much longer.
pub(crate) fn exactly<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let before = thread_cpu();
    let result = work();
    (result, thread_cpu().saturating_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preempted_call_is_not_blamed() {
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
}
