//! When certificates are renewed, and when what has failed is tried again.
//!
//! `random` is a number from 0 to 1, so that gateways which started together do
//! not ask together. Times are in seconds since 1970.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: i64 = 24 * 60 * 60;

/// A certificate that lives shorter is renewed after half of its life, because a
/// third of it leaves too little time to notice that renewal fails.
const SHORT_LIVED: i64 = 10 * DAY;

/// How often an authority is asked when to renew, unless it says how often.
const ASK_AGAIN: Duration = Duration::from_secs(6 * HOUR);
/// An authority may want to be asked more or less often, but within these bounds:
/// RFC 9773, section 4.3.2, and at least twice a day.
const ASK_BOUNDS: (Duration, Duration) =
    (Duration::from_secs(MINUTE), Duration::from_secs(12 * HOUR));

/// The time in which an authority wants a certificate to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Window {
    /// Its first second.
    pub start: i64,
    /// Its last second.
    pub end: i64,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// Its first second.
    pub(crate) from: i64,
    /// Its last second.
    pub(crate) until: i64,
}

impl Life {
    /// How long it is valid.
    pub(crate) fn length(self) -> i64 {
        (self.until - self.from).max(1)
    }

    /// The moment of renewal if the authority does not say: when a third of the life
    /// is left, or half of a short one, and up to a fiftieth earlier.
    pub(crate) fn renewal(self, random: f64) -> i64 {
        let left = match self.length() < SHORT_LIVED {
            true => self.length() / 2,
            false => self.length() / 3,
        };
        self.until - left - share(self.length() / 50, random)
    }

    /// The moment of renewal in the window of the authority. A window that is over, or
    /// that has begun, means now (RFC 9773, section 4.2). One that leaves too little of the
    /// life, or nothing, does not count.
    pub(crate) fn renewal_within(self, window: Window, random: f64) -> i64 {
        let wanted = window.start + share(window.end - window.start, random);
        wanted.min(self.until - self.length() / 20)
    }

    /// Whether so little is left that the authority's wishes no longer count: a
    /// twentieth.
    pub(crate) fn is_late(self, now: i64) -> bool {
        self.until - now < self.length() / 20
    }

    /// Whether so little is left that somebody has to be told: a fifth, or a tenth of
    /// a short life.
    pub(crate) fn is_alarming(self, now: i64) -> bool {
        let share = if self.length() < SHORT_LIVED { 10 } else { 5 };
        self.until - now < self.length() / share
    }

    /// Whether it is over.
    pub(crate) fn is_over(self, now: i64) -> bool {
        now > self.until
    }
}

/// A share of an amount.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "seconds of this era are exact"
)]
fn share(amount: i64, random: f64) -> i64 {
    (amount.max(0) as f64 * random.clamp(0.0, 1.0)) as i64
}

/// How long to wait after this many failures in a row: from a minute to six hours,
/// and up to a quarter less.
pub(crate) fn backoff(failures: u32, random: f64) -> Duration {
    let steps = [1, 2, 5, 10, 20, 30, 60, 120, 180, 360].map(|minutes| minutes * MINUTE);
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let longest = steps.last().copied().unwrap_or(HOUR);
    let seconds = steps.get(index).copied().unwrap_or(longest);
    Duration::from_secs(seconds).mul_f64(1.0 - 0.25 * random.clamp(0.0, 1.0))
}

/// When to ask the authority again when to renew. `wanted` is what it says.
pub(crate) fn ask_again(wanted: Option<Duration>) -> Duration {
    let (least, most) = ASK_BOUNDS;
    wanted.unwrap_or(ASK_AGAIN).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(days: i64) -> Life {
        Life {
            from: 0,
            until: days * DAY,
        }
    }

    #[test]
    fn a_third_or_half_of_the_life_is_left() {
        assert_eq!(life(90).renewal(0.0), 60 * DAY);
        assert_eq!(life(6).renewal(0.0), 3 * DAY);
        let earliest = life(90).renewal(1.0);
        assert!((58 * DAY..60 * DAY).contains(&earliest), "{earliest}");
    }

    #[test]
    fn within_the_window_of_the_authority() {
        let window = Window {
            start: 1000,
            end: 2000,
        };
        assert_eq!(life(90).renewal_within(window, 0.0), 1000);
        assert_eq!(life(90).renewal_within(window, 0.5), 1500);
        let reversed = Window {
            start: 1000,
            end: 0,
        };
        assert_eq!(life(90).renewal_within(reversed, 0.5), 1000);
        // It would expire before.
        let late = Window {
            start: 90 * DAY,
            end: 2_000_000 * DAY,
        };
        assert_eq!(life(100).renewal_within(late, 0.5), 95 * DAY);
    }

    #[test]
    fn how_much_is_left() {
        let life = life(100);
        assert!(!life.is_alarming(79 * DAY) && life.is_alarming(81 * DAY));
        assert!(!life.is_late(94 * DAY) && life.is_late(96 * DAY));
        assert!(!life.is_over(100 * DAY) && life.is_over(100 * DAY + 1));
    }

    #[test]
    fn waits_grow_to_six_hours() {
        let waits = [1, 2, 3, 9, 10, 100].map(|failures| backoff(failures, 0.0).as_secs() / 60);
        assert_eq!(waits, [1, 2, 5, 180, 360, 360]);
        assert_eq!(backoff(1, 1.0).as_secs(), 45);
        assert_eq!(backoff(0, 0.0).as_secs(), 60);
    }

    #[test]
    fn the_authority_is_asked_at_least_twice_a_day() {
        let hours = |wanted: Option<u64>| ask_again(wanted.map(Duration::from_secs)).as_secs();
        assert_eq!(hours(None), 6 * HOUR);
        assert_eq!(hours(Some(0)), MINUTE);
        assert_eq!(hours(Some(48 * HOUR)), 12 * HOUR);
        assert_eq!(hours(Some(3 * HOUR)), 3 * HOUR);
    }
}
