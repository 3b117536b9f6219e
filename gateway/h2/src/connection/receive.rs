//! Takes bytes apart into frames, and checks what their headers alone tell (RFC 9113 §4, §6).

use super::{Accept, Connection, Phase, Standing, violation};
use crate::abuse::Abuse;
use crate::buffers;
use crate::error::{Code, ConnectionError};
use crate::frame::{Header, flag, kind};
use crate::input::State;

/// The longest `PRIORITY_UPDATE` that is read.
const LONGEST_PRIORITY: usize = 256;

impl Connection {
    /// Takes bytes from the transport at `now`, in milliseconds: all of them, and in any parts.
    ///
    /// # Errors
    /// The connection has failed, now or before. Its last words are in the output; every stream
    /// has failed too.
    pub fn receive(
        &mut self,
        input: &[u8],
        now: u64,
        accept: &mut dyn Accept,
    ) -> Result<(), ConnectionError> {
        self.now = now;
        match self.phase {
            Phase::Failed(error) => return Err(error),
            Phase::Closed => return Ok(()),
            _ => {}
        }
        let received = self.take(input, accept);
        match (received, self.phase) {
            (Err(error), _) => {
                self.fail(error);
                Err(error)
            }
            // Sending may have failed while the input was handled.
            (Ok(()), Phase::Failed(error)) => Err(error),
            (Ok(()), _) => Ok(()),
        }
    }

    fn take(&mut self, mut input: &[u8], accept: &mut dyn Accept) -> Result<(), ConnectionError> {
        if !self.input.take_preface(&mut input)? {
            return Ok(());
        }
        loop {
            match self.input.state {
                State::Header => {
                    if input.is_empty() {
                        return Ok(());
                    }
                    let Some(header) = self.input.take_header(&mut input, self.now) else {
                        return Ok(());
                    };
                    self.input.state = self.begin_frame(header)?;
                }
                State::Whole(header) => {
                    if !self.take_whole(header, &mut input, accept)? {
                        return Ok(());
                    }
                }
                State::Padding(key, header) => {
                    let Some((&padding, rest)) = input.split_first() else {
                        return Ok(());
                    };
                    input = rest;
                    let padding = usize::from(padding);
                    self.input.state = self.begin_padded(key, header, padding)?;
                }
                State::Data(data) => {
                    if !self.take_data(data, &mut input) {
                        return Ok(());
                    }
                }
                State::Skip(left) => {
                    let count = left.min(input.len());
                    input = input.get(count..).unwrap_or_default();
                    if count < left {
                        self.input.state = State::Skip(left - count);
                        return Ok(());
                    }
                    self.input.state = State::Header;
                }
            }
        }
    }

    /// Handles a frame once its payload is complete; false if it is not.
    fn take_whole(
        &mut self,
        header: Header,
        input: &mut &[u8],
        accept: &mut dyn Accept,
    ) -> Result<bool, ConnectionError> {
        if self.input.partial.is_empty()
            && let Some((payload, rest)) = input.split_at_checked(header.length)
        {
            *input = rest;
            self.input.state = State::Header;
            self.whole_frame(header, payload, accept)?;
            return Ok(true);
        }
        if !self.input.keep(input, header.length) {
            return Ok(false);
        }
        let payload = std::mem::take(&mut self.input.partial);
        self.input.state = State::Header;
        let handled = self.whole_frame(header, &payload, accept);
        buffers::give_back(payload);
        handled.map(|()| true)
    }

    /// Checks a frame's header, and decides how its payload is received.
    fn begin_frame(&mut self, header: Header) -> Result<State, ConnectionError> {
        let bad_size = |words| Err(ConnectionError::Protocol(Code::FRAME_SIZE_ERROR, words));
        let Header { length, stream, .. } = header;
        if length > self.settings.max_frame_size as usize {
            return bad_size("frame above the maximum size");
        }
        let is_settings = header.kind == kind::SETTINGS && !header.has(flag::ACK);
        if !self.input.has_settings && !is_settings {
            return Err(violation("the first frame is not SETTINGS"));
        }
        if let Some(block) = &self.input.block
            && (header.kind != kind::CONTINUATION || stream != block.stream)
        {
            return Err(violation("frame within a field section"));
        }
        let is_of_stream = match header.kind {
            kind::DATA | kind::HEADERS | kind::PRIORITY | kind::RST_STREAM | kind::CONTINUATION => {
                Some(true)
            }
            kind::SETTINGS | kind::PING | kind::GOAWAY | kind::PRIORITY_UPDATE => Some(false),
            _ => None,
        };
        if is_of_stream.is_some_and(|expected| expected != (stream != 0)) {
            return Err(violation("frame on a wrong stream"));
        }
        match header.kind {
            kind::DATA => return self.begin_data(header),
            kind::HEADERS if stream.is_multiple_of(2) => {
                return Err(violation("stream with an even identifier"));
            }
            kind::PRIORITY if length != 5 => {
                let Standing::Held(key) = self.standing(stream) else {
                    return bad_size("PRIORITY of a wrong size");
                };
                self.stream_error(key, Code::FRAME_SIZE_ERROR)?;
                return Ok(State::Skip(length));
            }
            kind::RST_STREAM if length != 4 => return bad_size("RST_STREAM of a wrong size"),
            kind::SETTINGS if header.has(flag::ACK) && length > 0 => {
                return bad_size("SETTINGS acknowledgement with a payload");
            }
            kind::SETTINGS if !length.is_multiple_of(6) => {
                return bad_size("SETTINGS of a wrong size");
            }
            kind::PUSH_PROMISE => return Err(violation("PUSH_PROMISE from a client")),
            kind::PING if length != 8 => return bad_size("PING of a wrong size"),
            kind::GOAWAY if length < 8 => return bad_size("GOAWAY of a wrong size"),
            kind::WINDOW_UPDATE if length != 4 => return bad_size("WINDOW_UPDATE of a wrong size"),
            kind::CONTINUATION if self.input.block.is_none() => {
                return Err(violation("CONTINUATION without a field section"));
            }
            kind::PRIORITY_UPDATE if length < 4 => {
                return bad_size("PRIORITY_UPDATE of a wrong size");
            }
            kind::PRIORITY_UPDATE if length > LONGEST_PRIORITY => {
                self.count(Abuse::Priorities)?;
                return Ok(State::Skip(length));
            }
            kind::HEADERS..=kind::CONTINUATION | kind::PRIORITY_UPDATE => {}
            _ => {
                self.count(Abuse::UnknownFrames)?;
                return Ok(State::Skip(length));
            }
        }
        Ok(State::Whole(header))
    }

    fn whole_frame(
        &mut self,
        header: Header,
        payload: &[u8],
        accept: &mut dyn Accept,
    ) -> Result<(), ConnectionError> {
        match header.kind {
            kind::HEADERS => self.take_headers(header, payload, accept),
            kind::CONTINUATION => self.take_continuation(header, payload, accept),
            kind::PRIORITY => self.count(Abuse::Priorities),
            kind::RST_STREAM => self.take_reset(header, payload),
            kind::SETTINGS => self.take_settings(header, payload),
            kind::PING => self.take_ping(header, payload),
            kind::WINDOW_UPDATE => self.take_window_update(header, payload),
            kind::PRIORITY_UPDATE => self.take_priority_update(payload),
            _ => {
                self.is_peer_leaving = true;
                Ok(())
            }
        }
    }
}
