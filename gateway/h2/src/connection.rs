//! A connection: all of its state, and what its own task does with it.

mod accept;
mod control;
mod data;
mod ending;
mod receive;
mod respond;
mod section;
mod send;
mod time;

use std::collections::VecDeque;
use std::task::{Context, Waker};

use janua_hpack::{DEFAULT_TABLE_SIZE, Decoder, Encoder};

pub use accept::Accept;

use crate::abuse::{Abuse, Abuses};
use crate::error::{Code, ConnectionError};
use crate::frame::write_window_update;
use crate::hpack;
use crate::input::Input;
use crate::limits::Limits;
use crate::output::{FULL, Output};
use crate::settings::{INITIAL_WINDOW, PeerSettings, Settings};
use crate::stream::register;
use crate::streams::{StreamKey, Streams};
use crate::timers::Timer;
use crate::turns::Turns;

/// The server's side of a connection.
///
/// The connection's task passes on what it reads, as long as [`Self::wants_input`]; writes
/// [`Self::output`]; calls [`Self::on_timer`] at [`Self::deadline`]; and closes the transport
/// once [`Self::is_finished`]. It is woken whenever another task gives it something to do.
pub struct Connection {
    settings: Settings,
    limits: Limits,
    peer: PeerSettings,
    input: Input,
    decoder: Decoder,
    encoder: Encoder,
    streams: Streams,
    output: Output,
    turns: Turns,
    /// How much the client may send on all streams, and how much of it was read, and of which it
    /// has not been told.
    receive_window: i64,
    credit: u32,
    send_window: i64,
    /// When the client has opened that window for the last time, in milliseconds.
    window_opened: u64,
    /// How many `WINDOW_UPDATE` frames the client may send without being counted.
    updates: u32,
    /// The largest identifier of a stream that the client has opened.
    last_stream: u32,
    requests: u32,
    resets: u32,
    /// The identifiers of streams that we have reset, on which frames may still arrive.
    reset_streams: VecDeque<u32>,
    abuses: Abuses,
    phase: Phase,
    /// The client has sent `GOAWAY`.
    is_peer_leaving: bool,
    /// Until when the client may acknowledge our settings; none once it has.
    settings_due: Option<u64>,
    stalls: Timer,
    grants: Timer,
    drain: Timer,
    now: u64,
    task: Option<Waker>,
}

/// Where a connection is on its way from its beginning to its end.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Open,
    /// The client has been asked to open no more streams (RFC 9113 §6.8).
    Draining,
    /// The client has been told that streams above this one are not processed.
    Ending(u32),
    /// It has failed.
    Failed(ConnectionError),
    /// The client has closed the transport.
    Closed,
}

impl Connection {
    /// A connection on which nothing has been received at `now`, in milliseconds of any clock. Its
    /// settings are queued.
    #[must_use]
    pub fn new(settings: Settings, limits: Limits, now: u64) -> Self {
        let settings = settings.clamped();
        let mut output = Output::default();
        let out = output.room(128);
        settings.write_to(out);
        let more = settings.connection_window - INITIAL_WINDOW;
        if more > 0 {
            write_window_update(out, 0, more);
        }
        let mut encoder = Encoder::new();
        let peer = PeerSettings::default();
        hpack::limit_table(&mut encoder, peer.header_table_size);
        let table = settings.header_table_size as usize;
        Self {
            // A smaller table is used from the acknowledgement on.
            decoder: Decoder::new(table.max(DEFAULT_TABLE_SIZE)),
            encoder,
            input: Input::new(now),
            receive_window: i64::from(settings.connection_window),
            settings_due: Some(now.saturating_add(limits.settings_ack_ms)),
            settings,
            limits,
            peer,
            streams: Streams::default(),
            output,
            turns: Turns::default(),
            credit: 0,
            send_window: i64::from(INITIAL_WINDOW),
            window_opened: now,
            updates: 0,
            last_stream: 0,
            requests: 0,
            resets: 0,
            reset_streams: VecDeque::new(),
            abuses: Abuses::new(now),
            phase: Phase::Open,
            is_peer_leaving: false,
            stalls: Timer::Off,
            grants: Timer::Off,
            drain: Timer::Off,
            now,
            task: None,
        }
    }

    /// The bytes to be written to the transport.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    /// True if there are any.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.output.len() > 0
    }

    /// Removes `count` bytes from the front of the output, which have been written. Streams
    /// whose data waited for that are woken.
    pub fn advance(&mut self, count: usize) {
        self.output.advance(count);
        self.grant_turns();
    }

    /// False while so much waits to be written that nothing should be read: most of what a client
    /// sends is answered, and one that reads nothing must not let the output grow.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.output.len() < FULL && !matches!(self.phase, Phase::Failed(_) | Phase::Closed)
    }

    /// Has the task of the connection woken once there is something to write, or a timer has
    /// changed. To be called each time before that task waits.
    pub fn register(&mut self, context: &Context<'_>) {
        register(&mut self.task, context);
    }

    /// How many streams the client counts as open.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.streams.active
    }

    /// How many streams have not been released.
    #[must_use]
    pub fn held_streams(&self) -> usize {
        self.streams.len()
    }

    /// How many requests the connection has brought.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// The memory that the connection takes at present, in bytes: its own, that of its streams, of
    /// all buffers, and of the tables of HPACK. The heads of its requests are not among it.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.decoder.capacity()
            + self.encoder.capacity()
            + self.input.memory()
            + self.output.memory()
            + self.streams.memory()
            + self.reset_streams.capacity() * size_of::<u32>()
    }

    /// What was counted since the last call, for the metrics. Counted are also those that exceed no
    /// limit.
    pub fn take_counts(&mut self) -> impl Iterator<Item = (Abuse, u32)> + use<> {
        self.abuses.take()
    }

    /// Wakes the connection's task.
    fn wake(&mut self) {
        if let Some(waker) = self.task.take() {
            waker.wake();
        }
    }

    /// Counts one.
    fn count(&mut self, abuse: Abuse) -> Result<(), ConnectionError> {
        self.abuses.count(abuse, self.now, &self.limits)
    }

    /// What the client's frames on this stream concern.
    fn standing(&self, id: u32) -> Standing {
        if let Some(key) = self.streams.find(id) {
            return Standing::Held(key);
        }
        if id > self.last_stream || id.is_multiple_of(2) {
            return Standing::Idle;
        }
        if self.reset_streams.contains(&id) {
            return Standing::Reset;
        }
        Standing::Closed
    }
}

/// What a stream's identifier stands for.
enum Standing {
    /// A stream that has not been released.
    Held(StreamKey),
    /// One that has not been opened.
    Idle,
    /// One that we have reset and released: the client may not know yet.
    Reset,
    /// One that has ended.
    Closed,
}

/// A violation of the protocol.
fn violation(words: &'static str) -> ConnectionError {
    ConnectionError::Protocol(Code::PROTOCOL_ERROR, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Stream;

    /// What the documentation of the crate says.
    #[test]
    fn sizes() {
        let connection = size_of::<Connection>();
        assert!(connection <= 1_152, "{connection}");
        let stream = size_of::<Stream>();
        assert!(stream <= 256, "{stream}");
    }
}
