//! The state of one connection: which requests are under way, and what has come of their
//! responses.

use std::time::Instant;

use super::fields;
use super::frame::{self, CONNECTION_WINDOW, Frame};
use crate::generator::Failure;

/// The exchange of frames on a connection. The caller sends [`out`](Self::out), and brings
/// what it has received.
pub(crate) struct Conversation {
    /// Frames to be sent.
    pub(crate) out: Vec<u8>,
    /// The beginning of a frame whose rest has not been received.
    held: Vec<u8>,
    /// Requests under way; their number is small.
    streams: Vec<Stream>,
    next: u32,
    /// Bytes of body that each response must have.
    length: usize,
    /// Received bytes by which the connection's window must be enlarged again.
    taken: usize,
    /// The server wants no further requests on this connection.
    ending: bool,
}

/// A request under way.
struct Stream {
    number: u32,
    due: Instant,
    /// Whether the status was 200; `None` before the head.
    ok: Option<bool>,
    /// Bytes of body received.
    came: usize,
}

/// A request that has its response, or has failed.
#[derive(Debug)]
pub(crate) struct Finished {
    /// When the request was due.
    pub(crate) due: Instant,
    /// Why it failed.
    pub(crate) wrong: Option<Failure>,
}

impl Conversation {
    /// A new connection, whose responses must have `length` bytes of body.
    pub(crate) fn new(length: usize) -> Self {
        let mut out = Vec::new();
        frame::write_opening(&mut out);
        Self {
            out,
            held: Vec::new(),
            streams: Vec::new(),
            next: 1,
            length,
            taken: 0,
            ending: false,
        }
    }

    /// The number of requests under way.
    pub(crate) fn busy(&self) -> usize {
        self.streams.len()
    }

    /// True if a further request would be refused.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending
    }

    /// Appends a request to [`out`](Self::out).
    pub(crate) fn ask(&mut self, block: &[u8], due: Instant) {
        let flags = frame::END_HEADERS | frame::END_STREAM;
        frame::write(&mut self.out, frame::HEADERS, flags, self.next, block);
        self.streams.push(Stream {
            number: self.next,
            due,
            ok: None,
            came: 0,
        });
        self.next += 2;
    }

    /// Takes received bytes, and appends the requests that they finish.
    ///
    /// # Errors
    /// The server has violated the protocol, and the connection is of no further use.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        finished: &mut Vec<Finished>,
    ) -> Result<(), Failure> {
        if self.held.is_empty() {
            let rest = self.take_frames(bytes, finished)?;
            self.held.extend_from_slice(rest);
        } else {
            let mut all = std::mem::take(&mut self.held);
            all.extend_from_slice(bytes);
            let left = self.take_frames(&all, finished)?.len();
            all.drain(..all.len() - left);
            self.held = all;
        }
        if self.taken > CONNECTION_WINDOW / 2 {
            frame::write_window(&mut self.out, self.taken);
            self.taken = 0;
        }
        Ok(())
    }

    /// Gives up all requests under way for this reason, or because their responses are cut.
    pub(crate) fn give_up(&mut self, reason: Failure, finished: &mut Vec<Finished>) {
        finished.extend(self.streams.drain(..).map(|one| {
            let begun = reason == Failure::Reset && one.ok.is_some();
            let wrong = if begun { Failure::Truncated } else { reason };
            one.finished(Some(wrong))
        }));
    }

    /// Takes the complete frames, and returns the rest.
    fn take_frames<'a>(
        &mut self,
        mut bytes: &'a [u8],
        finished: &mut Vec<Finished>,
    ) -> Result<&'a [u8], Failure> {
        while let Some((frame, rest)) = Frame::read(bytes).map_err(|_| Failure::Malformed)? {
            self.take_frame(&frame, finished)
                .ok_or(Failure::Malformed)?;
            bytes = rest;
        }
        Ok(bytes)
    }

    /// Takes a frame; `None` if it violates the protocol.
    fn take_frame(&mut self, frame: &Frame<'_>, finished: &mut Vec<Finished>) -> Option<()> {
        let place = self
            .streams
            .iter()
            .position(|one| one.number == frame.stream);
        match (frame.kind, place) {
            (frame::DATA, place) => {
                let content = frame.content()?;
                self.taken += frame.payload.len();
                let stream = self.streams.get_mut(place?)?;
                stream.ok?;
                stream.came += content.len();
            }
            (frame::HEADERS, Some(place)) => {
                let block = frame.content()?;
                let stream = self.streams.get_mut(place)?;
                // The second block of a stream has trailers.
                stream.ok.get_or_insert_with(|| fields::is_ok(block));
            }
            (frame::RST_STREAM, Some(place)) => {
                let stream = self.streams.swap_remove(place);
                finished.push(stream.finished(Some(Failure::Reset)));
                return Some(());
            }
            (frame::SETTINGS, _) if !frame.has(frame::ACK) => {
                frame::write(&mut self.out, frame::SETTINGS, frame::ACK, 0, &[]);
            }
            (frame::PING, _) if !frame.has(frame::ACK) => {
                frame::write(&mut self.out, frame::PING, frame::ACK, 0, frame.payload);
            }
            (frame::GOAWAY, _) => {
                let last = frame.number()?;
                self.ending = true;
                let refused = self.streams.extract_if(.., |one| one.number > last);
                finished.extend(refused.map(|one| one.finished(Some(Failure::Reset))));
            }
            (frame::HEADERS | frame::PUSH_PROMISE, _) => return None,
            // The rest of a block does not matter, nor do windows of the server, since requests
            // have no body, nor unknown frames.
            _ => {}
        }
        let ends = matches!(frame.kind, frame::DATA | frame::HEADERS);
        if ends && frame.has(frame::END_STREAM) {
            let stream = self.streams.swap_remove(place?);
            let wrong = if stream.ok != Some(true) {
                Some(Failure::Status)
            } else if stream.came != self.length {
                Some(Failure::Length)
            } else {
                None
            };
            finished.push(stream.finished(wrong));
        }
        Some(())
    }
}

impl Stream {
    fn finished(&self, wrong: Option<Failure>) -> Finished {
        Finished {
            due: self.due,
            wrong,
        }
    }
}

#[cfg(test)]
mod tests;
