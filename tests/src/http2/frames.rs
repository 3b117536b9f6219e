//! A client that sends single frames, valid or not, and reads those of the server.

use super::frame::{Frame, flag, kind, setting};
use crate::message::ReadError;
use crate::wire::Wire;

/// What a client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection on which a test sends and reads frames. Nothing is sent, acknowledged or
/// checked that the test does not ask for.
#[derive(Debug)]
pub struct Frames {
    wire: Wire,
}

impl Frames {
    /// Over a connection on which nothing has been sent yet.
    #[must_use]
    pub fn over(wire: Wire) -> Self {
        Self { wire }
    }

    /// Sends the preface, and SETTINGS by which the server can use no dynamic table.
    pub async fn open(&mut self) {
        self.open_with(&[(setting::HEADER_TABLE_SIZE, 0)]).await;
    }

    /// Sends the preface and these SETTINGS.
    pub async fn open_with(&mut self, settings: &[(u16, u32)]) {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(Frame::settings(settings).to_bytes());
        self.wire.send(bytes).await;
    }

    /// Waits for the server's SETTINGS, which are returned and acknowledged, and until the
    /// server has acknowledged those of the client.
    pub async fn settle(&mut self) -> Frame {
        let is_theirs = |frame: &Frame| frame.kind == kind::SETTINGS && !frame.has(flag::ACK);
        let settings = self.expect("SETTINGS", is_theirs).await;
        self.send(&Frame::settings_ack()).await;
        let is_ack = |frame: &Frame| frame.kind == kind::SETTINGS && frame.has(flag::ACK);
        self.expect("the acknowledgement of SETTINGS", is_ack).await;
        settings
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Frame) {
        self.wire.send(frame.to_bytes()).await;
    }

    /// Sends several frames in one write.
    pub async fn send_all(&mut self, frames: &[Frame]) {
        let bytes = frames.iter().flat_map(Frame::to_bytes);
        self.wire.send(bytes.collect::<Vec<u8>>()).await;
    }

    /// Sends a frame, unless the server has closed the connection.
    ///
    /// # Errors
    /// It has.
    pub async fn try_send(&mut self, frame: &Frame) -> std::io::Result<()> {
        self.wire.try_send(frame.to_bytes()).await
    }

    /// The connection, for bytes that are no frames.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// The next frame.
    ///
    /// # Errors
    /// If the connection ends, or nothing arrives in time.
    pub async fn next_frame(&mut self) -> Result<Frame, ReadError> {
        let head = self.wire.take(9).await?;
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u32::from(byte))
        };
        let length = number(&head[..3]) as usize;
        let payload = self.wire.take(length).await.map_err(|error| match error {
            ReadError::Closed => ReadError::Incomplete("a frame".to_owned()),
            error => error,
        })?;
        Ok(Frame {
            kind: head[3],
            flags: head[4],
            stream: number(&head[5..]) & 0x7fff_ffff,
            payload,
        })
    }

    /// The first frame of which this is true; the others before it are skipped.
    ///
    /// # Panics
    /// If the connection ends without one, or nothing arrives in time.
    pub async fn expect(&mut self, what: &str, is_it: impl Fn(&Frame) -> bool) -> Frame {
        let mut skipped = Vec::new();
        loop {
            match self.next_frame().await {
                Ok(frame) if is_it(&frame) => return frame,
                Ok(frame) => skipped.push(frame),
                Err(error) => panic!("{error} before {what}: {skipped:#?}"),
            }
        }
    }

    /// Skips frames until GOAWAY, which must have this code.
    pub async fn expect_goaway(&mut self, code: u32) -> Frame {
        let frame = self.expect("GOAWAY", |frame| frame.kind == kind::GOAWAY);
        let frame = frame.await;
        let debug = String::from_utf8_lossy(frame.payload.get(8..).unwrap_or_default());
        assert_eq!(frame.error_code(), Some(code), "{debug}");
        frame
    }

    /// Skips frames until the stream is reset, which must be with this code.
    ///
    /// # Panics
    /// If the connection ends before.
    pub async fn expect_reset(&mut self, stream: u32, code: u32) -> Frame {
        let is_it = |frame: &Frame| {
            frame.kind == kind::GOAWAY || frame.kind == kind::RST_STREAM && frame.stream == stream
        };
        let frame = self.expect("RST_STREAM", is_it).await;
        assert_eq!(frame.kind, kind::RST_STREAM, "{frame:?}");
        assert_eq!(frame.error_code(), Some(code));
        frame
    }

    /// Skips frames until a response begins on the stream, and returns its status.
    ///
    /// # Panics
    /// If the connection ends before, or the status cannot be decoded: see [`Frame::status`].
    pub async fn expect_status(&mut self, stream: u32) -> u16 {
        let is_it = |frame: &Frame| frame.kind == kind::HEADERS && frame.stream == stream;
        let frame = self.expect("a response", is_it).await;
        frame.status().unwrap_or_else(|| panic!("{frame:?}"))
    }

    /// Skips frames until the server closes the connection, or resets it.
    ///
    /// # Panics
    /// If it does neither in time.
    pub async fn expect_end(&mut self) {
        loop {
            match self.next_frame().await {
                Ok(_) => {}
                Err(ReadError::Closed | ReadError::Incomplete(_)) => return,
                Err(error) => panic!("the connection stays open: {error}"),
            }
        }
    }
}
