//! The share of a worker's time that is spent in the calls of one policy.
//!
//! It is the ratio of the ticks that fall into calls to all ticks (`deadline`): a
//! sampling profile that costs nothing between ticks. A preempted call sees only one
//! tick, however long it is preempted, so the time of other threads does not count. Late
//! ticks do not change the ratio.

/// The length of a window in ticks: about a second.
const WINDOW: u64 = 1_000;

/// The current window of one policy on one worker.
#[derive(Debug, Default)]
pub(crate) struct CpuShare {
    window: u64,
    used: u64,
}

impl CpuShare {
    /// Counts the ticks of a call that ended at tick `now`. Returns true and starts a new
    /// window if calls have used more than `percent` of this one.
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

    /// Whether a call of `ticks` ticks in each `every` ticks exceeds the share within
    /// three seconds.
    fn exceeds(ticks: u32, every: u64, percent: u32) -> bool {
        let mut share = CpuShare::default();
        (1..3_000 / every).any(|n| share.charge(ticks, n * every, percent))
    }

    #[test]
    fn exceeds_only_above_the_share() {
        let table = [
            (6, 10, 50, true),
            (4, 10, 50, false),
            (10, 10, 100, false),
            (1, 100, 1, false),
            (3, 100, 1, true),
        ];
        for (ticks, every, percent, expected) in table {
            assert_eq!(
                exceeds(ticks, every, percent),
                expected,
                "{ticks} of {every}, {percent} %"
            );
        }
    }
}
