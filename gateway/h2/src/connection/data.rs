//! Bodies of requests: `DATA` frames, and the windows of the client (RFC 9113 §6.1, §5.2).
//!
//! Data goes to the buffer of its stream as it arrives, and not only once its frame is complete.
//! What was read is returned to the client when half of a window has been used.

use std::task::{Context, Poll};

use janua_http::Fields;

use super::section::stream_closed;
use super::{Connection, Standing, violation};
use crate::abuse::Abuse;
use crate::error::{Code, ConnectionError, StreamError};
use crate::frame::{self, Header, flag, write_window_update};
use crate::input::{Data, State};
use crate::stream::Receiving;
use crate::streams::StreamKey;

impl Connection {
    /// Reads a part of the request's body into `buffer`, which must not be empty. It is `Ok(0)`
    /// once, at the end of the request; after that it is pending until the stream fails, so
    /// that a response can be given up when the client has gone away.
    ///
    /// # Errors
    /// The stream has failed. What had not been read is lost.
    pub fn poll_data(
        &mut self,
        key: StreamKey,
        context: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, StreamError>> {
        let Some(stream) = self.streams.get_mut(key) else {
            return Poll::Ready(Err(StreamError::Ended));
        };
        if let Some(failure) = stream.failure {
            return Poll::Ready(Err(failure));
        }
        let waiting = stream.waiting();
        let count = waiting.len().min(buffer.len());
        if let Some((from, to)) = waiting.get(..count).zip(buffer.get_mut(..count))
            && count > 0
        {
            to.copy_from_slice(from);
            stream.consume(count);
            self.return_credit(Some(key), count);
            return Poll::Ready(Ok(count));
        }
        if stream.receiving == Receiving::Ended && waiting.is_empty() {
            stream.receiving = Receiving::Read;
            return Poll::Ready(Ok(0));
        }
        stream.await_data(context);
        Poll::Pending
    }

    /// True if all of the request has been received, though not necessarily read.
    #[must_use]
    pub fn is_received(&self, key: StreamKey) -> bool {
        let stream = self.streams.get(key);
        stream.is_some_and(|stream| stream.receiving != Receiving::Open)
    }

    /// The trailers of the request, once, after its end has been read.
    pub fn take_trailers(&mut self, key: StreamKey) -> Option<Fields> {
        let stream = self.streams.get_mut(key)?;
        stream.trailers.take().map(|trailers| *trailers)
    }

    /// Checks the header of a `DATA` frame. All of its payload counts for the windows, whatever
    /// becomes of it.
    pub(super) fn begin_data(&mut self, header: Header) -> Result<State, ConnectionError> {
        let Header { length, stream, .. } = header;
        if header.has(flag::PADDED) && length == 0 {
            return Err(ConnectionError::Protocol(
                Code::FRAME_SIZE_ERROR,
                "DATA of a wrong size",
            ));
        }
        self.receive_window -= length as i64;
        if self.receive_window < 0 {
            return Err(ConnectionError::Protocol(
                Code::FLOW_CONTROL_ERROR,
                "more DATA than the connection's window",
            ));
        }
        let key = match self.standing(stream) {
            Standing::Idle => return Err(violation("DATA on an idle stream")),
            Standing::Closed => return Err(stream_closed()),
            Standing::Reset => return self.skip_data(length),
            Standing::Held(key) => key,
        };
        let Some(stream) = self.streams.get_mut(key) else {
            return self.skip_data(length);
        };
        let error = match (stream.failure, stream.receiving) {
            (Some(StreamError::Reset(_)), _) => return Err(stream_closed()),
            (Some(_), _) => return self.skip_data(length),
            (None, Receiving::Open) if length as i64 <= stream.receive_window => {
                stream.receive_window -= length as i64;
                return match header.has(flag::PADDED) {
                    true => Ok(State::Padding(key, header)),
                    false => self.begin_content(key, header, length, 0),
                };
            }
            (None, Receiving::Open) => Code::FLOW_CONTROL_ERROR,
            (None, _) => Code::STREAM_CLOSED,
        };
        self.stream_error(key, error)?;
        self.return_credit(None, length);
        Ok(State::Skip(length))
    }

    /// Ignores data of a stream that we have reset.
    fn skip_data(&mut self, length: usize) -> Result<State, ConnectionError> {
        self.count(Abuse::ClosedFrames)?;
        self.return_credit(None, length);
        Ok(State::Skip(length))
    }

    /// Goes on after the length of the padding.
    pub(super) fn begin_padded(
        &mut self,
        key: StreamKey,
        header: Header,
        padding: usize,
    ) -> Result<State, ConnectionError> {
        let Some(length) = (header.length - 1).checked_sub(padding) else {
            return Err(violation("more padding than payload"));
        };
        self.return_credit(Some(key), padding + 1);
        self.begin_content(key, header, length, padding)
    }

    fn begin_content(
        &mut self,
        key: StreamKey,
        header: Header,
        length: usize,
        padding: usize,
    ) -> Result<State, ConnectionError> {
        let ends = header.has(flag::END_STREAM);
        if length == 0 && !ends {
            self.count(Abuse::EmptyData)?;
        }
        if let Some(stream) = self.streams.get_mut(key)
            && let Some(expected) = &mut stream.expected
        {
            match expected.checked_sub(length as u64) {
                Some(left) if left == 0 || !ends => *expected = left,
                // The body is not as long as the head has declared (RFC 9113 §8.1.1).
                _ => {
                    self.stream_error(key, Code::PROTOCOL_ERROR)?;
                    self.return_credit(None, length);
                    return Ok(State::Skip(length + padding));
                }
            }
        }
        Ok(State::Data(Data {
            key,
            left: length,
            padding,
            ends,
        }))
    }

    /// Takes data from the front of `input`; false if that is not all of the frame.
    pub(super) fn take_data(&mut self, mut data: Data, input: &mut &[u8]) -> bool {
        let count = data.left.min(input.len());
        let (came, rest) = input.split_at_checked(count).unwrap_or_default();
        *input = rest;
        data.left -= count;
        if count > 0 {
            match self.streams.get_mut(data.key) {
                Some(stream) if stream.failure.is_none() => stream.push(came),
                _ => self.return_credit(None, count),
            }
        }
        if data.left > 0 {
            self.input.state = State::Data(data);
            return false;
        }
        if data.ends {
            self.end_request(data.key);
        }
        self.input.state = State::Skip(data.padding);
        true
    }

    /// Notes that the request is complete.
    pub(super) fn end_request(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.get_mut(key)
            && stream.receiving == Receiving::Open
        {
            stream.receiving = Receiving::Ended;
            stream.wake_receiver();
            self.streams.settle(key);
        }
    }

    /// Lets the client send as much more on the connection, and on the stream, if there is one.
    pub(super) fn return_credit(&mut self, key: Option<StreamKey>, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.credit = self.credit.saturating_add(count);
        let mut is_queued = false;
        if self.credit >= self.settings.connection_window / 2 {
            self.receive_window += i64::from(self.credit);
            write_window_update(self.output.room(frame::HEADER + 4), 0, self.credit);
            self.credit = 0;
            is_queued = true;
        }
        if let Some(stream) = key.and_then(|key| self.streams.get_mut(key))
            && stream.receiving == Receiving::Open
            && stream.failure.is_none()
        {
            stream.credit = stream.credit.saturating_add(count);
            if stream.credit >= self.settings.stream_window.div_ceil(2) {
                stream.receive_window += i64::from(stream.credit);
                let out = self.output.room(frame::HEADER + 4);
                write_window_update(out, stream.id, stream.credit);
                stream.credit = 0;
                is_queued = true;
            }
        }
        if is_queued {
            self.wake();
        }
    }
}
