//! The arithmetic of a take.

use super::TakeOutcome;
use crate::verdict::Take;

pub(super) const NANOS_PER_MS: u64 = 1_000_000;

/// What a take means for a bucket. Tokens are expressed as the time in which they are added,
/// in nanoseconds.
pub(super) struct Rate {
    /// One token.
    interval: u64,
    /// A full bucket: `burst + 1` tokens.
    pub(super) whole: u64,
    /// The cost of the take.
    cost: u64,
}

impl Rate {
    pub(super) fn new(take: &Take) -> Self {
        let period = u64::from(take.period_ms).saturating_mul(NANOS_PER_MS);
        let interval = (period / u64::from(take.tokens.max(1))).max(1);
        Self {
            interval,
            whole: interval.saturating_mul(u64::from(take.burst) + 1),
            cost: interval.saturating_mul(u64::from(take.cost)),
        }
    }

    /// The new timestamp. An error is the number of milliseconds until the take would
    /// succeed.
    pub(super) fn take(&self, full_at: u64, now: u64) -> Result<u64, u64> {
        let after = full_at
            .clamp(now, now.saturating_add(self.whole))
            .saturating_add(self.cost);
        let over = (after - now).saturating_sub(self.whole);
        if over == 0 {
            Ok(after)
        } else {
            Err(over.div_ceil(NANOS_PER_MS))
        }
    }

    pub(super) fn taken(&self, after: u64, now: u64) -> TakeOutcome {
        let missing = after - now;
        TakeOutcome::Taken {
            remaining: (self.whole - missing) / self.interval,
            reset_ms: missing.div_ceil(NANOS_PER_MS),
        }
    }
}
