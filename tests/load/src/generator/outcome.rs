//! The outcome of the requests to a contender.

use std::fmt;
use std::time::{Duration, Instant};

/// Why a request counts as failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// No connection could be opened.
    Connect,
    /// The connection ended before the first byte of the response.
    Reset,
    /// The connection ended within the response.
    Truncated,
    /// The response was invalid, or its length could not be determined.
    Malformed,
    /// The status was not 200.
    Status,
    /// The body had not the expected length.
    Length,
    /// The content coding was not the expected one.
    Coding,
    /// The call had no status of gRPC, or another one than 0.
    Grpc,
    /// A message came back that was not the one that had been sent.
    Echo,
    /// The response was not complete in time after the end of the run.
    TimedOut,
}

impl Failure {
    const ALL: [Self; 10] = [
        Self::Connect,
        Self::Reset,
        Self::Truncated,
        Self::Malformed,
        Self::Status,
        Self::Length,
        Self::Coding,
        Self::Grpc,
        Self::Echo,
        Self::TimedOut,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::Status => "status",
            Self::Length => "length",
            Self::Coding => "coding",
            Self::Grpc => "grpc-status",
            Self::Echo => "echo",
            Self::TimedOut => "timed out",
        }
    }
}

/// Counts of one contender in one run.
#[derive(Clone, Default, Debug)]
pub(crate) struct Outcome {
    /// Complete and correct responses.
    pub(crate) answered: u64,
    /// Requests that were due but not sent, because no connection was free: the rate is too
    /// high for the contender or the machine.
    pub(crate) unsent: u64,
    /// Idle connections that the contender closed, which is no failure.
    pub(crate) closed_idle: u64,
    failures: Vec<Failure>,
    latencies: Vec<u32>,
}

impl Outcome {
    /// Counts a request that was due at this time.
    pub(super) fn note(&mut self, due: Instant, wrong: Option<Failure>) {
        match wrong {
            Some(failure) => self.fail(failure),
            None => self.answer(due.elapsed()),
        }
    }

    fn answer(&mut self, latency: Duration) {
        self.answered += 1;
        let micros = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        self.latencies.push(micros);
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// Failed requests of all kinds.
    pub(crate) fn failed(&self) -> u64 {
        self.failures.len() as u64
    }

    /// Adds the outcome of another run of the same contender.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        self.unsent += other.unsent;
        self.closed_idle += other.closed_idle;
        self.failures.extend_from_slice(&other.failures);
        self.latencies.extend_from_slice(&other.latencies);
        self.latencies.sort_unstable();
    }

    /// The latency percentile for `share` (0 to 1) in microseconds, counted from the time
    /// when each request was due; 0 if none was answered.
    pub(crate) fn latency(&self, share: f64) -> u32 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() as f64 * share).ceil() as usize;
        sorted
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

impl Outcome {
    /// The share of right answers whose latency was at least this, 0 to 1.
    pub(crate) fn share_from(&self, micros: u32) -> f64 {
        let slow = self.latencies.iter().filter(|one| **one >= micros).count();
        slow as f64 / self.latencies.len().max(1) as f64
    }
}

impl fmt::Display for Outcome {
    /// The failures by kind, for the cell of a table; `0` if there are none.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failures.is_empty() {
            return formatter.write_str("0");
        }
        let mut separator = "";
        for kind in Failure::ALL {
            let count = self.failures.iter().filter(|one| **one == kind).count();
            if count > 0 {
                write!(formatter, "{separator}{count} {}", kind.word())?;
                separator = ", ";
            }
        }
        Ok(())
    }
}
