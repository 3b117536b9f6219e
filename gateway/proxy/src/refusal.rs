//! Why the gateway closes connections of clients, and how often the log tells.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// The least time between two messages with the same reason about one listener.
const INTERVAL_MS: u64 = 60_000;

/// Why a connection is closed: before its first request, or because of what its client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The listener has as many connections as it may.
    Limit,
    /// Its client has as many connections as it may.
    ClientConnections,
    /// Its client has opened too many connections in the last second.
    ClientRate,
    /// The PROXY header is missing or malformed.
    ProxyHeader,
    /// Its client has exceeded a limit of HTTP/2.
    Http2Abuse,
}

impl Refusal {
    pub(crate) const ALL: [Self; 5] = [
        Self::Limit,
        Self::ClientConnections,
        Self::ClientRate,
        Self::ProxyHeader,
        Self::Http2Abuse,
    ];

    /// The reason in metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::ClientConnections => "client_connections",
            Self::ClientRate => "client_rate",
            Self::ProxyHeader => "proxy_header",
            Self::Http2Abuse => "http2_abuse",
        }
    }
}

/// The messages about refused connections of a listener, by all workers: a flood of
/// connections must not become a flood of messages.
#[derive(Debug, Default)]
pub(crate) struct RefusalLog {
    /// By [`Refusal`].
    reasons: [Reason; Refusal::ALL.len()],
}

#[derive(Debug, Default)]
struct Reason {
    /// Refusals that no message has reported yet.
    unreported: AtomicU64,
    /// When the next message may be written.
    due_ms: AtomicU64,
}

impl RefusalLog {
    /// Records a refused connection. Returns how many have been refused for this reason since
    /// the last message, if it is time for another one.
    pub(crate) fn record(&self, refusal: Refusal, now_ms: u64) -> Option<u64> {
        let reason = self.reasons.get(refusal as usize)?;
        reason.unreported.fetch_add(1, Relaxed);
        let due_ms = reason.due_ms.load(Relaxed);
        let next_ms = now_ms.saturating_add(INTERVAL_MS);
        let is_due = now_ms >= due_ms
            && reason
                .due_ms
                .compare_exchange(due_ms, next_ms, Relaxed, Relaxed)
                .is_ok();
        is_due.then(|| reason.unreported.swap(0, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_a_minute_for_each_reason() {
        let log = RefusalLog::default();
        assert_eq!(log.record(Refusal::Limit, 7), Some(1));
        for now_ms in [8, 1_000, 60_006] {
            assert_eq!(log.record(Refusal::Limit, now_ms), None);
        }
        assert_eq!(log.record(Refusal::ClientRate, 60_006), Some(1));
        assert_eq!(log.record(Refusal::Limit, 60_007), Some(4));
        assert_eq!(log.record(Refusal::Limit, 60_008), None);
    }

    #[test]
    fn each_reason_has_its_place() {
        for (place, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, place);
        }
    }
}
