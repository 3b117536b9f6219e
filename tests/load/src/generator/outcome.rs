//! What a contender did with the requests that it was sent.

use std::fmt;
use std::time::Duration;

/// Why a request counts as failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// No connection could be made for it.
    Connect,
    /// The connection ended before a byte of the response came.
    Reset,
    /// The connection ended within the response.
    Truncated,
    /// The response was no HTTP, or its length was not to be known.
    Malformed,
    /// The status was not 200.
    Status,
    /// The body was not as long as it is known to be.
    Length,
    /// The content coding was not the one that is known.
    Coding,
    /// No whole response came within the time left to stragglers.
    TimedOut,
}

impl Failure {
    const ALL: [Self; 8] = [
        Self::Connect,
        Self::Reset,
        Self::Truncated,
        Self::Malformed,
        Self::Status,
        Self::Length,
        Self::Coding,
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
            Self::TimedOut => "timed out",
        }
    }
}

/// Counts of one contender in one run.
#[derive(Clone, Default, Debug)]
pub(crate) struct Outcome {
    /// Responses that were whole and right.
    pub(crate) answered: u64,
    /// Requests that were due but never sent, for want of a free connection:
    /// a sign that the rate is above what the contender or the machine bears.
    pub(crate) unsent: u64,
    /// Idle connections that the contender closed, which is its right.
    pub(crate) closed_idle: u64,
    failures: Vec<Failure>,
    latencies: Vec<u32>,
}

impl Outcome {
    pub(super) fn answer(&mut self, latency: Duration) {
        self.answered += 1;
        let micros = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        self.latencies.push(micros);
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// Requests that failed, of whatever kind.
    pub(crate) fn failed(&self) -> u64 {
        self.failures.len() as u64
    }

    /// Adds another run of the same contender.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        self.unsent += other.unsent;
        self.closed_idle += other.closed_idle;
        self.failures.extend_from_slice(&other.failures);
        self.latencies.extend_from_slice(&other.latencies);
        self.latencies.sort_unstable();
    }

    /// The latency in microseconds that `share` (0 to 1) of the requests did
    /// not exceed, counted from when each was due; 0 if none was answered.
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

impl fmt::Display for Outcome {
    /// The failures by kind, for a table's cell; `0` without any.
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
