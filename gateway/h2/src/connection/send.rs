//! Bodies of responses (RFC 9113 §6.1, §6.9).
//!
//! Data is copied into the output as far as the windows and the mark of the output allow. While
//! there is room and nobody waits, a stream sends as much as it likes; otherwise streams queue
//! up and are woken in turn (see [`crate::turns`]).

use std::task::{Context, Poll};

use super::Connection;
use crate::abuse::Abuse;
use crate::error::StreamError;
use crate::frame::{self, flag, header, kind};
use crate::output::HIGH_WATER;
use crate::stream::{Sending, Turn};
use crate::streams::StreamKey;

/// The most bytes of a data frame, even if the client allows more: others have to wait for it.
const LARGEST: usize = 16 * 1024;
/// A data frame below this size, because of a window, is an abuse of that window.
const TINY: usize = 64;

impl Connection {
    /// Sends bytes of the response's body, `second` after `first`, and returns how many were
    /// accepted: at least one, unless both are empty. Pending while a window of the client, the
    /// output, or other streams leave no room.
    ///
    /// # Errors
    /// The stream has failed, its response has not begun or has ended, or the bytes are more than
    /// was declared.
    pub fn poll_send(
        &mut self,
        key: StreamKey,
        context: &Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<Result<usize, StreamError>> {
        let total = first.len() + second.len();
        let Some(stream) = self.streams.get_mut(key) else {
            return Poll::Ready(Err(StreamError::Ended));
        };
        if let Some(failure) = stream.failure {
            return Poll::Ready(Err(failure));
        }
        if stream.sending != Sending::Body {
            return Poll::Ready(Err(StreamError::Ended));
        }
        if stream.left.is_some_and(|left| left < total as u64) {
            return Poll::Ready(Err(StreamError::Ended));
        }
        if total == 0 {
            return Poll::Ready(Ok(0));
        }
        let had_turn = stream.turn == Turn::Granted;
        if had_turn {
            stream.turn = Turn::None;
            self.turns.granted = self.turns.granted.saturating_sub(1);
        }
        let may_send = had_turn || (stream.turn == Turn::None && self.turns.is_empty());
        let sent = if may_send {
            self.write_data(key, first, second)
        } else {
            0
        };
        if sent == 0 {
            self.await_turn(key, context, had_turn);
        }
        self.grant_turns();
        match self.streams.get(key).and_then(|stream| stream.failure) {
            Some(failure) => Poll::Ready(Err(failure)),
            None if sent == 0 => Poll::Pending,
            None => Poll::Ready(Ok(sent)),
        }
    }

    /// True while something of this stream waits for the client: for the transport, or for a
    /// window.
    #[must_use]
    pub fn is_blocked(&self, key: StreamKey) -> bool {
        self.streams.get(key).is_some_and(|stream| {
            stream.turn != Turn::None
                || stream.stall != crate::timers::Timer::Off
                || stream.position > self.output.written()
        })
    }

    /// How many bytes of the response's body have been accepted.
    #[must_use]
    pub fn sent(&self, key: StreamKey) -> u64 {
        self.streams.get(key).map_or(0, |stream| stream.sent)
    }

    /// Queues as many data frames as there is room for, or one if others wait; returns the bytes
    /// that they take.
    fn write_data(&mut self, key: StreamKey, first: &[u8], second: &[u8]) -> usize {
        let Some(stream) = self.streams.get_mut(key) else {
            return 0;
        };
        let total = first.len() + second.len();
        let largest = LARGEST.min(self.peer.max_frame_size as usize);
        let takes_turns = stream.priority.incremental && !self.turns.is_empty();
        let (mut sent, mut frames, mut is_tiny) = (0, 0, false);
        // What is left of a large window may be tiny. The client is to blame only if it has opened
        // a closed window by so little.
        let was_closed = stream.stall != crate::timers::Timer::Off;
        while sent < total && self.output.len() < HIGH_WATER {
            let window = self.send_window.min(stream.send_window);
            let window = usize::try_from(window).unwrap_or_default();
            let wanted = (total - sent).min(largest);
            let size = wanted.min(window);
            if size == 0 {
                break;
            }
            is_tiny |= was_closed && frames == 0 && size < TINY.min(wanted);
            let is_last =
                sent + size == total && (stream.is_ending || stream.left == Some(total as u64));
            let flags = if is_last { flag::END_STREAM } else { 0 };
            let out = self.output.room(frame::HEADER + size);
            out.extend_from_slice(&header(size, kind::DATA, flags, stream.id));
            copy(out, first, second, sent, size);
            self.send_window -= size as i64;
            stream.send_window -= size as i64;
            sent += size;
            frames += 1;
            if is_last {
                stream.sending = Sending::Ended;
            }
            if takes_turns {
                break;
            }
        }
        if sent == 0 {
            return 0;
        }
        stream.stall = crate::timers::Timer::Off;
        stream.sent += sent as u64;
        stream.position = self.output.end();
        if let Some(left) = &mut stream.left {
            *left = left.saturating_sub(sent as u64);
        }
        if stream.sending == Sending::Ended {
            self.streams.settle(key);
        }
        self.wake();
        if !is_tiny {
            self.allow_updates(2 * frames);
        } else if let Err(error) = self.count(Abuse::TinyWindows) {
            self.fail(error);
        }
        sent
    }

    /// Has the stream woken when it may send.
    fn await_turn(&mut self, key: StreamKey, context: &Context<'_>, is_first: bool) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        stream.await_room(context);
        let is_new_stall = (stream.send_window <= 0 || self.send_window <= 0)
            && stream.stall.start()
            && self.stalls.start();
        // A stream whose own window is closed would only be in the way of the others.
        if stream.send_window > 0 && stream.turn == Turn::None {
            stream.turn = Turn::Waiting;
            self.turns.push(key, stream.priority, is_first);
        }
        if is_new_stall {
            self.wake();
        }
    }

    /// Wakes the next streams of the queue while there is room for a frame of each.
    pub(super) fn grant_turns(&mut self) {
        while !self.turns.is_empty() {
            let promised = self.turns.granted * LARGEST;
            let has_room = self.output.len() + promised < HIGH_WATER
                && self.send_window > i64::try_from(promised).unwrap_or(i64::MAX);
            if !has_room {
                return;
            }
            let Some(key) = self.turns.pop() else {
                return;
            };
            if let Some(stream) = self.streams.get_mut(key) {
                stream.turn = Turn::Granted;
                stream.wake_sender();
                self.turns.granted += 1;
                if self.grants.start() {
                    self.wake();
                }
            }
        }
    }
}

/// Appends `size` bytes from the offset `from` of the two slices, one after the other.
fn copy(out: &mut Vec<u8>, first: &[u8], second: &[u8], from: usize, size: usize) {
    let of_first = first.get(from..).unwrap_or_default();
    let (one, count) = (of_first.get(..size), of_first.len().min(size));
    out.extend_from_slice(one.unwrap_or(of_first));
    if count < size {
        let start = (from + count) - first.len();
        let rest = second.get(start..start + size - count);
        out.extend_from_slice(rest.unwrap_or_default());
    }
}
