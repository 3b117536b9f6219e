//! Heads and trailers of responses (RFC 9113 §8.3.2, §8.1).

use std::task::Poll;

use janua_hpack::Indexing;
use janua_http::{Fields, Known};

use super::Connection;
use crate::error::{Code, StreamError};
use crate::frame::{self, flag, header, kind};
use crate::stream::Sending;
use crate::streams::StreamKey;

/// Room for a usual head.
const USUAL_HEAD: usize = 512;

impl Connection {
    /// Queues the head of the response; with `ends` it has no body. A status of 100 to 199 is an
    /// interim response, which another head follows, and never ends the stream.
    ///
    /// Names are written in lower case, and connection-specific fields are left out
    /// (RFC 9113 §8.2.2).
    ///
    /// # Errors
    /// The stream has failed, or its response has already begun.
    pub fn send_head<'f>(
        &mut self,
        key: StreamKey,
        status: u16,
        fields: impl Iterator<Item = (Known, &'f [u8], &'f [u8])>,
        ends: bool,
    ) -> Result<(), StreamError> {
        let stream = self.streams.get_mut(key).ok_or(StreamError::Ended)?;
        if let Some(failure) = stream.failure {
            return Err(failure);
        }
        if stream.sending != Sending::Head {
            return Err(StreamError::Ended);
        }
        let is_interim = (100..200).contains(&status);
        let ends = ends && !is_interim;
        if !is_interim {
            stream.sending = if ends { Sending::Ended } else { Sending::Body };
        }
        self.write_section(key, Some(status), fields, ends);
        Ok(())
    }

    /// Declares that the body has `length` bytes in all, so that the data that completes it also
    /// ends the stream; more are not accepted. A body of no bytes is declared by `ends` of
    /// [`Self::send_head`].
    pub fn expect_length(&mut self, key: StreamKey, length: u64) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.left = Some(length);
        }
    }

    /// Declares that what [`Self::poll_send`] is given next, once it is sent completely, is the end
    /// of the response.
    pub fn set_ending(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.is_ending = true;
        }
    }

    /// Ends the response after all data was accepted, with trailers if there are any. Does nothing
    /// if it has ended already. Never pending at present.
    ///
    /// # Errors
    /// The stream has failed, the head was not sent, or the body is shorter than declared, in
    /// which case the stream is reset (`INTERNAL_ERROR`).
    pub fn poll_finish(
        &mut self,
        key: StreamKey,
        trailers: Option<&Fields>,
    ) -> Poll<Result<(), StreamError>> {
        let Some(stream) = self.streams.get_mut(key) else {
            return Poll::Ready(Err(StreamError::Ended));
        };
        match (stream.sending, stream.failure) {
            (Sending::Ended, _) => return Poll::Ready(Ok(())),
            (_, Some(failure)) => return Poll::Ready(Err(failure)),
            (Sending::Head, None) => return Poll::Ready(Err(StreamError::Ended)),
            (Sending::Body, None) => {}
        }
        if stream.left.unwrap_or_default() > 0 {
            self.reset(key, Code::INTERNAL_ERROR);
            return Poll::Ready(Err(StreamError::Ended));
        }
        stream.sending = Sending::Ended;
        if let Some(trailers) = trailers.filter(|trailers| !trailers.is_empty()) {
            self.write_section(key, None, trailers.iter(), true);
            return Poll::Ready(Ok(()));
        }
        let end = header(0, kind::DATA, flag::END_STREAM, stream.id);
        self.output.room(end.len()).extend_from_slice(&end);
        stream.position = self.output.end();
        self.streams.settle(key);
        self.wake();
        Poll::Ready(Ok(()))
    }

    /// Queues a field section, in one frame if it fits, and otherwise in several.
    fn write_section<'f>(
        &mut self,
        key: StreamKey,
        status: Option<u16>,
        fields: impl Iterator<Item = (Known, &'f [u8], &'f [u8])>,
        ends: bool,
    ) {
        let out = self.output.room(USUAL_HEAD);
        let start = out.len();
        out.extend_from_slice(&[0; frame::HEADER]);
        self.encoder.begin(out);
        if let Some(status) = status {
            self.encoder.status(status, out);
        }
        for (known, name, value) in fields {
            if !known.is_hop_by_hop() {
                let indexing = indexing(known, name, value);
                self.encoder.field(name, value, indexing, out);
            }
        }
        let most = self.peer.max_frame_size as usize;
        finish_section(out, start, key.id(), ends, most);
        if let Some(stream) = self.streams.get_mut(key) {
            stream.position = self.output.end();
        }
        self.streams.settle(key);
        self.wake();
    }
}

/// How a field is encoded. What [`Indexing::of`] says of the fields of nearly each response is
/// known without a search.
fn indexing(known: Known, name: &[u8], value: &[u8]) -> Indexing {
    match known {
        Known::ContentLength => Indexing::Without,
        Known::Date => Indexing::Add,
        _ => Indexing::of(name, value),
    }
}

/// Fills in the frame's header before the section at `start`. A section above the client's maximum
/// frame size is divided.
fn finish_section(out: &mut Vec<u8>, start: usize, id: u32, ends: bool, most: usize) {
    let end_stream = if ends { flag::END_STREAM } else { 0 };
    let length = out.len() - start - frame::HEADER;
    if length <= most {
        let flags = end_stream | flag::END_HEADERS;
        let head = header(length, kind::HEADERS, flags, id);
        if let Some(place) = out.get_mut(start..start + frame::HEADER) {
            place.copy_from_slice(&head);
        }
        return;
    }
    let section = out.split_off(start + frame::HEADER);
    out.truncate(start);
    let count = section.len().div_ceil(most);
    for (at, part) in section.chunks(most).enumerate() {
        let (kind, flags) = match at {
            0 => (kind::HEADERS, end_stream),
            _ if at + 1 == count => (kind::CONTINUATION, flag::END_HEADERS),
            _ => (kind::CONTINUATION, 0),
        };
        out.extend_from_slice(&header(part.len(), kind, flags, id));
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_leads_to_the_same() {
        for known in [Known::ContentLength, Known::Date, Known::Other] {
            let name = known.name();
            assert_eq!(indexing(known, name, b"1"), Indexing::of(name, b"1"));
        }
    }
}
