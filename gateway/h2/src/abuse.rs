//! What a client may do only so often.
//!
//! Each kind of abuse has a limit and a counter of its own. Rates are counted in windows of
//! time: a healthy client stays far below each, and one that exceeds a limit loses its
//! connection (`ENHANCE_YOUR_CALM`), so that its abuse costs at most a window's worth.

use crate::error::ConnectionError;
use crate::limits::Limits;

macro_rules! abuses {
    ($($(#[$doc:meta])* $variant:ident $name:literal)*) => {
        /// A kind of abuse.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Abuse { $($(#[$doc])* $variant),* }

        impl Abuse {
            /// All kinds.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// The word in logs and metrics.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

abuses! {
    /// `RST_STREAM` frames from the client.
    Resets "resets"
    /// Those for a stream whose response had not begun (CVE-2023-44487).
    RapidResets "rapid_resets"
    /// Resets that the client provoked by violations (CVE-2025-8671).
    ProvokedResets "provoked_resets"
    /// `CONTINUATION` frames of one field section (CVE-2024-27316).
    Continuations "continuations"
    /// Bytes of one encoded field section.
    HeaderBlock "header_block"
    /// `HEADERS` and `CONTINUATION` frames that carry nothing and end nothing.
    EmptyHeaders "empty_headers"
    /// A field section that is not complete in time.
    SlowHead "slow_head"
    /// Field sections that unpack to far more than a head may have (CVE-2026-49975).
    UnpackedHead "unpacked_head"
    /// Heads above the limits of size or fields, after they were decoded.
    LargeHeads "large_heads"
    /// `DATA` frames that carry nothing and end nothing (CVE-2019-9518).
    EmptyData "empty_data"
    /// `SETTINGS` frames (CVE-2019-9515).
    Settings "settings"
    /// `PING` frames (CVE-2019-9512).
    Pings "pings"
    /// `PRIORITY` and `PRIORITY_UPDATE` frames (CVE-2019-9513).
    Priorities "priorities"
    /// `WINDOW_UPDATE` frames beyond what the data sent accounts for.
    WindowUpdates "window_updates"
    /// Closed windows that the client opens by a few bytes (CVE-2019-9511).
    TinyWindows "tiny_windows"
    /// Frames of unknown types.
    UnknownFrames "unknown_frames"
    /// Frames on streams that have ended.
    ClosedFrames "closed_frames"
    /// Streams above the limit of concurrent streams.
    Refused "refused"
    /// Streams whose data waited too long for a window.
    Stalls "stalls"
}

const COUNT: usize = Abuse::ALL.len();

/// The counters of one connection.
#[derive(Debug)]
pub(crate) struct Abuses {
    /// When the window began, in milliseconds.
    since: u64,
    in_window: [u32; COUNT],
    /// What [`Self::take`] has not reported yet.
    unreported: [u32; COUNT],
}

impl Abuses {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            since: now,
            in_window: [0; COUNT],
            unreported: [0; COUNT],
        }
    }

    /// Counts one.
    ///
    /// # Errors
    /// The limit of this kind is exceeded.
    pub(crate) fn count(
        &mut self,
        abuse: Abuse,
        now: u64,
        limits: &Limits,
    ) -> Result<(), ConnectionError> {
        if now.saturating_sub(self.since) >= limits.window_ms {
            self.since = now;
            self.in_window = [0; COUNT];
        }
        self.note(abuse);
        let Some(count) = self.in_window.get_mut(abuse as usize) else {
            return Ok(());
        };
        *count = count.saturating_add(1);
        if *count > limits.of(abuse) {
            return Err(ConnectionError::Abuse(abuse));
        }
        Ok(())
    }

    /// Counts one for the report only.
    pub(crate) fn note(&mut self, abuse: Abuse) {
        if let Some(count) = self.unreported.get_mut(abuse as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Counts an abuse whose limit was exceeded elsewhere.
    pub(crate) fn noted(
        &mut self,
        result: Result<(), ConnectionError>,
    ) -> Result<(), ConnectionError> {
        if let Err(ConnectionError::Abuse(abuse)) = result {
            self.note(abuse);
        }
        result
    }

    /// What was counted since the last call, without zeros.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (Abuse, u32)> + use<> {
        let counts = std::mem::replace(&mut self.unreported, [0; COUNT]);
        let all = Abuse::ALL.into_iter().zip(counts);
        all.filter(|(_, count)| *count > 0)
    }
}
