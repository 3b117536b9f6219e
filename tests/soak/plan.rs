//! How long a soak lasts, and how much it does at most.

use std::time::{Duration, Instant};

/// Where a soak ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    /// After this time.
    Time(Duration),
    /// After so many turns of the operator, and as many outages. How long that takes depends on
    /// the machine.
    Turns(usize),
}

/// The visits of a client in a second at most, which bounds requests and connections too. A
/// client that has done them waits for the end.
const VISITS_PER_SECOND: u64 = 50;

/// The visits of a client at least, so that a short soak has some of each sort.
pub(crate) const LEAST_VISITS: u64 = 4;

/// The pause of a client between two visits. It leaves processor time for what the visits are
/// disturbed by.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

impl Plan {
    /// Ends after so many turns.
    pub(crate) fn turns(turns: usize) -> Self {
        Self::Turns(turns)
    }

    /// Ends after the seconds in `JANUA_SOAK_SECONDS`, or ten minutes.
    pub(crate) fn seconds_of_environment() -> Self {
        let seconds = std::env::var("JANUA_SOAK_SECONDS").ok();
        let seconds = seconds.map_or(600, |text| {
            let number = text.parse().ok().filter(|seconds| *seconds > 0);
            number.unwrap_or_else(|| panic!("JANUA_SOAK_SECONDS is no number of seconds: {text}"))
        });
        Self::Time(Duration::from_secs(seconds))
    }

    /// Whether there is another turn after so many.
    pub(crate) fn goes_on(self, begin: Instant, turns: usize) -> bool {
        match self {
            Self::Time(time) => begin.elapsed() < time,
            Self::Turns(limit) => turns < limit,
        }
    }

    /// The visits of each client at most.
    pub(crate) fn visits(self) -> u64 {
        match self {
            Self::Time(time) => time.as_secs() * VISITS_PER_SECOND,
            Self::Turns(turns) => turns as u64 * 60 * VISITS_PER_SECOND,
        }
    }

    /// Whether memory is compared over time: a short soak ends before the allocator has settled.
    pub(crate) fn judges_memory(self) -> bool {
        matches!(self, Self::Time(_))
    }
}
