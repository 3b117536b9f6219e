//! The time on the clocks of a worker.

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use janua_wasm::Now;
use tokio::time::Instant;

/// A moment, on three clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    /// Milliseconds since the process began: the same on all workers.
    pub(crate) monotonic_ms: u64,
    pub(crate) unix_ms: u64,
}

impl Moment {
    fn read(origin: Instant, instant: Instant) -> Self {
        Self {
            instant,
            monotonic_ms: millis(instant.saturating_duration_since(origin)),
            unix_ms: unix_ms(),
        }
    }

    pub(crate) fn for_policies(self) -> Now {
        Now {
            monotonic_ms: self.monotonic_ms,
            unix_seconds: self.unix_ms / 1000,
        }
    }
}

/// The clock of a worker. The wall clock is read once a second; in between its time is
/// worked out from the monotonic clock, which saves a reading per request.
pub(crate) struct Clock {
    origin: Instant,
    /// When the wall clock was last read, on each of the three.
    base: Cell<Moment>,
    /// When the monotonic clock was last read.
    last: Cell<Instant>,
    date: RefCell<(u64, String)>,
}

impl Clock {
    /// `origin` is the same for all workers, so that their milliseconds agree.
    pub(crate) fn new(origin: Instant) -> Self {
        let base = Moment::read(origin, Instant::now());
        Self {
            base: Cell::new(base),
            last: Cell::new(base.instant),
            origin,
            date: RefCell::new((0, String::new())),
        }
    }

    /// When the clock was last read, for callers right behind a reading.
    pub(crate) fn last(&self) -> Instant {
        self.last.get()
    }

    /// Reads the clock.
    pub(crate) fn now(&self) -> Moment {
        let instant = Instant::now();
        self.last.set(instant);
        let base = self.base.get();
        let since = instant.saturating_duration_since(base.instant);
        if since >= Duration::from_secs(1) {
            let fresh = Moment::read(self.origin, instant);
            self.base.set(fresh);
            return fresh;
        }
        let since_ms = u64::from(since.subsec_millis());
        Moment {
            instant,
            monotonic_ms: base.monotonic_ms + since_ms,
            unix_ms: base.unix_ms + since_ms,
        }
    }

    /// Appends the moment in the format of `Date` (RFC 9110 §5.6.7), which is worked out
    /// once a second.
    pub(crate) fn write_date(&self, moment: Moment, out: &mut Vec<u8>) {
        let seconds = moment.unix_ms / 1000;
        let mut date = self.date.borrow_mut();
        if date.0 != seconds {
            *date = (
                seconds,
                httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)),
            );
        }
        out.extend_from_slice(date.1.as_bytes());
    }
}

fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, millis)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
