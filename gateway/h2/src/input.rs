//! The frame that is being received, in any number of parts.

use crate::PREFACE;
use crate::buffers;
use crate::error::ConnectionError;
use crate::frame::{HEADER, Header};
use crate::streams::StreamKey;

/// What is expected next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    /// The header of a frame.
    Header,
    /// The payload of a frame that is handled as a whole.
    Whole(Header),
    /// The length of the padding of a `DATA` frame.
    Padding(StreamKey, Header),
    /// The rest of a `DATA` frame.
    Data(Data),
    /// This many bytes that are ignored.
    Skip(usize),
}

/// The rest of a `DATA` frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    pub(crate) key: StreamKey,
    pub(crate) left: usize,
    pub(crate) padding: usize,
    pub(crate) ends: bool,
}

/// A field section whose end has not been received.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) stream: u32,
    pub(crate) ends: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) continuations: u32,
}

/// The incomplete input of a connection.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) state: State,
    /// How much of the preface has been received.
    preface: usize,
    /// The client's first frame, its settings, has been received.
    pub(crate) has_settings: bool,
    header: [u8; HEADER],
    have: usize,
    /// The payload so far of a frame that is handled as a whole.
    pub(crate) partial: Vec<u8>,
    pub(crate) block: Option<Block>,
    /// When the frame or the field section began, in milliseconds.
    since: u64,
}

impl Input {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            state: State::Header,
            preface: 0,
            has_settings: false,
            header: [0; HEADER],
            have: 0,
            partial: Vec::new(),
            block: None,
            since: now,
        }
    }

    /// Takes the preface from the front of `input`; true if it is complete.
    pub(crate) fn take_preface(&mut self, input: &mut &[u8]) -> Result<bool, ConnectionError> {
        let expected = PREFACE.get(self.preface..).unwrap_or_default();
        if expected.is_empty() {
            return Ok(true);
        }
        let count = expected.len().min(input.len());
        let (came, rest) = input.split_at_checked(count).unwrap_or_default();
        if !expected.starts_with(came) {
            return Err(ConnectionError::NotHttp2);
        }
        *input = rest;
        self.preface += count;
        Ok(self.preface == PREFACE.len())
    }

    /// Takes a frame's header from the front of `input`; none if it is incomplete.
    pub(crate) fn take_header(&mut self, input: &mut &[u8], now: u64) -> Option<Header> {
        if self.have == 0 {
            if self.block.is_none() {
                self.since = now;
            }
            if let Some((header, rest)) = input.split_first_chunk() {
                *input = rest;
                return Some(Header::read(*header));
            }
        }
        let missing = self.header.get_mut(self.have..)?;
        let count = missing.len().min(input.len());
        let (came, rest) = input.split_at_checked(count)?;
        missing.get_mut(..count)?.copy_from_slice(came);
        *input = rest;
        self.have += count;
        if self.have < HEADER {
            return None;
        }
        self.have = 0;
        Some(Header::read(self.header))
    }

    /// Keeps a part of a payload; true once that has `length` bytes.
    pub(crate) fn keep(&mut self, input: &mut &[u8], length: usize) -> bool {
        let count = length.saturating_sub(self.partial.len()).min(input.len());
        let (came, rest) = input.split_at_checked(count).unwrap_or_default();
        buffers::reserve(&mut self.partial, count);
        self.partial.extend_from_slice(came);
        *input = rest;
        self.partial.len() >= length
    }

    /// Since when something other than data is incomplete, in milliseconds.
    pub(crate) fn incomplete_since(&self) -> Option<u64> {
        let is_incomplete = self.have > 0
            || self.block.is_some()
            || matches!(self.state, State::Whole(_))
            || !self.has_settings;
        is_incomplete.then_some(self.since)
    }

    /// The memory of all buffers, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let block = self
            .block
            .as_ref()
            .map_or(0, |block| block.bytes.capacity());
        self.partial.capacity() + block
    }

    /// Frees all buffers.
    pub(crate) fn clear(&mut self) {
        self.partial = Vec::new();
        self.block = None;
        self.state = State::Header;
        self.have = 0;
        self.has_settings = true;
    }
}
