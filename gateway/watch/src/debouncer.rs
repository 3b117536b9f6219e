//! When a series of events is over.
//!
//! A change is a series: an editor writes another file and renames it, `cp` writes piece by
//! piece, and a renewal replaces the certificate and then its key. What is read in between is
//! half of it. So nothing is read until all files have been quiet for a while; and a file that
//! is being written is not quiet until it is closed, however slowly its bytes arrive.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long all files must be quiet.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// How long a file that was written to and not closed must be quiet: its writer may keep it
/// open for ever.
pub(crate) const UNCLOSED: Duration = Duration::from_secs(5);

/// What has happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It was written to, or made, and is still open.
    Writing,
    /// It was closed by its writer, renamed, linked or removed.
    Settled,
    /// Its owner, mode or time has changed.
    Attributes,
}

/// Collects signs until they have ended. Takes the time as an argument.
#[derive(Debug, Default)]
pub(crate) struct Debouncer {
    /// When each file counts as quiet.
    quiet_at: HashMap<PathBuf, Instant>,
    /// How long files are waited for that are never quiet; none for ever.
    most: Option<Duration>,
    /// When the first of the signs was noted.
    since: Option<Instant>,
}

impl Debouncer {
    /// One that waits no longer than this, if given.
    pub(crate) fn new(most: Option<Duration>) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Takes note of a sign.
    pub(crate) fn note(&mut self, path: PathBuf, sign: Sign, now: Instant) {
        self.since.get_or_insert(now);
        let known = self.quiet_at.get(&path).copied();
        let quiet_at = match sign {
            Sign::Writing => now + UNCLOSED,
            Sign::Settled => now + QUIET,
            // `cp -p` sets the time of a file that it has not closed yet.
            Sign::Attributes => known.map_or(now + QUIET, |known| known.max(now + QUIET)),
        };
        self.quiet_at.insert(path, quiet_at);
    }

    /// When the files will be quiet, if nothing else happens; none if nothing has happened.
    pub(crate) fn due(&self) -> Option<Instant> {
        let quiet_at = self.quiet_at.values().copied().max()?;
        let latest = self.most.and_then(|most| Some(self.since? + most));
        Some(latest.map_or(quiet_at, |latest| quiet_at.min(latest)))
    }

    /// Whether the files are quiet after something has happened. If so, it begins anew.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            self.quiet_at.clear();
            self.since = None;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes signs, each at a time in milliseconds, and returns when they are over.
    fn over_at(signs: &[(u64, &str, Sign)]) -> u64 {
        let begin = Instant::now();
        let mut debouncer = Debouncer::default();
        for (at, path, sign) in signs {
            let now = begin + Duration::from_millis(*at);
            assert!(!debouncer.take(now), "over before {at}: {signs:?}");
            debouncer.note(path.into(), *sign, now);
        }
        let due = debouncer.due().unwrap();
        assert!(!debouncer.take(due - Duration::from_nanos(1)));
        assert!(debouncer.take(due));
        assert_eq!(debouncer.due(), None, "it begins anew");
        u64::try_from((due - begin).as_millis()).unwrap()
    }

    #[test]
    fn files_that_are_never_quiet_are_not_waited_for_longer_than_allowed() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut debouncer = Debouncer::new(Some(Duration::from_secs(1)));
        for ms in (0..=900).step_by(100) {
            debouncer.note("a".into(), Sign::Settled, at(ms));
            assert!(!debouncer.take(at(ms)));
        }
        assert!(debouncer.take(at(1_000)));
        debouncer.note("a".into(), Sign::Settled, at(1_100));
        assert_eq!(debouncer.due(), Some(at(1_400)), "it begins anew");
    }

    #[test]
    fn nothing_happens_by_itself() {
        let mut debouncer = Debouncer::default();
        assert_eq!(debouncer.due(), None);
        assert!(!debouncer.take(Instant::now() + Duration::from_secs(3600)));
    }

    #[test]
    fn a_series_is_over_when_all_files_are_quiet() {
        use Sign::{Attributes, Settled, Writing};
        for (what, signs, expected) in [
            ("a rename", [(0, "a", Settled)].as_slice(), 300),
            (
                "a certificate and its key",
                &[(0, "crt", Settled), (250, "key", Settled)],
                550,
            ),
            (
                "a written file",
                &[(0, "a", Writing), (1, "a", Writing), (2, "a", Settled)],
                302,
            ),
            (
                "a slowly written file, whose writer stalls",
                &[
                    (0, "a", Writing),
                    (4000, "a", Writing),
                    (8000, "a", Settled),
                ],
                8300,
            ),
            (
                "a file that stays open",
                &[(0, "a", Writing), (100, "b", Settled)],
                5000,
            ),
            ("a mode", &[(0, "a", Attributes)], 300),
            (
                "a time that is set before the file is closed",
                &[(0, "a", Writing), (10, "a", Attributes)],
                5000,
            ),
            (
                "a time that is set after the file is closed",
                &[(0, "a", Writing), (5, "a", Settled), (10, "a", Attributes)],
                310,
            ),
        ] {
            assert_eq!(over_at(signs), expected, "{what}");
        }
    }
}
