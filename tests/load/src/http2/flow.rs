//! Flow control (RFC 9113 §5.2), and the frames that concern a connection as a whole. Both ends
//! of a connection need them.

use super::frame::{self, CONNECTION_WINDOW, FIRST_WINDOW, Frame, LONGEST};

/// What one end of a connection may send, and what it has received.
pub(super) struct Flow {
    /// What the other end takes on all streams together.
    window: i64,
    /// What it takes on a new stream.
    initial: i64,
    /// Received bytes by which the connection's window must be enlarged again.
    pub(super) taken: usize,
}

/// The data of a stream that is to be sent.
pub(super) struct Outgoing {
    window: i64,
    waiting: Vec<u8>,
}

impl Flow {
    /// A new connection, whose other end has sent nothing.
    pub(super) fn new() -> Self {
        Self {
            window: FIRST_WINDOW as i64,
            initial: FIRST_WINDOW as i64,
            taken: 0,
        }
    }

    /// A new stream.
    pub(super) fn outgoing(&self) -> Outgoing {
        Outgoing {
            window: self.initial,
            waiting: Vec::new(),
        }
    }

    /// Counts a received frame with data. The windows of streams are so large that only the
    /// connection's has to be enlarged.
    pub(super) fn take(&mut self, frame: &Frame<'_>) {
        self.taken += frame.payload.len();
    }

    /// Enlarges the connection's window if more than half of it is used.
    pub(super) fn enlarge(&mut self, out: &mut Vec<u8>) {
        if self.taken > CONNECTION_WINDOW / 2 {
            frame::write_window(out, self.taken);
            self.taken = 0;
        }
    }

    /// Takes a frame of settings, a ping or a window, and answers it. The streams are those that
    /// are open, with their numbers. True if more may be sent than before; `None` if the frame
    /// violates the protocol.
    pub(super) fn control<'a>(
        &mut self,
        frame: &Frame<'_>,
        streams: impl Iterator<Item = (u32, &'a mut Outgoing)>,
        out: &mut Vec<u8>,
    ) -> Option<bool> {
        match frame.kind {
            frame::SETTINGS if !frame.has(frame::ACK) => {
                let grown = match frame.setting(frame::INITIAL_WINDOW_SIZE) {
                    Some(initial) => i64::from(initial) - self.initial,
                    None => 0,
                };
                self.initial += grown;
                streams.for_each(|(_, stream)| stream.window += grown);
                frame::write(out, frame::SETTINGS, frame::ACK, 0, &[]);
                Some(grown > 0)
            }
            frame::PING if !frame.has(frame::ACK) => {
                frame::write(out, frame::PING, frame::ACK, 0, frame.payload);
                Some(false)
            }
            frame::WINDOW_UPDATE => {
                let grown = i64::from(frame.number()?);
                if frame.stream == 0 {
                    self.window += grown;
                } else {
                    // A stream that has ended needs no window.
                    let mut streams = streams.filter(|(number, _)| *number == frame.stream);
                    streams
                        .next()
                        .into_iter()
                        .for_each(|(_, stream)| stream.window += grown);
                }
                Some(true)
            }
            _ => Some(false),
        }
    }

    /// Writes as much of a stream's data as the windows allow; true once all is written. The
    /// last frame ends the stream if `ends` is true.
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        number: u32,
        outgoing: &mut Outgoing,
        ends: bool,
    ) -> bool {
        while !outgoing.waiting.is_empty() {
            let allowed = self.window.min(outgoing.window);
            let allowed = usize::try_from(allowed).unwrap_or(0).min(LONGEST);
            let length = allowed.min(outgoing.waiting.len());
            if length == 0 {
                return false;
            }
            let flags = if ends && length == outgoing.waiting.len() {
                frame::END_STREAM
            } else {
                0
            };
            let data = outgoing.waiting.get(..length).unwrap_or_default();
            frame::write(out, frame::DATA, flags, number, data);
            outgoing.waiting.drain(..length);
            self.window -= length as i64;
            outgoing.window -= length as i64;
        }
        true
    }
}

impl Outgoing {
    /// Adds data.
    pub(super) fn push(&mut self, data: &[u8]) {
        self.waiting.extend_from_slice(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths and flags of the frames in these bytes.
    fn frames(mut bytes: &[u8]) -> Vec<(u8, usize, u8)> {
        let mut all = Vec::new();
        while let Some((frame, rest)) = Frame::read(bytes).unwrap() {
            all.push((frame.kind, frame.payload.len(), frame.flags));
            bytes = rest;
        }
        all
    }

    fn bytes(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frame::write(&mut out, kind, 0, stream, payload);
        out
    }

    #[test]
    fn data_waits_for_both_windows() {
        let mut flow = Flow::new();
        let mut stream = flow.outgoing();
        let mut out = Vec::new();
        let control = |flow: &mut Flow, stream: &mut Outgoing, bytes: Vec<u8>| {
            let (frame, _) = Frame::read(&bytes).unwrap().unwrap();
            let mut answer = Vec::new();
            flow.control(&frame, [(1, stream)].into_iter(), &mut answer)
        };
        // A window of 100 bytes on each stream.
        let small = bytes(frame::SETTINGS, 0, &[0, 3, 0, 0, 0, 1, 0, 4, 0, 0, 0, 100]);
        assert_eq!(control(&mut flow, &mut stream, small), Some(false));
        stream.push(&[7; 150]);
        assert!(!flow.write(&mut out, 1, &mut stream, true));
        assert_eq!(frames(&out), [(frame::DATA, 100, 0)]);
        out.clear();
        // Another stream's window is of no use.
        let other = bytes(frame::WINDOW_UPDATE, 3, &[0, 0, 0, 60]);
        assert_eq!(control(&mut flow, &mut stream, other), Some(true));
        assert!(!flow.write(&mut out, 1, &mut stream, true));
        let own = bytes(frame::WINDOW_UPDATE, 1, &[0, 0, 0, 60]);
        assert_eq!(control(&mut flow, &mut stream, own), Some(true));
        assert!(flow.write(&mut out, 1, &mut stream, true));
        assert_eq!(frames(&out), [(frame::DATA, 50, frame::END_STREAM)]);
        out.clear();
        // The connection's window is used up too.
        let large = bytes(frame::SETTINGS, 0, &[0, 4, 0, 1, 0, 0]);
        control(&mut flow, &mut stream, large).unwrap();
        stream.push(&vec![7; FIRST_WINDOW - 150 + 5]);
        assert!(!flow.write(&mut out, 1, &mut stream, false));
        assert_eq!(frames(&out).len(), 4);
        out.clear();
        let whole = bytes(frame::WINDOW_UPDATE, 0, &[0, 0, 0, 5]);
        control(&mut flow, &mut stream, whole).unwrap();
        assert!(flow.write(&mut out, 1, &mut stream, false));
        assert_eq!(frames(&out), [(frame::DATA, 5, 0)]);
        let cut = bytes(frame::WINDOW_UPDATE, 0, &[0, 0]);
        assert_eq!(control(&mut flow, &mut stream, cut), None);
    }
}
