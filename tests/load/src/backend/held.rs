//! Answers of slow endpoints, which are held back for a while.

use std::collections::VecDeque;
use std::time::Instant;

use rustix::event::Timespec;

/// The connections with such an answer. All are held back for the same time, so that the first one
/// is always due first.
#[derive(Default)]
pub(super) struct Held(VecDeque<(Instant, usize)>);

impl Held {
    /// A connection has one, until then.
    pub(super) fn push(&mut self, due: Instant, slot: usize) {
        self.0.push_back((due, slot));
    }

    /// The next connection whose time has come. It may be gone meanwhile, and another one may have
    /// its slot.
    pub(super) fn due(&mut self, now: Instant) -> Option<usize> {
        let (due, slot) = *self.0.front()?;
        (due <= now).then(|| {
            self.0.pop_front();
            slot
        })
    }

    /// The time until the first one is due; `None` if there is none.
    pub(super) fn patience(&self, now: Instant) -> Option<Timespec> {
        let (due, _) = self.0.front()?;
        Timespec::try_from(due.saturating_duration_since(now)).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_is_due_at_its_time() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut held = Held::default();
        assert!(held.patience(start).is_none() && held.due(start).is_none());
        held.push(at(20), 7);
        held.push(at(25), 8);
        assert!(
            held.patience(start)
                .is_some_and(|it| it.tv_nsec == 20_000_000)
        );
        assert_eq!(held.due(at(19)), None);
        assert_eq!(held.due(at(25)), Some(7));
        assert_eq!(held.due(at(25)), Some(8));
        assert_eq!(held.due(at(99)), None);
    }
}
