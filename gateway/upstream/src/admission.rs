//! Whether an endpoint gets requests, and until when that holds.

/// Whether an endpoint gets requests. See [`crate::Upstream::admission`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Which requests it gets.
    pub entry: Entry,
    /// When this changes by the passing of time alone, in milliseconds on the caller's clock;
    /// `u64::MAX` if it does not. Every other change is announced by [`crate::Group::change`].
    pub until_ms: u64,
}

/// Which requests an endpoint gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// All.
    Open,
    /// One, which shows whether the endpoint works again.
    Probe,
    /// Only those of its own sessions: it is to become idle.
    Sessions,
    /// Those for which no other endpoint is left: a wrong conclusion about health must not take
    /// a whole upstream down.
    LastResort,
    /// None.
    Closed,
}

impl Admission {
    /// It gets all requests, until somebody says otherwise.
    pub(crate) const OPEN: Self = Self::for_good(Entry::Open);

    /// This entry, until somebody says otherwise.
    pub(crate) const fn for_good(entry: Entry) -> Self {
        Self {
            entry,
            until_ms: u64::MAX,
        }
    }
}

impl Entry {
    /// Whether requests may be sent to it although they belong to no session, and although
    /// there are other endpoints.
    pub fn is_eligible(self) -> bool {
        matches!(self, Self::Open | Self::Probe)
    }
}
