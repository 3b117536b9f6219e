//! The server's side of a connection: an upstream that sends the messages of gRPC calls back.
//!
//! All calls are to the same method, so that the fields of requests are not decoded. Response
//! and trailers are prepared.

use super::call;
use super::fields;
use super::flow::{Flow, Outgoing};
use super::frame::{self, Frame, PREFACE};

/// A connection with calls under way.
pub(crate) struct Service {
    /// What has been received and not been taken yet.
    held: Vec<u8>,
    flow: Flow,
    calls: Vec<Call>,
    begun: bool,
}

struct Call {
    number: u32,
    /// Messages that have not been sent back.
    received: Vec<u8>,
    outgoing: Outgoing,
    /// The client has sent everything.
    ended: bool,
    /// The head of the response is sent.
    answered: bool,
}

/// The client has violated the protocol, and the connection is of no further use.
#[derive(Debug)]
pub(crate) struct Malformed;

/// True if a connection that begins like this is one of HTTP/2.
pub(crate) fn is_begun_by(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PRI ")
}

/// Status codes of gRPC.
const OK: u8 = 0;
const INVALID_ARGUMENT: u8 = 3;

impl Service {
    /// A new connection, on which nothing has been received.
    pub(crate) fn new() -> Self {
        Self {
            held: Vec::new(),
            flow: Flow::new(),
            calls: Vec::new(),
            begun: false,
        }
    }

    /// Takes received bytes, from the preface on, and returns what is to be sent.
    ///
    /// # Errors
    /// The client has violated the protocol.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::new();
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut rest = all.as_slice();
        if !self.begun && rest.len() >= PREFACE.len() {
            rest = rest.strip_prefix(PREFACE).ok_or(Malformed)?;
            self.begun = true;
            frame::write_greeting(&mut out);
        }
        while self.begun
            && let Some((frame, next)) = Frame::read(rest).map_err(|_| Malformed)?
        {
            self.take_frame(&frame, &mut out).ok_or(Malformed)?;
            rest = next;
        }
        let left = rest.len();
        all.drain(..all.len() - left);
        self.held = all;
        self.flow.enlarge(&mut out);
        Ok(out)
    }

    /// Takes a frame; `None` if it violates the protocol.
    fn take_frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Option<()> {
        let place = self.calls.iter().position(|one| one.number == frame.stream);
        match (frame.kind, place) {
            (frame::HEADERS, None) => {
                frame.content()?;
                self.calls.push(Call {
                    number: frame.stream,
                    received: Vec::new(),
                    outgoing: self.flow.outgoing(),
                    ended: frame.has(frame::END_STREAM),
                    answered: false,
                });
                self.answer(self.calls.len() - 1, out)
            }
            (frame::HEADERS, Some(place)) => {
                self.calls.get_mut(place)?.ended |= frame.has(frame::END_STREAM);
                self.answer(place, out)
            }
            (frame::DATA, place) => {
                self.flow.take(frame);
                // After a reset, data of the call may still be on its way.
                let Some(place) = place else {
                    return Some(());
                };
                let call = self.calls.get_mut(place)?;
                call.received.extend_from_slice(frame.content()?);
                call.ended |= frame.has(frame::END_STREAM);
                self.answer(place, out)
            }
            (frame::RST_STREAM, Some(place)) => {
                self.calls.swap_remove(place);
                Some(())
            }
            _ => {
                let streams = self.calls.iter_mut();
                let streams = streams.map(|one| (one.number, &mut one.outgoing));
                if self.flow.control(frame, streams, out)? {
                    // From the last to the first, because calls that end are removed.
                    (0..self.calls.len())
                        .rev()
                        .try_for_each(|place| self.answer(place, out))?;
                }
                Some(())
            }
        }
    }

    /// Sends what can be sent of a call, and removes it if that is all.
    fn answer(&mut self, place: usize, out: &mut Vec<u8>) -> Option<()> {
        let call = self.calls.get_mut(place)?;
        let data = call::answered(&mut call.received, call.ended)?;
        if !call.answered && (call.ended || !data.is_empty()) {
            let head = fields::CALL_HEAD;
            frame::write(out, frame::HEADERS, frame::END_HEADERS, call.number, head);
            call.answered = true;
        }
        call.outgoing.push(&data);
        if self.flow.write(out, call.number, &mut call.outgoing, false) && call.ended {
            let status = if call.received.is_empty() {
                OK
            } else {
                INVALID_ARGUMENT
            };
            let flags = frame::END_HEADERS | frame::END_STREAM;
            let trailers = fields::call_end(status);
            frame::write(out, frame::HEADERS, flags, call.number, &trailers);
            self.calls.swap_remove(place);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
