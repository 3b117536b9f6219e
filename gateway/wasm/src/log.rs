//! The output of policies: `log`, stdout and stderr go to the gateway's log.
//!
//! A line is truncated at 4,096 bytes. A policy may write 100 lines at once and 20 a second,
//! over all of its instances: whoever makes it trap has it say so in a new one each time.
//! Further lines are dropped, and their number is logged with the next line. Lines are passed to `tracing`; the binary installs a subscriber that does
//! not block. They begin with "the policy says", so that they are not taken for lines of the
//! gateway, and control characters in them are escaped.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

use crate::said::said;

/// The maximum length of a line, in bytes.
const MAX_LINE: usize = 4_096;
/// The maximum length of the last output, in bytes.
const MAX_LAST: usize = 512;
/// Lines that a policy may write at once.
const BURST: u32 = 100;
/// After a burst, one line is allowed in each interval.
const REFILL_INTERVAL: Duration = Duration::from_millis(50);

/// Who speaks: a policy, or a component that is asked what it is. All instances in which a
/// policy is configured share it.
#[derive(Debug)]
pub(crate) struct Speaker {
    name: Arc<str>,
    rate: Mutex<Rate>,
}

impl Speaker {
    pub(crate) fn new(name: Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            name,
            rate: Mutex::new(Rate::new(Instant::now())),
        })
    }

    /// Admits a line; see [`Rate::admit`].
    fn admit(&self) -> Option<u64> {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.admit(Instant::now())
    }
}

/// The log of one instance. Shared by its store and its streams.
#[derive(Debug, Clone)]
pub(crate) struct LineLog(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    /// The policy that is being called, or the component.
    speaker: Arc<Speaker>,
    /// The unfinished line of stdout or stderr.
    partial: Vec<u8>,
    /// The first output on stdout or stderr since it was taken last: after a trap, the panic
    /// message.
    last: String,
}

impl LineLog {
    pub(crate) fn new(speaker: Arc<Speaker>) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            speaker,
            partial: Vec::new(),
            last: String::new(),
        })))
    }

    /// Sets who speaks from now on.
    pub(crate) fn log_as(&self, speaker: &Arc<Speaker>) {
        self.lines().speaker = Arc::clone(speaker);
    }

    /// Logs a line written through the contract's `log`.
    pub(crate) fn line(&self, level: Level, message: &str) {
        self.lines().say(level, message);
    }

    /// Logs bytes written to stdout or stderr, line by line.
    pub(crate) fn write(&self, bytes: &[u8]) {
        let mut lines = self.lines();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            // Truncated before the line ends, so that a line without an end takes no
            // memory.
            let room = MAX_LINE.saturating_sub(lines.partial.len());
            lines.partial.extend(text.iter().take(room).copied());
            if ended {
                lines.flush();
            }
        }
    }

    /// Logs the unfinished line: after a trap, nothing follows it.
    pub(crate) fn finish(&self) {
        self.lines().flush();
    }

    /// Takes the last output, for the description of a trap in which no request is involved.
    pub(crate) fn take_last(&self) -> String {
        std::mem::take(&mut self.lines().last)
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn flush(&mut self) {
        let text = String::from_utf8_lossy(&self.partial).trim_end().to_owned();
        self.partial.clear();
        if !text.is_empty() {
            self.say(Level::INFO, &text);
            // Skips the note about backtraces that follows a panic message.
            if !text.starts_with("note: ") && self.last.len() < MAX_LAST {
                let space = if self.last.is_empty() { "" } else { " " };
                self.last.push_str(space);
                let room = MAX_LAST.saturating_sub(self.last.len());
                self.last.push_str(&said(&text, room));
            }
        }
    }

    fn say(&mut self, level: Level, message: &str) {
        let Some(suppressed) = self.speaker.admit() else {
            return;
        };
        let message = said(message, MAX_LINE);
        let policy = &*self.speaker.name;
        if suppressed > 0 {
            tracing::warn!(
                policy,
                suppressed,
                "the policy wrote too many log lines; some were dropped"
            );
        }
        match level {
            Level::ERROR => tracing::error!(policy, "the policy says: {message}"),
            Level::WARN => tracing::warn!(policy, "the policy says: {message}"),
            Level::INFO => tracing::info!(policy, "the policy says: {message}"),
            _ => tracing::debug!(policy, "the policy says: {message}"),
        }
    }
}

/// Limits the rate of lines, as a token bucket.
#[derive(Debug)]
struct Rate {
    tokens: u32,
    filled: Instant,
    suppressed: u64,
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self {
            tokens: BURST,
            filled: now,
            suppressed: 0,
        }
    }

    /// Admits a line and returns how many were dropped before it. `None` if this one
    /// is dropped too.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.filled);
        let back =
            u32::try_from(passed.as_millis() / REFILL_INTERVAL.as_millis()).unwrap_or(u32::MAX);
        if back > 0 {
            self.tokens = self.tokens.saturating_add(back).min(BURST);
            self.filled = now;
        }
        if self.tokens == 0 {
            self.suppressed += 1;
            return None;
        }
        self.tokens -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_off_and_counted() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        let said = (0..1_000).filter(|_| rate.admit(start).is_some()).count();
        assert_eq!(said, 100);
        assert_eq!(rate.admit(start + Duration::from_millis(50)), Some(900));
        assert_eq!(rate.admit(start + Duration::from_millis(50)), None);
    }

    #[test]
    fn all_instances_of_a_policy_share_its_rate() {
        let speaker = Speaker::new("test".into());
        let logs = [0; 3].map(|_| LineLog::new(Arc::clone(&speaker)));
        for _ in 0..BURST {
            logs.iter().for_each(|log| log.line(Level::INFO, "x"));
        }
        let rate = speaker.rate.lock().unwrap();
        assert!(rate.suppressed > u64::from(BURST), "{rate:?}");
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory() {
        let log = LineLog::new(Speaker::new("test".into()));
        for _ in 0..100 {
            log.write(&[b'x'; 1_000]);
        }
        assert!(log.lines().partial.len() <= MAX_LINE);
        log.write(b"\npanicked at src/lib.rs\nnote: run with RUST_BACKTRACE\n");
        assert_eq!(log.take_last().len(), MAX_LAST);
        log.write(b"panicked at src/lib.rs:1\nnote: run with RUST_BACKTRACE\n");
        assert_eq!(log.take_last(), "panicked at src/lib.rs:1");
    }
}
