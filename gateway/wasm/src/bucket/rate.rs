//! The arithmetic of a take.

use super::TakeOutcome;
use crate::verdict::TokenBucket;

pub(super) const NANOS_PER_MS: u64 = 1_000_000;

/// What a take means for a bucket. Tokens are expressed as the time in which they are added,
/// in nanoseconds.
pub(super) struct Rate {
    /// One token.
    interval: u64,
    /// A full bucket: `burst + 1` tokens.
    pub(super) whole: u64,
}

impl Rate {
    pub(super) fn new(bucket: &TokenBucket) -> Self {
        let period = u64::from(bucket.period_ms).saturating_mul(NANOS_PER_MS);
        let interval = (period / u64::from(bucket.tokens.max(1))).max(1);
        Self {
            interval,
            whole: interval.saturating_mul(u64::from(bucket.burst) + 1),
        }
    }

    /// The timestamp after so many tokens were taken. An error is the number of milliseconds
    /// until they could be.
    pub(super) fn take(&self, full_at: u64, tokens: u32, now: u64) -> Result<u64, u64> {
        let cost = self.interval.saturating_mul(u64::from(tokens));
        let after = full_at.max(now).saturating_add(cost);
        let over = (after - now).saturating_sub(self.whole);
        if over == 0 {
            Ok(after)
        } else {
            Err(over.div_ceil(NANOS_PER_MS))
        }
    }

    /// The timestamp after so many tokens were taken, even if there were too few. The bucket
    /// then lacks at most `debt` tokens, or as many as it lacked before.
    pub(super) fn charge(&self, full_at: u64, tokens: u32, debt: u32, now: u64) -> u64 {
        let tokens = self.interval.saturating_mul(u64::from(tokens));
        let debt = self.interval.saturating_mul(u64::from(debt));
        let lowest = now.saturating_add(self.whole).saturating_add(debt);
        let full_at = full_at.max(now);
        full_at.saturating_add(tokens).min(lowest.max(full_at))
    }

    pub(super) fn taken(&self, after: u64, now: u64) -> TakeOutcome {
        let missing = after - now;
        TakeOutcome::Taken {
            remaining: self.whole.saturating_sub(missing) / self.interval,
            reset_ms: missing.div_ceil(NANOS_PER_MS),
        }
    }
}
