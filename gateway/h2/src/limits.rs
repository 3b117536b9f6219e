//! The limits that bound what abuse costs.

use crate::abuse::Abuse;

/// How much of each kind of abuse is tolerated. The rates are per [`Self::window_ms`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The window in which frames are counted, in milliseconds; 1,000.
    pub window_ms: u64,
    /// `RST_STREAM` frames; 300.
    pub resets: u32,
    /// `RST_STREAM` frames for streams whose response has not begun; 150. A browser that leaves
    /// a page cancels all of its streams at once, so this is above
    /// [`Settings::max_concurrent_streams`](crate::Settings::max_concurrent_streams).
    pub rapid_resets: u32,
    /// Resets that the client provokes by violations; 100.
    pub provoked_resets: u32,
    /// `CONTINUATION` frames of one field section; 20.
    pub continuations: u32,
    /// Bytes of one encoded field section; 65,536. A section above it cannot be decoded, and so
    /// ends the connection; one whose decoded list is too large is merely refused.
    pub header_block: usize,
    /// Bytes that a field section may unpack to; 262,144. A section above it is not decoded to its
    /// end, and so ends the connection.
    pub unpacked_head: usize,
    /// `HEADERS` and `CONTINUATION` frames without content; 20.
    pub empty_headers: u32,
    /// Heads above the limits of size or fields; 50.
    pub large_heads: u32,
    /// `DATA` frames without content; 100.
    pub empty_data: u32,
    /// `SETTINGS` frames; 50.
    pub settings: u32,
    /// `PING` frames; 100.
    pub pings: u32,
    /// `PRIORITY` and `PRIORITY_UPDATE` frames; 250.
    pub priorities: u32,
    /// `WINDOW_UPDATE` frames beyond two for each data frame sent; 250: two for each stream of a
    /// client that opens its windows before the response begins.
    pub window_updates: u32,
    /// Closed windows that the client opens by less than 64 bytes; 100.
    pub tiny_windows: u32,
    /// Frames of unknown types; 100.
    pub unknown_frames: u32,
    /// Frames on streams that have ended; 1,000: data of an upload that the gateway has
    /// refused is still on its way.
    pub closed_frames: u32,
    /// Refused streams; 1,000: a client may open any number before it knows the limit.
    pub refused: u32,
    /// How long data may wait for a window of the client, in milliseconds; 30,000. Then the
    /// stream is reset.
    pub stall_ms: u64,
    /// How long a field section, or another frame besides `DATA`, may be incomplete, in
    /// milliseconds; 10,000.
    pub head_ms: u64,
    /// How long the client may take to acknowledge our settings, in milliseconds; 10,000.
    pub settings_ack_ms: u64,
    /// How many requests a connection may bring before it is asked to end (`GOAWAY`); 100,000.
    pub max_requests: u32,
    /// How many resets it may bring before that; 10,000.
    pub max_resets: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window_ms: 1_000,
            resets: 300,
            rapid_resets: 150,
            provoked_resets: 100,
            continuations: 20,
            header_block: 64 * 1024,
            unpacked_head: 256 * 1024,
            empty_headers: 20,
            large_heads: 50,
            empty_data: 100,
            settings: 50,
            pings: 100,
            priorities: 250,
            window_updates: 250,
            tiny_windows: 100,
            unknown_frames: 100,
            closed_frames: 1_000,
            refused: 1_000,
            stall_ms: 30_000,
            head_ms: 10_000,
            settings_ack_ms: 10_000,
            max_requests: 100_000,
            max_resets: 10_000,
        }
    }
}

impl Limits {
    /// How often a kind of abuse may be counted in a window. Those that are limited otherwise
    /// have no such limit.
    pub(crate) fn of(&self, abuse: Abuse) -> u32 {
        match abuse {
            Abuse::Resets => self.resets,
            Abuse::RapidResets => self.rapid_resets,
            Abuse::ProvokedResets => self.provoked_resets,
            Abuse::EmptyHeaders => self.empty_headers,
            Abuse::LargeHeads => self.large_heads,
            Abuse::EmptyData => self.empty_data,
            Abuse::Settings => self.settings,
            Abuse::Pings => self.pings,
            Abuse::Priorities => self.priorities,
            Abuse::WindowUpdates => self.window_updates,
            Abuse::TinyWindows => self.tiny_windows,
            Abuse::UnknownFrames => self.unknown_frames,
            Abuse::ClosedFrames => self.closed_frames,
            Abuse::Refused => self.refused,
            Abuse::Continuations
            | Abuse::HeaderBlock
            | Abuse::UnpackedHead
            | Abuse::SlowHead
            | Abuse::Stalls => u32::MAX,
        }
    }
}
