//! How long an endpoint takes to respond, as a moving average that rises at once and falls slowly
//! (peak EWMA, as Finagle and Linkerd have it).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The time in which an old measurement loses its weight to 1 / e, in milliseconds.
const DECAY_MS: f32 = 10_000.0;

/// What a failure counts as. A response that fails fast must not attract requests.
const FAILURE: Duration = Duration::from_secs(1);

/// What an endpoint costs that has a request but no response yet, in microseconds: it gets one
/// request at first, and not those of all clients.
const UNKNOWN: f32 = 1e9;

/// By how much a measurement may be later than now, in milliseconds: workers read the clock one after
/// another.
const LATER_MS: u32 = 60_000;

/// The average of one endpoint, in one atomic word: the microseconds as a float, and the time of
/// the last measurement in milliseconds, modulo 2³². 0 before the first.
#[derive(Debug, Default)]
pub(crate) struct Latency(AtomicU64);

impl Latency {
    /// Records that the head of a response was received after this time.
    pub(crate) fn observe(&self, took: Duration, now_ms: u64) {
        // At least a microsecond, since 0 stands for no measurement.
        let took = (took.as_secs_f32() * 1e6).max(1.0);
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| {
            let average = match unpack(word) {
                Some((average, at)) if average > took => {
                    let old = weight(at, now_ms);
                    average * old + took * (1.0 - old)
                }
                _ => took,
            };
            Some(pack(average, now_ms))
        });
    }

    /// Records a failure.
    pub(crate) fn fail(&self, now_ms: u64) {
        self.observe(FAILURE, now_ms);
    }

    /// How long the next response is expected to take, with so many requests in flight before it,
    /// in microseconds. An average falls with time, so that a slow endpoint is tried again.
    #[allow(
        clippy::cast_precision_loss,
        reason = "the number of requests in flight need not be exact"
    )]
    pub(crate) fn cost(&self, in_flight: u32, now_ms: u64) -> f32 {
        let in_flight = in_flight as f32;
        match unpack(self.0.load(Relaxed)) {
            Some((average, at)) => average * weight(at, now_ms) * (in_flight + 1.0),
            None if in_flight > 0.0 => UNKNOWN * in_flight,
            None => 0.0,
        }
    }
}

/// The weight that a measurement still has.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "modulo 2³² as stored, and the difference need not be exact"
)]
fn weight(at: u32, now_ms: u64) -> f32 {
    let age = (now_ms as u32).wrapping_sub(at);
    match age > u32::MAX - LATER_MS {
        true => 1.0,
        false => (-(age as f32) / DECAY_MS).exp(),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "modulo 2³²")]
fn pack(average: f32, now_ms: u64) -> u64 {
    u64::from(average.to_bits()) << 32 | u64::from(now_ms as u32)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the two halves of the word"
)]
fn unpack(word: u64) -> Option<(f32, u32)> {
    (word != 0).then(|| (f32::from_bits((word >> 32) as u32), word as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn it_rises_at_once_and_falls_slowly() {
        let latency = Latency::default();
        latency.observe(ms(10), 0);
        assert_eq!(latency.cost(0, 0), 10_000.0);
        latency.observe(ms(500), 100);
        assert_eq!(latency.cost(0, 100), 500_000.0);
        // A fast one right after it changes next to nothing, a second of them a tenth.
        latency.observe(ms(10), 101);
        assert!(latency.cost(0, 101) > 499_000.0);
        for now_ms in (150..=1_150).step_by(50) {
            latency.observe(ms(10), now_ms);
        }
        let cost = latency.cost(0, 1_150);
        assert!((440_000.0..470_000.0).contains(&cost), "{cost}");
        for now_ms in (1_200..=101_150).step_by(50) {
            latency.observe(ms(10), now_ms);
        }
        let cost = latency.cost(0, 101_150);
        assert!((9_900.0..10_200.0).contains(&cost), "{cost}");
    }

    #[test]
    fn requests_in_flight_multiply_it() {
        let latency = Latency::default();
        latency.observe(ms(10), 0);
        assert_eq!(latency.cost(3, 0), 40_000.0);
    }

    #[test]
    fn one_that_is_unknown_gets_one_request() {
        let latency = Latency::default();
        assert_eq!(latency.cost(0, 0), 0.0);
        assert!(latency.cost(1, 0) > 1e8);
    }

    #[test]
    fn one_that_was_slow_is_tried_again() {
        let (slow, fast) = (Latency::default(), Latency::default());
        slow.observe(ms(1_000), 0);
        fast.observe(ms(10), 50_000);
        assert!(slow.cost(0, 10_000) > fast.cost(0, 50_000));
        assert!(slow.cost(0, 50_000) < fast.cost(0, 50_000));
    }

    #[test]
    fn a_fast_failure_counts_as_slow() {
        let latency = Latency::default();
        latency.observe(ms(1), 0);
        latency.fail(1);
        assert_eq!(latency.cost(0, 1), 1e6);
        latency.observe(ms(5_000), 2);
        latency.fail(2);
        assert_eq!(latency.cost(0, 2), 5e6, "and not as faster than it was");
    }

    #[test]
    fn times_wrap_around() {
        let latency = Latency::default();
        let before = (1 << 32) - 5;
        latency.observe(ms(10), before);
        assert!(latency.cost(0, before + 10) > 9_900.0);
        assert!(latency.cost(0, before + 100_000) < 1.0);
        assert_eq!(latency.cost(0, before - 3), 10_000.0);
        // An endpoint that was out for a month is not as it was before.
        let month = 30 * 86_400_000;
        assert!(latency.cost(0, before + month) < 1.0);
    }
}
