//! How often an authority is asked for certificates: a fleet of sites that is new, or
//! fails all at once, must not look like an attack.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// This many orders are begun within this time.
const ORDERS: usize = 10;
const TIME: Duration = Duration::from_secs(10);
/// How many orders are in progress at once. One authority that does not answer must not keep
/// others from being asked.
const AT_ONCE: usize = 10;

/// The orders of all authorities.
#[derive(Debug, Default)]
pub(crate) struct Budgets(HashMap<String, Budget>);

/// The orders of one authority.
#[derive(Debug, Default)]
struct Budget {
    begun: VecDeque<Instant>,
    in_progress: usize,
}

impl Budgets {
    /// Begins an order if that is allowed now. [`Self::end`] ends it.
    pub(crate) fn begin(&mut self, authority: &str, now: Instant) -> bool {
        let budget = self.of(authority);
        let begun = &mut budget.begun;
        while begun
            .front()
            .is_some_and(|&one| now.duration_since(one) >= TIME)
        {
            begun.pop_front();
        }
        if budget.in_progress >= AT_ONCE || begun.len() >= ORDERS {
            return false;
        }
        begun.push_back(now);
        budget.in_progress += 1;
        true
    }

    /// Begins an order that an operator asked for.
    pub(crate) fn begin_forced(&mut self, authority: &str) {
        self.of(authority).in_progress += 1;
    }

    pub(crate) fn end(&mut self, authority: &str) {
        let budget = self.of(authority);
        budget.in_progress = budget.in_progress.saturating_sub(1);
    }

    fn of(&mut self, authority: &str) -> &mut Budget {
        self.0.entry(authority.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_ten_seconds_for_each_authority() {
        let mut budgets = Budgets::default();
        let now = Instant::now();
        let mut begin = |authority, now| {
            let begun = budgets.begin(authority, now);
            if begun {
                budgets.end(authority);
            }
            begun
        };
        assert!((0..ORDERS).all(|_| begin("a", now)));
        assert!(!begin("a", now + Duration::from_secs(9)));
        assert!(begin("b", now));
        assert!(begin("a", now + TIME));
    }

    #[test]
    fn ten_at_once() {
        let mut budgets = Budgets::default();
        let now = Instant::now();
        assert!((0..AT_ONCE).all(|_| budgets.begin("a", now)));
        assert!(!budgets.begin("a", now + TIME));
        // Another is not held up by one that does not answer.
        assert!(budgets.begin("b", now));
        budgets.end("a");
        assert!(budgets.begin("a", now + TIME));
    }
}
