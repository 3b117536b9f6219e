//! How streams and connections end.

use super::control::DRAIN_PING;
use super::{Connection, Phase};
use crate::error::{Code, ConnectionError, StreamError};
use crate::frame::{self, MAX_U31, write_go_away, write_ping};
use crate::stream::{Receiving, Sending, Turn};
use crate::streams::StreamKey;

impl Connection {
    /// Resets a stream with this code, unless it has ended or failed.
    pub fn reset(&mut self, key: StreamKey, code: Code) {
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        if stream.failure.is_none() && !stream.is_closed() {
            self.reset_stream(key, code, StreamError::Ended);
        }
    }

    /// Gives a stream back. Its memory is freed, and the key is of no use any more.
    ///
    /// If the response is not complete, the stream is reset (`INTERNAL_ERROR`). If only the
    /// request is not, the client is told to stop sending it (`NO_ERROR`, RFC 9113 §8.1).
    pub fn release(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        let unread = stream.drop_received();
        let had_turn = stream.turn;
        let code = match (stream.failure, stream.sending, stream.receiving) {
            (Some(_), ..) => None,
            (None, Sending::Ended, Receiving::Open) => Some(Code::NO_ERROR),
            (None, Sending::Ended, _) => None,
            (None, ..) => Some(Code::INTERNAL_ERROR),
        };
        if unread > 0 {
            self.return_credit(None, unread);
        }
        if let Some(code) = code {
            self.write_reset(key.id(), code);
        }
        self.leave_queue(key, had_turn);
        self.streams.remove(key);
        if self.streams.is_empty() && !matches!(self.phase, Phase::Open) {
            self.wake();
        }
    }

    /// Asks the client to open no more streams, as the first of two steps (RFC 9113 §6.8): those
    /// that it has opened before it knows are still served. [`Self::finish_drain`], the second
    /// step, follows by itself once the client has answered a `PING`, or after a second.
    pub fn start_drain(&mut self) {
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Draining;
            let out = self.output.room(64);
            write_go_away(out, MAX_U31, Code::NO_ERROR, "");
            write_ping(out, 0, DRAIN_PING);
            self.drain.start();
            self.wake();
        }
    }

    /// Tells the client that no further stream is served.
    pub fn finish_drain(&mut self) {
        if matches!(self.phase, Phase::Open | Phase::Draining) {
            self.phase = Phase::Ending(self.last_stream);
            let out = self.output.room(64);
            write_go_away(out, self.last_stream, Code::NO_ERROR, "");
            self.wake();
        }
    }

    /// True from the first step of draining on.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        !matches!(self.phase, Phase::Open)
    }

    /// Ends the connection at once, with at most 255 bytes of text for whoever looks for the
    /// reason. All streams fail.
    pub fn go_away(&mut self, code: Code, text: &str) {
        self.end(ConnectionError::Ended(code), text);
    }

    /// The transport is closed: all streams fail.
    pub fn end_of_input(&mut self) {
        if !matches!(self.phase, Phase::Failed(_)) {
            self.phase = Phase::Closed;
        }
        self.fail_streams();
        self.input.clear();
        self.wake();
    }

    /// True once the transport can be closed: nothing waits to be written, and nothing more will.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let is_ending = match self.phase {
            Phase::Failed(_) | Phase::Closed => true,
            Phase::Ending(_) => self.streams.is_empty(),
            Phase::Open | Phase::Draining => self.is_peer_leaving && self.streams.is_empty(),
        };
        is_ending && !self.has_output()
    }

    /// Why the connection has failed, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<ConnectionError> {
        match self.phase {
            Phase::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Ends the connection because of an error of the client.
    pub(super) fn fail(&mut self, error: ConnectionError) {
        self.end(error, error.words());
    }

    fn end(&mut self, error: ConnectionError, text: &str) {
        if matches!(self.phase, Phase::Failed(_) | Phase::Closed) {
            return;
        }
        self.phase = Phase::Failed(error);
        if error == ConnectionError::NotHttp2 {
            // Our settings mean nothing to such a client.
            self.output.advance(self.output.len());
        } else {
            let out = self.output.room(frame::HEADER + 8 + 255);
            write_go_away(out, self.last_stream, error.code(), text);
        }
        self.fail_streams();
        self.input.clear();
        self.wake();
    }

    fn fail_streams(&mut self) {
        let mut place = 0;
        while let Some(key) = self.streams.at(place) {
            self.fail_stream(key, StreamError::Disconnected);
            place += 1;
        }
        self.turns.clear();
    }

    /// Resets a stream, unless it has failed.
    pub(super) fn reset_stream(&mut self, key: StreamKey, code: Code, error: StreamError) {
        let stream = self.streams.get(key);
        if stream.is_some_and(|stream| stream.failure.is_none()) {
            self.write_reset(key.id(), code);
            self.fail_stream(key, error);
        }
    }

    /// Marks a stream as failed, and wakes who waits for it.
    pub(super) fn fail_stream(&mut self, key: StreamKey, error: StreamError) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        if stream.failure.is_some() {
            return;
        }
        stream.failure = Some(error);
        stream.trailers = None;
        stream.stall = crate::timers::Timer::Off;
        let unread = stream.drop_received();
        let turn = std::mem::replace(&mut stream.turn, Turn::None);
        stream.wake_receiver();
        stream.wake_sender();
        self.streams.settle(key);
        let is_over = matches!(self.phase, Phase::Failed(_) | Phase::Closed);
        if unread > 0 && !is_over {
            self.return_credit(None, unread);
        }
        self.leave_queue(key, turn);
    }

    /// Removes a stream from the order of turns.
    fn leave_queue(&mut self, key: StreamKey, turn: Turn) {
        match turn {
            Turn::None => {}
            Turn::Waiting => self.turns.remove(key),
            Turn::Granted => {
                self.turns.granted = self.turns.granted.saturating_sub(1);
                self.grant_turns();
            }
        }
    }
}
