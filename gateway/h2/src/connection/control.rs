//! Frames about the connection, and about the state of streams (RFC 9113 §6.3 to §6.9).

use super::section::MAX_UPDATES;
use super::{Connection, Phase, Standing, violation};
use crate::abuse::Abuse;
use crate::error::{Code, ConnectionError, StreamError};
use crate::frame::{self, Header, MAX_U31, flag, header, kind, write_ping};
use crate::hpack;
use crate::priority::Priority;
use crate::stream::Sending;

/// The data of the `PING` by which we learn that a client has read our `GOAWAY`.
pub(super) const DRAIN_PING: [u8; 8] = *b"draining";

/// How many of the streams that we have reset are remembered. A client may have opened very many
/// with bodies before it knows how many it may, and all of them are on their way.
const REMEMBERED: usize = 1_024;

impl Connection {
    pub(super) fn take_reset(
        &mut self,
        header: Header,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        let key = match self.standing(header.stream) {
            Standing::Idle => return Err(violation("RST_STREAM on an idle stream")),
            Standing::Held(key) => Some(key),
            Standing::Reset | Standing::Closed => None,
        };
        self.count(Abuse::Resets)?;
        self.resets = self.resets.saturating_add(1);
        if self.resets == self.limits.max_resets {
            self.start_drain();
        }
        let stream = key.and_then(|key| Some((key, self.streams.get(key)?)));
        let Some((key, stream)) = stream else {
            return Ok(());
        };
        if stream.failure.is_some() {
            return Ok(());
        }
        if stream.sending == Sending::Head {
            self.count(Abuse::RapidResets)?;
        }
        let code = Code(frame::number(payload));
        self.fail_stream(key, StreamError::Reset(code));
        Ok(())
    }

    pub(super) fn take_settings(
        &mut self,
        header: Header,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        self.count(Abuse::Settings)?;
        if header.has(flag::ACK) {
            if self.settings_due.take().is_some() {
                let table = self.settings.header_table_size as usize;
                self.decoder.set_max_table_size(table);
            }
            return Ok(());
        }
        self.input.has_settings = true;
        let before = self.peer;
        self.peer.take(payload)?;
        if self.peer.header_table_size != before.header_table_size {
            hpack::limit_table(&mut self.encoder, self.peer.header_table_size);
        }
        let change = i64::from(self.peer.initial_window) - i64::from(before.initial_window);
        if change != 0 {
            for stream in self.streams.iter_mut() {
                stream.send_window += change;
                if stream.send_window > i64::from(MAX_U31) {
                    return Err(ConnectionError::Protocol(
                        Code::FLOW_CONTROL_ERROR,
                        "INITIAL_WINDOW_SIZE makes a window too large",
                    ));
                }
                if stream.send_window > 0 {
                    stream.wake_sender_of_window();
                }
            }
        }
        let ack = frame::header(0, kind::SETTINGS, flag::ACK, 0);
        self.output.room(ack.len()).extend_from_slice(&ack);
        self.wake();
        Ok(())
    }

    pub(super) fn take_ping(
        &mut self,
        header: Header,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        self.count(Abuse::Pings)?;
        let data = payload.first_chunk().copied().unwrap_or_default();
        if !header.has(flag::ACK) {
            write_ping(self.output.room(frame::HEADER + 8), flag::ACK, data);
            self.wake();
        } else if data == DRAIN_PING && matches!(self.phase, Phase::Draining) {
            self.finish_drain();
        }
        Ok(())
    }

    pub(super) fn take_window_update(
        &mut self,
        header: Header,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        match self.updates.checked_sub(1) {
            Some(less) => self.updates = less,
            None => self.count(Abuse::WindowUpdates)?,
        }
        let increment = frame::number(payload) & MAX_U31;
        if header.stream == 0 {
            return self.open_window(increment);
        }
        let key = match self.standing(header.stream) {
            Standing::Idle => return Err(violation("WINDOW_UPDATE on an idle stream")),
            Standing::Held(key) => key,
            Standing::Reset | Standing::Closed => return Ok(()),
        };
        let Some(stream) = self.streams.get_mut(key) else {
            return Ok(());
        };
        if stream.is_closed() {
            return Ok(());
        }
        if increment == 0 {
            return self.stream_error(key, Code::PROTOCOL_ERROR);
        }
        stream.send_window += i64::from(increment);
        if stream.send_window > i64::from(MAX_U31) {
            return self.stream_error(key, Code::FLOW_CONTROL_ERROR);
        }
        if stream.send_window > 0 {
            stream.wake_sender_of_window();
        }
        Ok(())
    }

    fn open_window(&mut self, increment: u32) -> Result<(), ConnectionError> {
        if increment == 0 {
            return Err(violation("WINDOW_UPDATE of nothing"));
        }
        self.window_opened = self.now;
        self.send_window += i64::from(increment);
        if self.send_window > i64::from(MAX_U31) {
            return Err(ConnectionError::Protocol(
                Code::FLOW_CONTROL_ERROR,
                "WINDOW_UPDATE makes the connection's window too large",
            ));
        }
        self.grant_turns();
        Ok(())
    }

    /// Takes a priority that replaces the one of the request's field (RFC 9218 §7.1).
    pub(super) fn take_priority_update(&mut self, payload: &[u8]) -> Result<(), ConnectionError> {
        self.count(Abuse::Priorities)?;
        let id = frame::number(payload) & MAX_U31;
        if id == 0 {
            return Err(violation("PRIORITY_UPDATE for stream 0"));
        }
        if let Standing::Held(key) = self.standing(id)
            && let Some(stream) = self.streams.get_mut(key)
        {
            stream.priority = Priority::read(payload.get(4..).unwrap_or_default());
        }
        Ok(())
    }

    /// Allows the client some updates of windows for a data frame.
    pub(super) fn allow_updates(&mut self, count: u32) {
        self.updates = self.updates.saturating_add(count).min(MAX_UPDATES);
    }

    /// Resets a stream because of a violation by the client.
    pub(super) fn stream_error(
        &mut self,
        key: crate::StreamKey,
        code: Code,
    ) -> Result<(), ConnectionError> {
        self.count(Abuse::ProvokedResets)?;
        self.reset_stream(key, code, StreamError::Violation(code));
        Ok(())
    }

    /// Queues `RST_STREAM`, and remembers that frames of this stream may still arrive.
    pub(super) fn write_reset(&mut self, id: u32, code: Code) {
        if self.reset_streams.len() >= REMEMBERED {
            self.reset_streams.pop_front();
        }
        self.reset_streams.push_back(id);
        let out = self.output.room(frame::HEADER + 4);
        out.extend_from_slice(&header(4, kind::RST_STREAM, 0, id));
        out.extend_from_slice(&code.0.to_be_bytes());
        self.wake();
    }
}
