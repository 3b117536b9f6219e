//! Frames of HTTP/2 as bytes (RFC 9113, section 6), valid or not.

use super::hpack;

/// Types of frames.
pub mod kind {
    #![allow(missing_docs, reason = "the names are those of RFC 9113, section 6")]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    #![allow(missing_docs, reason = "the names are those of RFC 9113, section 6")]
    pub const ACK: u8 = 0x1;
    pub const END_STREAM: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
    pub const PRIORITY: u8 = 0x20;
}

/// Settings.
pub mod setting {
    #![allow(
        missing_docs,
        reason = "the names are those of RFC 9113, section 6.5.2"
    )]
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
    pub const ENABLE_CONNECT_PROTOCOL: u16 = 8;
}

/// Error codes.
pub mod code {
    #![allow(missing_docs, reason = "the names are those of RFC 9113, section 7")]
    pub const NO_ERROR: u32 = 0;
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const INTERNAL_ERROR: u32 = 2;
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    pub const SETTINGS_TIMEOUT: u32 = 4;
    pub const STREAM_CLOSED: u32 = 5;
    pub const FRAME_SIZE_ERROR: u32 = 6;
    pub const REFUSED_STREAM: u32 = 7;
    pub const CANCEL: u32 = 8;
    pub const COMPRESSION_ERROR: u32 = 9;
    pub const CONNECT_ERROR: u32 = 10;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
    pub const INADEQUATE_SECURITY: u32 = 12;
    pub const HTTP_1_1_REQUIRED: u32 = 13;
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type, of [`kind`].
    pub kind: u8,
    /// Its flags, of [`flag`].
    pub flags: u8,
    /// The identifier of its stream; 0 for the connection.
    pub stream: u32,
    /// Everything after the frame's head.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Any frame, whether valid or not.
    #[must_use]
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            flags,
            stream,
            payload: payload.into(),
        }
    }

    /// DATA.
    #[must_use]
    pub fn data(stream: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(kind::DATA, 0, stream, bytes)
    }

    /// HEADERS that need no CONTINUATION, with these fields in this order.
    #[must_use]
    pub fn headers(stream: u32, fields: &[(&str, &str)]) -> Self {
        Self::header_block(stream, hpack::encode(fields))
    }

    /// HEADERS that need no CONTINUATION, with this encoded block.
    #[must_use]
    pub fn header_block(stream: u32, block: impl Into<Vec<u8>>) -> Self {
        Self::new(kind::HEADERS, flag::END_HEADERS, stream, block)
    }

    /// A complete `GET` of a path of the host `a.example`.
    #[must_use]
    pub fn get(stream: u32, path: &str) -> Self {
        Self::headers(stream, &Self::request("GET", path)).end_stream()
    }

    /// The pseudo-header fields of a request to the host `a.example`.
    #[must_use]
    pub fn request<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
        [
            (":method", method),
            (":scheme", "https"),
            (":authority", "a.example"),
            (":path", path),
        ]
    }

    /// CONTINUATION that is the last one, with this encoded block.
    #[must_use]
    pub fn continuation(stream: u32, block: impl Into<Vec<u8>>) -> Self {
        Self::new(kind::CONTINUATION, flag::END_HEADERS, stream, block)
    }

    /// PRIORITY.
    #[must_use]
    pub fn priority(stream: u32, dependency: u32, weight: u8) -> Self {
        let mut payload = dependency.to_be_bytes().to_vec();
        payload.push(weight);
        Self::new(kind::PRIORITY, 0, stream, payload)
    }

    /// RST_STREAM.
    #[must_use]
    pub fn reset(stream: u32, code: u32) -> Self {
        Self::new(kind::RST_STREAM, 0, stream, code.to_be_bytes())
    }

    /// SETTINGS, of [`setting`].
    #[must_use]
    pub fn settings(values: &[(u16, u32)]) -> Self {
        let mut payload = Vec::new();
        for (setting, value) in values {
            payload.extend(setting.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        Self::new(kind::SETTINGS, 0, 0, payload)
    }

    /// The acknowledgement of SETTINGS.
    #[must_use]
    pub fn settings_ack() -> Self {
        Self::new(kind::SETTINGS, flag::ACK, 0, [])
    }

    /// PUSH_PROMISE, which a client must not send.
    #[must_use]
    pub fn push_promise(stream: u32, promised: u32, fields: &[(&str, &str)]) -> Self {
        let mut payload = promised.to_be_bytes().to_vec();
        payload.extend(hpack::encode(fields));
        Self::new(kind::PUSH_PROMISE, flag::END_HEADERS, stream, payload)
    }

    /// PING.
    #[must_use]
    pub fn ping(payload: [u8; 8]) -> Self {
        Self::new(kind::PING, 0, 0, payload)
    }

    /// GOAWAY.
    #[must_use]
    pub fn go_away(last_stream: u32, code: u32) -> Self {
        let mut payload = last_stream.to_be_bytes().to_vec();
        payload.extend(code.to_be_bytes());
        Self::new(kind::GOAWAY, 0, 0, payload)
    }

    /// WINDOW_UPDATE.
    #[must_use]
    pub fn window_update(stream: u32, increment: u32) -> Self {
        Self::new(kind::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    /// With END_STREAM.
    #[must_use]
    pub fn end_stream(self) -> Self {
        self.with(flag::END_STREAM)
    }

    /// With further flags.
    #[must_use]
    pub fn with(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    /// Without these flags.
    #[must_use]
    pub fn without(mut self, flags: u8) -> Self {
        self.flags &= !flags;
        self
    }

    /// With so many bytes of padding.
    #[must_use]
    pub fn padded(mut self, size: u8) -> Self {
        self.payload.insert(0, size);
        self.payload.extend(std::iter::repeat_n(0, size.into()));
        self.with(flag::PADDED)
    }

    /// Whether it has all of these flags.
    #[must_use]
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// The bytes to send.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes_of_length(self.payload.len())
    }

    /// The same with a length that need not be that of the payload.
    #[must_use]
    pub fn to_bytes_of_length(&self, length: usize) -> Vec<u8> {
        let length = u32::try_from(length).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// What received frames say.
impl Frame {
    /// The error code of RST_STREAM and GOAWAY.
    #[must_use]
    pub fn error_code(&self) -> Option<u32> {
        match self.kind {
            kind::RST_STREAM => self.number_at(0),
            kind::GOAWAY => self.number_at(4),
            _ => None,
        }
    }

    /// The last stream of GOAWAY.
    #[must_use]
    pub fn last_stream(&self) -> Option<u32> {
        let number = (self.kind == kind::GOAWAY).then(|| self.number_at(0))?;
        number.map(|number| number & 0x7fff_ffff)
    }

    /// The increment of WINDOW_UPDATE.
    #[must_use]
    pub fn increment(&self) -> Option<u32> {
        (self.kind == kind::WINDOW_UPDATE).then(|| self.number_at(0))?
    }

    /// The value of a setting in SETTINGS.
    #[must_use]
    pub fn setting(&self, setting: u16) -> Option<u32> {
        let mut entries = self.payload.chunks_exact(6);
        let is_it = |entry: &&[u8]| entry[..2] == setting.to_be_bytes();
        let entry = (self.kind == kind::SETTINGS).then(|| entries.find(is_it))??;
        Some(u32::from_be_bytes(entry[2..].try_into().unwrap()))
    }

    /// The status in HEADERS that begin a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        (self.kind == kind::HEADERS).then(|| hpack::status(&self.payload))?
    }

    fn number_at(&self, at: usize) -> Option<u32> {
        let bytes = self.payload.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().unwrap()))
    }
}
