//! How much of a worker's time one policy's calls take.
//!
//! Measured by the ticks that fall into its calls, out of the ticks that
//! passed: a sampling profile that costs nothing between ticks and, since a
//! preempted call sees one tick however long it was away, does not blame it
//! for the time of others. The ticker's own lateness drops out of the ratio.

/// Ticks of one window: about a second.
const WINDOW: u64 = 1_000;

/// The current window of one worker and policy.
#[derive(Debug, Default)]
pub(crate) struct CpuShare {
    window: u64,
    used: u64,
}

impl CpuShare {
    /// Counts the ticks of one call that ended at tick `now`. True if the
    /// policy has had more than `percent` of this window; it then starts anew.
    pub(crate) fn charge(&mut self, ticks: u32, now: u64, percent: u32) -> bool {
        if now.saturating_sub(self.window) >= WINDOW {
            self.window = now;
            self.used = 0;
        }
        self.used += u64::from(ticks);
        let over = percent < 100 && self.used * 100 > WINDOW * u64::from(percent);
        if over {
            self.window = now;
            self.used = 0;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::CpuShare;

    /// A call of `ticks` ticks begun every `every` ticks, for three seconds.
    fn trips(ticks: u32, every: u64, percent: u32) -> bool {
        let mut share = CpuShare::default();
        (1..3_000 / every).any(|n| share.charge(ticks, n * every, percent))
    }

    #[test]
    fn trips_above_its_share_and_not_below() {
        let table = [
            (6, 10, 50, true),
            (4, 10, 50, false),
            (10, 10, 100, false),
            (1, 100, 1, false),
            (3, 100, 1, true),
        ];
        for (ticks, every, percent, expected) in table {
            assert_eq!(
                trips(ticks, every, percent),
                expected,
                "{ticks} of {every}, {percent} %"
            );
        }
    }
}
