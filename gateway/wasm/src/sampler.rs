//! Selects the reused verdicts that are compared with a fresh one.

use ahash::RandomState;

/// Selects one of `every` hits on average, at random distances, so that no regular
/// pattern of requests escapes it.
pub(crate) struct Sampler {
    every: u32,
    /// Hits until the next sample.
    left: u32,
    random: u64,
}

impl Sampler {
    pub(crate) fn new(every: u32) -> Self {
        let mut sampler = Self {
            every,
            left: 0,
            random: RandomState::new().hash_one(every) | 1,
        };
        sampler.draw();
        sampler
    }

    /// Whether the next hit will be chosen.
    #[inline]
    pub(crate) fn is_due_next(&self) -> bool {
        self.every > 0 && self.left <= 1
    }

    #[inline]
    pub(crate) fn is_due(&mut self) -> bool {
        if self.every == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        let due = self.left == 0;
        if due {
            self.draw();
        }
        due
    }

    /// Draws the next distance, between 0.5 and 1.5 times `every`, by xorshift.
    fn draw(&mut self) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let every = u64::from(self.every);
        let left = every / 2 + self.random % every.max(1) + 1;
        self.left = u32::try_from(left).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::Sampler;

    #[test]
    fn selects_the_right_share_at_random_distances() {
        let mut sampler = Sampler::new(100);
        let mut due = Vec::new();
        for hit in 0..100_000 {
            let announced = sampler.is_due_next();
            assert_eq!(sampler.is_due(), announced);
            due.extend(announced.then_some(hit));
        }
        assert!((800..1_250).contains(&due.len()), "{}", due.len());
        let first = due[1] - due[0];
        assert!(due.windows(2).any(|pair| pair[1] - pair[0] != first));
        let mut off = Sampler::new(0);
        assert!((0..100_000).all(|_| !off.is_due_next() && !off.is_due()));
        let mut always = Sampler::new(1);
        assert!((0..100).all(|_| always.is_due_next() && always.is_due()));
    }
}
