//! Minimum rates: how slowly a client may send or read.
//!
//! A timeout that starts anew with each byte never ends for a client that sends or reads one
//! byte a second. So the rate is measured too, over the time in which the gateway waits for
//! the client: the time in which it waits for an upstream is not the client's.

use std::time::Duration;

use tokio::time::Instant;

/// The slowest that a client may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MinRate {
    pub(crate) bytes_per_second: u64,
    /// How long the client may be slower.
    pub(crate) grace: Duration,
}

/// The minimum rates of a listener; none where there is no minimum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MinRates {
    /// Of the head of a request.
    pub(crate) head: Option<MinRate>,
    /// Of the body of a request.
    pub(crate) body: Option<MinRate>,
    /// At which a client reads a response.
    pub(crate) read: Option<MinRate>,
}

/// Measures one transfer, with a budget of waiting time: waiting for the client uses it up,
/// and each byte adds the time that the byte may take at the minimum rate. The budget never
/// exceeds the grace, so that a fast beginning does not pay for hours of dripping.
#[derive(Debug)]
pub(crate) struct Meter {
    minimum: Option<MinRate>,
    /// In nanoseconds.
    budget: i64,
    /// The bytes transferred when the budget was last updated.
    bytes: u64,
    /// Since when the gateway has been waiting for the client, if it is.
    since: Option<Instant>,
}

impl Meter {
    /// Measures a transfer that begins; nothing if there is no minimum.
    pub(crate) fn new(minimum: Option<MinRate>) -> Self {
        Self {
            minimum,
            budget: minimum.map_or(0, grace),
            bytes: 0,
            since: None,
        }
    }

    /// Records how many bytes have been transferred in all, and whether the gateway waits for
    /// the client from now on. True if the client is too slow.
    pub(crate) fn is_too_slow(&mut self, bytes: u64, awaits_client: bool) -> bool {
        let Some(minimum) = self.minimum else {
            return false;
        };
        // The clock is read only where the gateway waits.
        if self.since.is_none() && !awaits_client {
            return false;
        }
        let now = Instant::now();
        if let Some(since) = self.since {
            let waited = now.saturating_duration_since(since);
            self.budget -= nanoseconds(waited);
        }
        let came = u128::from(bytes.saturating_sub(self.bytes)) * 1_000_000_000;
        let earned = came / u128::from(minimum.bytes_per_second.max(1));
        let earned = i64::try_from(earned).unwrap_or(i64::MAX / 4);
        self.budget = (self.budget + earned).min(grace(minimum));
        self.bytes = bytes;
        self.since = awaits_client.then_some(now);
        self.budget < 0
    }
}

fn grace(minimum: MinRate) -> i64 {
    nanoseconds(minimum.grace)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MINIMUM: MinRate = MinRate {
        bytes_per_second: 100,
        grace: Duration::from_secs(10),
    };

    #[tokio::test(start_paused = true)]
    async fn only_time_that_waits_for_the_client_counts() {
        let mut meter = Meter::new(Some(MINIMUM));
        // An upstream takes its time.
        assert!(!meter.is_too_slow(0, false));
        advance(Duration::from_secs(3600)).await;
        assert!(!meter.is_too_slow(0, true));
        advance(Duration::from_secs(9)).await;
        assert!(!meter.is_too_slow(1, false), "within the grace");
        advance(Duration::from_secs(3600)).await;
        assert!(!meter.is_too_slow(1, true));
        advance(Duration::from_secs(2)).await;
        assert!(meter.is_too_slow(1, true), "one byte in eleven seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_beginning_does_not_pay_for_what_follows() {
        let mut meter = Meter::new(Some(MINIMUM));
        let mut bytes = 10_000_000;
        assert!(!meter.is_too_slow(bytes, true));
        for second in 1..=10 {
            advance(Duration::from_secs(1)).await;
            bytes += 1;
            assert!(!meter.is_too_slow(bytes, true), "after {second} seconds");
        }
        advance(Duration::from_secs(1)).await;
        assert!(meter.is_too_slow(bytes, true));
    }

    /// Bytes that arrive together after a pause count for the pause.
    #[tokio::test(start_paused = true)]
    async fn bursts_at_the_rate_are_fast_enough() {
        let mut meter = Meter::new(Some(MINIMUM));
        let mut bytes = 0;
        assert!(!meter.is_too_slow(bytes, true));
        for _ in 0..100 {
            advance(Duration::from_secs(30)).await;
            bytes += 3_000;
            assert!(!meter.is_too_slow(bytes, true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_minimum_nothing_is_too_slow() {
        let mut meter = Meter::new(None);
        assert!(!meter.is_too_slow(0, true));
        advance(Duration::from_secs(3600)).await;
        assert!(!meter.is_too_slow(0, true));
    }
}
