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
    ///
    /// That is decided only when bytes have moved. Silence is ended by the timeouts: a task may
    /// be woken for another reason, and of what a client reads, the gateway learns in large
    /// steps, because the kernel reports room in a socket's buffer only when a third is free.
    ///
    /// A pause costs no more than the grace. Otherwise an upload that is interrupted for a while
    /// would be cut off by its next packet, which is too small to pay for the pause.
    pub(crate) fn is_too_slow(&mut self, bytes: u64, awaits_client: bool) -> bool {
        let Some(minimum) = self.minimum else {
            return false;
        };
        // The clock is read only where the gateway waits.
        if self.since.is_none() && !awaits_client {
            return false;
        }
        let came = bytes.saturating_sub(self.bytes);
        if came == 0 && awaits_client && self.since.is_some() {
            return false;
        }
        let now = Instant::now();
        if let Some(since) = self.since {
            let waited = now.saturating_duration_since(since);
            self.budget -= nanoseconds(waited.min(minimum.grace));
        }
        let earned = u128::from(came) * 1_000_000_000 / u128::from(minimum.bytes_per_second.max(1));
        let earned = i64::try_from(earned).unwrap_or(i64::MAX / 4);
        self.budget = (self.budget + earned).min(grace(minimum));
        self.bytes = bytes;
        self.since = awaits_client.then_some(now);
        came > 0 && self.budget < 0
    }
}

fn grace(minimum: MinRate) -> i64 {
    nanoseconds(minimum.grace)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
