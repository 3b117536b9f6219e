//! Frames: writing and reading them.

/// What a client sends first, before its first frame.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER: usize = 9;
/// The longest payload that either side may send, since no other is agreed upon.
pub(super) const LONGEST: usize = 16 * 1024;

/// How many bytes of a stream the other side may send ahead. Windows are those of a browser; a
/// longer response than this cannot be received, because only the connection's window is
/// enlarged again.
pub(crate) const STREAM_WINDOW: usize = 6 * 1024 * 1024;
/// The same for all streams of a connection together.
pub(super) const CONNECTION_WINDOW: usize = 15 * 1024 * 1024;
/// The window of a connection at its beginning.
pub(super) const FIRST_WINDOW: usize = 65_535;

// Types of frames.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;

// Flags.
pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

// Settings.
const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;

/// A received frame.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'a [u8],
}

/// The bytes do not begin with a frame that may be sent.
#[derive(Debug)]
pub(super) struct TooLong;

impl<'a> Frame<'a> {
    /// The frame at the beginning of the bytes and the bytes after it; `None` if it is not
    /// complete.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, TooLong> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let &[a, b, c, kind, flags, s, t, u, v] = header;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length > LONGEST {
            return Err(TooLong);
        }
        let frame = rest.split_at_checked(length).map(|(payload, rest)| {
            let stream = u32::from_be_bytes([s & 0x7f, t, u, v]);
            let frame = Self {
                kind,
                flags,
                stream,
                payload,
            };
            (frame, rest)
        });
        Ok(frame)
    }

    /// True if it has this flag.
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload of `DATA` or `HEADERS` without padding and priority; `None` if these are
    /// longer than the payload.
    pub(super) fn content(&self) -> Option<&'a [u8]> {
        let mut content = self.payload;
        if self.has(PADDED) {
            let (&padding, rest) = content.split_first()?;
            content = rest.get(..rest.len().checked_sub(padding.into())?)?;
        }
        if self.kind == HEADERS && self.has(PRIORITY) {
            content = content.get(5..)?;
        }
        Some(content)
    }

    /// The value of a setting, if the frame has it.
    pub(super) fn setting(&self, wanted: u16) -> Option<u32> {
        let (settings, _) = self.payload.as_chunks::<6>();
        let mut values = settings.iter().filter_map(|&[a, b, c, d, e, f]| {
            let number = u16::from_be_bytes([a, b]);
            (number == wanted).then(|| u32::from_be_bytes([c, d, e, f]))
        });
        // The last one counts.
        values.next_back()
    }

    /// The number at the beginning of the payload.
    pub(super) fn number(&self) -> Option<u32> {
        let bytes = self.payload.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*bytes))
    }
}

/// Appends a frame.
pub(super) fn write(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Appends the beginning of a connection: the preface, the settings and the greater window.
pub(super) fn write_opening(out: &mut Vec<u8>) {
    out.extend_from_slice(PREFACE);
    let window = STREAM_WINDOW as u32;
    write_settings(
        out,
        &[
            (HEADER_TABLE_SIZE, 0),
            (ENABLE_PUSH, 0),
            (INITIAL_WINDOW_SIZE, window),
        ],
    );
}

/// Appends the beginning of a server's side of a connection. It permits the dynamic table, as
/// servers do, since it does not decode fields.
pub(super) fn write_greeting(out: &mut Vec<u8>) {
    write_settings(out, &[(INITIAL_WINDOW_SIZE, STREAM_WINDOW as u32)]);
}

/// Appends settings and the greater window of the connection.
fn write_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    let mut payload = Vec::new();
    for (setting, value) in settings {
        payload.extend_from_slice(&setting.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    write(out, SETTINGS, 0, 0, &payload);
    write_window(out, CONNECTION_WINDOW - FIRST_WINDOW);
}

/// Appends an enlargement of the connection's window.
pub(super) fn write_window(out: &mut Vec<u8>, by: usize) {
    write(out, WINDOW_UPDATE, 0, 0, &(by as u32).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        write(&mut out, DATA, END_STREAM, 5, b"body");
        for cut in 0..out.len() {
            assert!(Frame::read(&out[..cut]).unwrap().is_none(), "{cut}");
        }
        out.extend_from_slice(b"next");
        let (frame, rest) = Frame::read(&out).unwrap().unwrap();
        assert_eq!((frame.kind, frame.stream, rest), (DATA, 5, &b"next"[..]));
        assert_eq!(frame.content(), Some(&b"body"[..]));
        assert!(frame.has(END_STREAM) && !frame.has(END_HEADERS));
        assert!(Frame::read(&[1, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn padding_and_priority_are_left_out() {
        for (kind, flags, payload, expected) in [
            (DATA, PADDED, &b"\x02ok.."[..], Some(&b"ok"[..])),
            (DATA, PADDED, b"\x05ok..", None),
            (DATA, PADDED, b"", None),
            (HEADERS, PRIORITY, b"12345\x88", Some(b"\x88")),
            (HEADERS, PRIORITY | PADDED, b"\x0112345\x88.", Some(b"\x88")),
            (HEADERS, PRIORITY, b"1234", None),
            (DATA, PRIORITY, b"1234", Some(b"1234")),
        ] {
            let frame = Frame {
                kind,
                flags,
                stream: 1,
                payload,
            };
            assert_eq!(frame.content(), expected, "{frame:?}");
        }
    }
}
