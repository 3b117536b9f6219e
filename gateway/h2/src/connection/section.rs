//! Field sections from the client: requests and trailers (RFC 9113 §8.1, §6.2, §6.10).
//!
//! Each section is decoded, even if it is not used: later ones depend on it.

use janua_http::request::RequestSection;
use janua_http::section::{SectionError, TrailerSection};
use janua_http::{Fields, Framing, HeadError};

use super::{Accept, Connection, Phase, Standing, violation};
use crate::abuse::Abuse;
use crate::buffers;
use crate::error::{Code, ConnectionError, StreamError};
use crate::frame::{Header, flag};
use crate::hpack;
use crate::input::Block;
use crate::priority::Priority;
use crate::settings::INITIAL_WINDOW;
use crate::stream::{Receiving, Stream};
use crate::streams::StreamKey;

/// How many more streams may be held than are concurrent: those that the client has reset, or
/// whose response is complete, and that the gateway has not released yet.
const HELD_FACTOR: usize = 2;
/// How many `WINDOW_UPDATE` frames a request allows: some clients open the window of each stream.
pub(super) const UPDATES_PER_REQUEST: u32 = 2;
/// The most of them that can be saved up.
pub(super) const MAX_UPDATES: u32 = 1_000;

impl Connection {
    pub(super) fn take_headers(
        &mut self,
        header: Header,
        payload: &[u8],
        accept: &mut dyn Accept,
    ) -> Result<(), ConnectionError> {
        let fragment = fragment(header, payload)?;
        let ends = header.has(flag::END_STREAM);
        if header.has(flag::END_HEADERS) {
            return self.take_section(header.stream, ends, fragment, accept);
        }
        if fragment.is_empty() {
            self.count(Abuse::EmptyHeaders)?;
        }
        let mut bytes = Vec::new();
        buffers::reserve(&mut bytes, fragment.len());
        bytes.extend_from_slice(fragment);
        self.input.block = Some(Block {
            stream: header.stream,
            ends,
            bytes,
            continuations: 0,
        });
        self.check_block()
    }

    pub(super) fn take_continuation(
        &mut self,
        header: Header,
        payload: &[u8],
        accept: &mut dyn Accept,
    ) -> Result<(), ConnectionError> {
        if payload.is_empty() && !header.has(flag::END_HEADERS) {
            self.count(Abuse::EmptyHeaders)?;
        }
        if let Some(block) = &mut self.input.block {
            block.continuations += 1;
            buffers::reserve(&mut block.bytes, payload.len());
            block.bytes.extend_from_slice(payload);
        }
        self.check_block()?;
        if !header.has(flag::END_HEADERS) {
            return Ok(());
        }
        let Some(block) = self.input.block.take() else {
            return Ok(());
        };
        let taken = self.take_section(block.stream, block.ends, &block.bytes, accept);
        buffers::give_back(block.bytes);
        taken
    }

    fn check_block(&mut self) -> Result<(), ConnectionError> {
        let Some(block) = &self.input.block else {
            return Ok(());
        };
        let exceeded = if block.continuations > self.limits.continuations {
            Abuse::Continuations
        } else if block.bytes.len() > self.limits.header_block {
            Abuse::HeaderBlock
        } else {
            return Ok(());
        };
        self.abuses.note(exceeded);
        Err(ConnectionError::Abuse(exceeded))
    }

    /// Takes a complete field section.
    fn take_section(
        &mut self,
        id: u32,
        ends: bool,
        block: &[u8],
        accept: &mut dyn Accept,
    ) -> Result<(), ConnectionError> {
        match self.standing(id) {
            Standing::Idle => self.take_request(id, ends, block, accept),
            Standing::Held(key) => self.take_trailers_of(key, ends, block),
            Standing::Reset => {
                self.count(Abuse::ClosedFrames)?;
                self.decode_unused(block)
            }
            Standing::Closed if id == self.last_stream => Err(stream_closed()),
            Standing::Closed => Err(violation("stream identifiers that do not increase")),
        }
    }

    fn take_request(
        &mut self,
        id: u32,
        ends: bool,
        block: &[u8],
        accept: &mut dyn Accept,
    ) -> Result<(), ConnectionError> {
        self.last_stream = id;
        let most = self.settings.max_concurrent_streams as usize;
        let is_refused = matches!(self.phase, Phase::Ending(last) if id > last)
            || self.streams.active >= most
            || self.streams.len() >= most.saturating_mul(HELD_FACTOR);
        if is_refused {
            self.count(Abuse::Refused)?;
            self.decode_unused(block)?;
            self.write_reset(id, Code::REFUSED_STREAM);
            return Ok(());
        }
        let mut section = RequestSection::new(accept.head(), self.settings.head);
        self.abuses.noted(hpack::decode(
            &mut self.decoder,
            block,
            self.limits.unpacked_head,
            |name, value| section.field(name, value),
        ))?;
        let mut received = section.finish(ends);
        let head = accept.head();
        if head.protocol.is_some() && !self.settings.enable_connect_protocol {
            received = Err(SectionError::Malformed("extended CONNECT is not enabled"));
        }
        let answered = match received {
            Err(SectionError::Malformed(_)) => {
                self.count(Abuse::ProvokedResets)?;
                self.write_reset(id, Code::PROTOCOL_ERROR);
                return Ok(());
            }
            Err(SectionError::Head(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        if let Err(HeadError::TooLarge | HeadError::TooManyFields) = answered {
            self.count(Abuse::LargeHeads)?;
        }
        // Until the client knows our settings, it may use the initial window.
        let window = match self.settings_due {
            Some(_) => self.settings.stream_window.max(INITIAL_WINDOW),
            None => self.settings.stream_window,
        };
        let send_window = i64::from(self.peer.initial_window);
        let mut stream = Stream::new(id, i64::from(window), send_window);
        if ends {
            stream.receiving = Receiving::Ended;
        }
        if let Framing::Stream(length) = head.framing {
            stream.expected = length;
        }
        if let Some(value) = head.fields.get(b"priority") {
            stream.priority = Priority::read(value);
        }
        let key = self.streams.insert(stream);
        self.requests = self.requests.saturating_add(1);
        self.updates = (self.updates + UPDATES_PER_REQUEST).min(MAX_UPDATES);
        accept.request(key, answered);
        if self.requests >= self.limits.max_requests {
            self.start_drain();
        }
        Ok(())
    }

    fn take_trailers_of(
        &mut self,
        key: StreamKey,
        ends: bool,
        block: &[u8],
    ) -> Result<(), ConnectionError> {
        let Some(stream) = self.streams.get_mut(key) else {
            return Ok(());
        };
        match (stream.failure, stream.receiving) {
            (Some(StreamError::Reset(_)), _) => return Err(stream_closed()),
            (Some(_), _) => {
                self.count(Abuse::ClosedFrames)?;
                return self.decode_unused(block);
            }
            (None, Receiving::Open) if ends => {}
            (None, Receiving::Open) => {
                self.decode_unused(block)?;
                return self.stream_error(key, Code::PROTOCOL_ERROR);
            }
            (None, _) => {
                self.decode_unused(block)?;
                return self.stream_error(key, Code::STREAM_CLOSED);
            }
        }
        let mut trailers = Fields::default();
        let mut section = TrailerSection::new(&mut trailers);
        self.abuses.noted(hpack::decode(
            &mut self.decoder,
            block,
            self.limits.unpacked_head,
            |name, value| section.field(name, value),
        ))?;
        match section.finish() {
            Ok(()) if stream.expected.unwrap_or_default() == 0 => {}
            Ok(()) | Err(SectionError::Malformed(_)) => {
                return self.stream_error(key, Code::PROTOCOL_ERROR);
            }
            Err(SectionError::Head(_)) => {
                return self.stream_error(key, Code::ENHANCE_YOUR_CALM);
            }
        }
        if !trailers.is_empty() {
            stream.trailers = Some(Box::new(trailers));
        }
        self.end_request(key);
        Ok(())
    }

    /// Decodes a section that is not used.
    fn decode_unused(&mut self, block: &[u8]) -> Result<(), ConnectionError> {
        let most = self.limits.unpacked_head;
        let decoded = hpack::decode(&mut self.decoder, block, most, |_, _| {});
        self.abuses.noted(decoded)
    }
}

/// The part of a field section in the payload of `HEADERS`: without padding, and without a
/// priority of RFC 7540, which is ignored (RFC 9113 §5.3.2).
fn fragment(header: Header, mut payload: &[u8]) -> Result<&[u8], ConnectionError> {
    const TOO_SHORT: ConnectionError =
        ConnectionError::Protocol(Code::FRAME_SIZE_ERROR, "HEADERS of a wrong size");
    let mut padding = 0;
    if header.has(flag::PADDED) {
        let (&length, rest) = payload.split_first().ok_or(TOO_SHORT)?;
        padding = usize::from(length);
        payload = rest;
    }
    if header.has(flag::PRIORITY) {
        payload = payload.get(5..).ok_or(TOO_SHORT)?;
    }
    let length = payload.len().checked_sub(padding);
    length
        .and_then(|length| payload.get(..length))
        .ok_or_else(|| violation("more padding than payload"))
}

pub(super) fn stream_closed() -> ConnectionError {
    ConnectionError::Protocol(Code::STREAM_CLOSED, "frame on a closed stream")
}
