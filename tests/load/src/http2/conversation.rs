//! The state of one connection: which requests are under way, and what has come of their
//! responses.

use std::time::Instant;

use super::call::Call;
use super::fields;
use super::flow::{Flow, Outgoing};
use super::frame::{self, Frame};
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
    payload: Payload,
    flow: Flow,
    /// The server wants no further requests on this connection.
    ending: bool,
}

/// What the requests of a connection carry, and what their responses must have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload {
    /// Nothing, and so many bytes of body.
    Body(usize),
    /// So many messages of a gRPC call, which must come back, and the status 0.
    Call(u8),
}

/// A request under way.
struct Stream {
    number: u32,
    due: Instant,
    /// Whether the status was 200; `None` before the head.
    ok: Option<bool>,
    content: Content,
}

/// What has come of a response, and what is to be sent.
enum Content {
    /// Bytes of body received.
    Body(usize),
    /// The messages of a call, and whether its status is 0, as far as that is known.
    Call {
        call: Call,
        outgoing: Outgoing,
        ok: bool,
    },
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
    /// A new connection.
    pub(crate) fn new(payload: Payload) -> Self {
        let mut out = Vec::new();
        frame::write_opening(&mut out);
        Self {
            out,
            held: Vec::new(),
            streams: Vec::new(),
            next: 1,
            payload,
            flow: Flow::new(),
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
        let (content, ends) = match self.payload {
            Payload::Body(_) => (Content::Body(0), frame::END_STREAM),
            Payload::Call(messages) => {
                let call = Call::new(self.next, messages);
                let outgoing = self.flow.outgoing();
                let ok = false;
                (Content::Call { call, outgoing, ok }, 0)
            }
        };
        let flags = frame::END_HEADERS | ends;
        frame::write(&mut self.out, frame::HEADERS, flags, self.next, block);
        let mut stream = Stream {
            number: self.next,
            due,
            ok: None,
            content,
        };
        stream.send(&mut self.flow, &mut self.out);
        self.streams.push(stream);
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
        self.flow.enlarge(&mut self.out);
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
            self.take_frame(&frame, finished)?;
            bytes = rest;
        }
        Ok(bytes)
    }

    /// Takes a frame. An error ends the connection.
    fn take_frame(
        &mut self,
        frame: &Frame<'_>,
        finished: &mut Vec<Finished>,
    ) -> Result<(), Failure> {
        let place = self
            .streams
            .iter()
            .position(|one| one.number == frame.stream);
        match (frame.kind, place) {
            (frame::DATA, place) => {
                let content = frame.content().ok_or(Failure::Malformed)?;
                self.flow.take(frame);
                let stream = place.and_then(|place| self.streams.get_mut(place));
                let stream = stream.filter(|one| one.ok.is_some());
                let stream = stream.ok_or(Failure::Malformed)?;
                stream.take(content)?;
                stream.send(&mut self.flow, &mut self.out);
            }
            (frame::HEADERS, Some(place)) => {
                let block = frame.content().ok_or(Failure::Malformed)?;
                if let Some(stream) = self.streams.get_mut(place) {
                    // The second block of a stream has trailers.
                    stream.ok.get_or_insert_with(|| fields::is_ok(block));
                    if let Content::Call { ok, .. } = &mut stream.content {
                        *ok |= frame.has(frame::END_STREAM) && fields::is_call_ok(block);
                    }
                }
            }
            (frame::RST_STREAM, Some(place)) => {
                let stream = self.streams.swap_remove(place);
                finished.push(stream.finished(Some(Failure::Reset)));
                return Ok(());
            }
            (frame::SETTINGS | frame::PING | frame::WINDOW_UPDATE, _) => {
                let streams = self.streams.iter_mut();
                let streams = streams.filter_map(|one| match &mut one.content {
                    Content::Call { outgoing, .. } => Some((one.number, outgoing)),
                    // A request without a body needs no window.
                    Content::Body(_) => None,
                });
                let more = self.flow.control(frame, streams, &mut self.out);
                if more.ok_or(Failure::Malformed)? {
                    for stream in &mut self.streams {
                        stream.send(&mut self.flow, &mut self.out);
                    }
                }
            }
            (frame::GOAWAY, _) => {
                let last = frame.number().ok_or(Failure::Malformed)?;
                self.ending = true;
                let refused = self.streams.extract_if(.., |one| one.number > last);
                finished.extend(refused.map(|one| one.finished(Some(Failure::Reset))));
            }
            (frame::HEADERS | frame::PUSH_PROMISE, _) => return Err(Failure::Malformed),
            // The rest of a block does not matter, nor do unknown frames.
            _ => {}
        }
        let ends = matches!(frame.kind, frame::DATA | frame::HEADERS);
        if ends && frame.has(frame::END_STREAM) {
            let stream = self.streams.swap_remove(place.ok_or(Failure::Malformed)?);
            finished.push(stream.finished(stream.wrong(self.payload)));
        }
        Ok(())
    }
}

impl Stream {
    /// Sends what is due and what the windows allow.
    fn send(&mut self, flow: &mut Flow, out: &mut Vec<u8>) {
        if let Content::Call { call, outgoing, .. } = &mut self.content {
            if let Some(message) = call.next() {
                outgoing.push(&message);
            }
            flow.write(out, self.number, outgoing, call.is_sent());
        }
    }

    /// Takes received bytes of the body.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.content {
            Content::Body(came) => *came += bytes.len(),
            Content::Call { call, .. } => call.take(bytes)?,
        }
        Ok(())
    }

    /// The error of a complete response, if there is one.
    fn wrong(&self, payload: Payload) -> Option<Failure> {
        if self.ok != Some(true) {
            return Some(Failure::Status);
        }
        match (&self.content, payload) {
            (Content::Call { ok: false, .. }, _) => Some(Failure::Grpc),
            (Content::Call { call, .. }, _) if call.is_whole() => None,
            (Content::Body(came), Payload::Body(length)) if *came == length => None,
            _ => Some(Failure::Length),
        }
    }

    fn finished(&self, wrong: Option<Failure>) -> Finished {
        Finished {
            due: self.due,
            wrong,
        }
    }
}

#[cfg(test)]
mod tests;
