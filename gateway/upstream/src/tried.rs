//! A set of endpoints of one upstream.

/// The endpoints to which one request has already been sent, as indexes into
/// the upstream's members.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    low: u64,
    /// Bits for indexes from 64 on; rarely needed, and not allocated until
    /// then.
    high: Vec<u64>,
}

impl Tried {
    /// No endpoint was tried yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Marks the endpoint with this index as tried.
    pub fn insert(&mut self, index: usize) {
        let bit = 1 << (index % 64);
        match (index / 64).checked_sub(1) {
            None => self.low |= bit,
            Some(word) => {
                if self.high.len() <= word {
                    self.high.resize(word + 1, 0);
                }
                if let Some(word) = self.high.get_mut(word) {
                    *word |= bit;
                }
            }
        }
    }

    /// Whether the endpoint with this index was tried.
    pub fn contains(&self, index: usize) -> bool {
        let word = match (index / 64).checked_sub(1) {
            None => self.low,
            Some(word) => self.high.get(word).copied().unwrap_or_default(),
        };
        word & 1 << (index % 64) != 0
    }

    /// How many endpoints were tried.
    pub fn count(&self) -> u32 {
        self.low.count_ones() + self.high.iter().map(|word| word.count_ones()).sum::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::Tried;

    #[test]
    fn tried_holds_any_number() {
        let mut tried = Tried::new();
        let places = [0, 3, 63, 64, 200];
        for place in places {
            assert!(!tried.contains(place));
            tried.insert(place);
            tried.insert(place);
        }
        let found: Vec<usize> = (0..300).filter(|&i| tried.contains(i)).collect();
        assert_eq!(found, places);
        assert_eq!(tried.count(), 5);
    }
}
