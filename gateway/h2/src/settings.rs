//! The settings of both sides (RFC 9113 §6.5).

use crate::error::{Code, ConnectionError};
use crate::frame::{self, MAX_U31, header, kind};

/// The initial size of all windows (RFC 9113 §6.9.2).
pub(crate) const INITIAL_WINDOW: u32 = 65_535;

mod id {
    pub(super) const HEADER_TABLE_SIZE: u16 = 1;
    pub(super) const ENABLE_PUSH: u16 = 2;
    pub(super) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(super) const MAX_FRAME_SIZE: u16 = 5;
    pub(super) const MAX_HEADER_LIST_SIZE: u16 = 6;
    pub(super) const ENABLE_CONNECT_PROTOCOL: u16 = 8;
    pub(super) const NO_RFC7540_PRIORITIES: u16 = 9;
}

/// What the gateway tells its clients.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The most streams at once; 100. More are refused (`REFUSED_STREAM`).
    pub max_concurrent_streams: u32,
    /// How many bytes of a request's body are buffered; 131,072. At most 2³¹ − 1.
    pub stream_window: u32,
    /// How many bytes of all bodies of a connection are buffered; 524,288. At least 65,535, at
    /// most 2³¹ − 1.
    pub connection_window: u32,
    /// The most bytes in a frame's payload; 16,384, the least that is allowed.
    pub max_frame_size: u32,
    /// The size of the table that the client's fields refer to, in bytes of RFC 7541 §4.1; 4,096.
    pub header_table_size: u32,
    /// The limits of a request's head: the size of its list of fields, 32,768, and the number
    /// of its fields, 100.
    pub head: janua_http::head::Limits,
    /// Whether a client may ask for another protocol (RFC 8441); false.
    pub enable_connect_protocol: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 100,
            stream_window: 128 * 1024,
            connection_window: 512 * 1024,
            max_frame_size: 16_384,
            header_table_size: 4_096,
            head: janua_http::head::Limits {
                bytes: 32 * 1024,
                fields: 100,
            },
            enable_connect_protocol: false,
        }
    }
}

impl Settings {
    /// The same within what the protocol allows.
    pub(crate) fn clamped(mut self) -> Self {
        self.stream_window = self.stream_window.min(MAX_U31);
        self.connection_window = self.connection_window.clamp(INITIAL_WINDOW, MAX_U31);
        self.max_frame_size = self.max_frame_size.clamp(16_384, (1 << 24) - 1);
        self
    }

    /// Appends the `SETTINGS` frame that begins a connection.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        let list = u32::try_from(self.head.bytes).unwrap_or(u32::MAX);
        let all = [
            (id::HEADER_TABLE_SIZE, self.header_table_size),
            (id::MAX_CONCURRENT_STREAMS, self.max_concurrent_streams),
            (id::INITIAL_WINDOW_SIZE, self.stream_window),
            (id::MAX_FRAME_SIZE, self.max_frame_size),
            (id::MAX_HEADER_LIST_SIZE, list),
            (id::NO_RFC7540_PRIORITIES, 1),
            (
                id::ENABLE_CONNECT_PROTOCOL,
                u32::from(self.enable_connect_protocol),
            ),
        ];
        let count = all.len() - usize::from(!self.enable_connect_protocol);
        out.extend_from_slice(&header(count * 6, kind::SETTINGS, 0, 0));
        for (id, value) in all.into_iter().take(count) {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// What the client has told the gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerSettings {
    pub(crate) header_table_size: u32,
    pub(crate) initial_window: u32,
    pub(crate) max_frame_size: u32,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self {
            header_table_size: 4_096,
            initial_window: INITIAL_WINDOW,
            max_frame_size: 16_384,
        }
    }
}

impl PeerSettings {
    /// Takes the payload of a `SETTINGS` frame, whose length is a multiple of 6.
    ///
    /// # Errors
    /// A value that is not allowed (RFC 9113 §6.5.2).
    pub(crate) fn take(&mut self, payload: &[u8]) -> Result<(), ConnectionError> {
        let bad = |words| ConnectionError::Protocol(Code::PROTOCOL_ERROR, words);
        for entry in payload.as_chunks::<6>().0 {
            let [i1, i2, rest @ ..] = entry;
            let value = frame::number(rest);
            match u16::from_be_bytes([*i1, *i2]) {
                id::HEADER_TABLE_SIZE => self.header_table_size = value,
                id::ENABLE_PUSH if value > 1 => return Err(bad("bad ENABLE_PUSH")),
                id::INITIAL_WINDOW_SIZE if value > MAX_U31 => {
                    return Err(ConnectionError::Protocol(
                        Code::FLOW_CONTROL_ERROR,
                        "bad INITIAL_WINDOW_SIZE",
                    ));
                }
                id::INITIAL_WINDOW_SIZE => self.initial_window = value,
                id::MAX_FRAME_SIZE if !(16_384..1 << 24).contains(&value) => {
                    return Err(bad("bad MAX_FRAME_SIZE"));
                }
                id::MAX_FRAME_SIZE => self.max_frame_size = value,
                id::ENABLE_CONNECT_PROTOCOL if value > 1 => {
                    return Err(bad("bad ENABLE_CONNECT_PROTOCOL"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
