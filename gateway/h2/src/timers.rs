//! What a connection waits for.

/// A timer that may be started where the time is not known: it runs from the next moment at
/// which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Timer {
    /// It does not run.
    #[default]
    Off,
    /// It has been started.
    Started,
    /// It ends at this moment, in milliseconds.
    Until(u64),
}

impl Timer {
    /// Starts the timer unless it runs; true if it did not.
    pub(crate) fn start(&mut self) -> bool {
        let is_new = *self == Self::Off;
        if is_new {
            *self = Self::Started;
        }
        is_new
    }

    /// When it ends. If it has only been started, it ends `span` milliseconds from now.
    pub(crate) fn end(&mut self, now: u64, span: u64) -> Option<u64> {
        if *self == Self::Started {
            *self = Self::Until(now.saturating_add(span));
        }
        match *self {
            Self::Until(end) => Some(end),
            _ => None,
        }
    }

    /// True, once, after it has ended.
    pub(crate) fn has_ended(&mut self, now: u64) -> bool {
        let has_ended = matches!(*self, Self::Until(end) if end <= now);
        if has_ended {
            *self = Self::Off;
        }
        has_ended
    }
}
