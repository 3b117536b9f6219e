//! An upstream that speaks HTTP/2, played frame by frame.

use super::peer::Peer;

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames (RFC 9113 §6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
}

/// The flags `END_STREAM` and `ACK`, and `END_HEADERS`.
pub(crate) const END: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const WHOLE: u8 = 4;
/// A head with the status 200, as HPACK has it.
pub(crate) const OK: &[u8] = &[0x88];

/// A frame that the gateway has sent.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The upstream's end of a connection.
pub(crate) struct Http2Peer(Peer);

impl Http2Peer {
    /// Takes the preface, and sends settings: pairs of identifier and value.
    pub(crate) async fn begin(mut peer: Peer, settings: &[(u16, u32)]) -> Self {
        peer.expect(PREFACE).await;
        let mut this = Self(peer);
        let mut payload = Vec::new();
        for (identifier, value) in settings {
            payload.extend(identifier.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        this.send(kind::SETTINGS, 0, 0, &payload).await;
        this
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short payload");
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.send(frame).await;
    }

    /// Sends a whole response without a body.
    pub(crate) async fn respond(&mut self, stream: u32) {
        self.send(kind::HEADERS, END | WHOLE, stream, OK).await;
    }

    /// Resets a stream.
    pub(crate) async fn reset(&mut self, stream: u32, code: u32) {
        let code = code.to_be_bytes();
        self.send(kind::RST_STREAM, 0, stream, &code).await;
    }

    /// Announces that no stream behind this one is processed.
    pub(crate) async fn go_away(&mut self, last: u32) {
        let payload = [last.to_be_bytes(), [0; 4]].concat();
        self.send(kind::GOAWAY, 0, 0, &payload).await;
    }

    /// The next frame of this kind; others before it are ignored.
    pub(crate) async fn next(&mut self, kind: u8) -> Frame {
        loop {
            let head = self.0.bytes(9).await;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let frame = Frame {
                kind: head[3],
                flags: head[4],
                stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
                payload: self.0.bytes(length as usize).await,
            };
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// The end of the connection, as the gateway closes it.
    pub(crate) async fn ends(&mut self) {
        self.0.skip_rest().await;
    }
}

/// A field of a head, as HPACK has one without compression.
pub(crate) fn literal(name: &str, value: &[u8]) -> Vec<u8> {
    let mut block = vec![0, u8::try_from(name.len()).expect("a short name")];
    block.extend(name.as_bytes());
    block.push(u8::try_from(value.len()).expect("a short value"));
    block.extend(value);
    block
}
