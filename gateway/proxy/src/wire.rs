//! Buffered reading and writing of a connection, with little memory and few system calls.
//!
//! Bytes are read into a scratch buffer that all connections of a worker share, and are
//! consumed from there at once. Only bytes that have to wait are copied into a buffer of
//! the connection, so that an idle connection holds no buffer. Output is collected and
//! written in one system call.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::task::{Context, Poll, ready};

use janua_http::{Fields, HeadError};

use crate::http2_stream::Http2Stream;
use crate::idle::Idle;
use crate::transport::{ReadHalf, WriteHalf};
use crate::upstream_stream::UpstreamStream;

/// How many bytes of a body are read at once.
const SCRATCH: usize = 128 * 1024;
/// How many bytes are read at once where a head is expected: those after it have to be
/// copied.
const HEAD_READ: usize = 16 * 1024;
/// The capacity of a buffer. One that grew larger is freed when it is empty.
const BUFFER_SIZE: usize = 4 * 1024;
/// The most spare buffers that a worker keeps.
const SPARE_BUFFERS: usize = 64;

thread_local! {
    // One for each worker. A poll borrows it for one read, and no borrow is held across an
    // await.
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Takes a spare buffer or allocates one. A head and a small body fit without growing it.
fn take_buffer() -> Vec<u8> {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| Vec::with_capacity(BUFFER_SIZE))
}

/// Keeps a buffer for the next connection that needs one.
fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() != BUFFER_SIZE {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    });
}

/// Parses a head; returns its size in bytes, or none if it is incomplete.
pub(crate) type ParseHead<'a> = dyn FnMut(&[u8]) -> Result<Option<usize>, HeadError> + 'a;

/// Why a head could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The peer closed before the first byte.
    Closed,
    /// The peer closed before the head was complete.
    Incomplete,
    /// The connection failed.
    Io(io::Error),
    /// The bytes received are not a valid head.
    Head(HeadError),
}

/// The reading side of a connection.
pub(crate) struct Reader {
    half: ReadHalf,
    buffer: Vec<u8>,
    consumed: usize,
    received: u64,
}

impl Reader {
    pub(crate) fn new(half: ReadHalf) -> Self {
        Self {
            half,
            buffer: Vec::new(),
            consumed: 0,
            received: 0,
        }
    }

    /// A reader that has these bytes, behind which nothing comes.
    pub(crate) fn holding(bytes: &[u8]) -> Self {
        Self {
            buffer: bytes.to_vec(),
            ..Self::new(ReadHalf::Nobody)
        }
    }

    /// The number of bytes received in total.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The bytes that have been received and not consumed yet.
    pub(crate) fn buffered(&self) -> &[u8] {
        self.buffer.get(self.consumed..).unwrap_or_default()
    }

    /// Removes bytes from the front of `buffered`.
    pub(crate) fn consume(&mut self, count: usize) {
        self.consumed += count;
        if self.consumed >= self.buffer.len() {
            self.consumed = 0;
            self.buffer.clear();
            if self.buffer.capacity() > BUFFER_SIZE {
                self.buffer = Vec::new();
            }
        }
    }

    /// Gives the buffer back if it is empty.
    pub(crate) fn release_buffer(&mut self) {
        if self.buffered().is_empty() {
            give_back(std::mem::take(&mut self.buffer));
            self.consumed = 0;
        }
    }

    /// What the peer has done on an idle connection.
    pub(crate) fn idle_state(&self) -> Idle {
        match Idle::of(self.buffered()) {
            Idle::Quiet => self.half.idle_state(),
            other => other,
        }
    }

    /// After the end of the stream: ready once the peer is known to be gone.
    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.poll_gone(context)
    }

    /// True if an HTTP/2 stream of a client is read.
    pub(crate) fn is_http2(&self) -> bool {
        self.half.http2().is_some()
    }

    /// The HTTP/2 stream of an upstream that is read, if it is one.
    pub(crate) fn upstream(&self) -> Option<&UpstreamStream> {
        self.half.upstream()
    }

    /// The trailers after the end of an HTTP/2 stream; none if none is read.
    pub(crate) fn take_trailers(&self) -> Option<Fields> {
        self.half.take_trailers()
    }

    /// Ready once there are bytes to read, or the peer has closed.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.buffered().is_empty() {
            return self.half.poll_readable(context);
        }
        Poll::Ready(())
    }

    /// Reads until `parse` finds a complete head, and consumes that.
    pub(crate) fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        limit: usize,
        parse: &mut ParseHead<'_>,
    ) -> Poll<Result<(), ReadError>> {
        if !self.buffered().is_empty()
            && let Some(size) = parse(self.buffered()).map_err(ReadError::Head)?
        {
            self.consume(size);
            return Poll::Ready(Ok(()));
        }
        SCRATCH_BUFFER.with_borrow_mut(|scratch| {
            let scratch = scratch.get_mut(..HEAD_READ).unwrap_or_default();
            loop {
                let count = match ready!(self.poll_read(context, scratch)) {
                    // Most clients close an idle TLS connection without saying so. Where the end
                    // of the connection is not the end of a message, this is the same.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                    read => read.map_err(ReadError::Io)?,
                };
                let came = scratch.get(..count).unwrap_or_default();
                if count == 0 {
                    let is_before_head = self.buffered().is_empty();
                    return Poll::Ready(Err(if is_before_head {
                        ReadError::Closed
                    } else {
                        ReadError::Incomplete
                    }));
                }
                if self.buffered().is_empty() {
                    if let Some(size) = parse(came).map_err(ReadError::Head)? {
                        self.keep_after_head(came.get(size..).unwrap_or_default());
                        return Poll::Ready(Ok(()));
                    }
                    self.keep(came);
                    continue;
                }
                let seen = self.buffered().len();
                self.keep(came);
                if !self.may_hold_head(seen, limit) {
                    continue;
                }
                if let Some(size) = parse(self.buffered()).map_err(ReadError::Head)? {
                    self.consume(size);
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }

    /// True if the buffer may contain the end of the head, or exceeds the limit. Only then is
    /// a head that arrives in small parts parsed again: otherwise n bytes would take O(n²)
    /// time.
    fn may_hold_head(&self, seen: usize, limit: usize) -> bool {
        let buffered = self.buffered();
        let tail = buffered.get(seen.saturating_sub(3)..).unwrap_or_default();
        buffered.len() > limit
            || memchr::memchr_iter(b'\n', tail).any(|at| {
                let next = tail.get(at + 1..).unwrap_or_default();
                next.starts_with(b"\n") || next.starts_with(b"\r\n")
            })
    }

    /// Passes the buffered bytes, or at most `limit` that are read next, to `take`, which returns
    /// how many it has consumed. An empty slice means the end of the stream.
    pub(crate) fn poll_take<T>(
        &mut self,
        context: &mut Context<'_>,
        limit: usize,
        take: impl FnOnce(&mut Context<'_>, &[u8]) -> (usize, T),
    ) -> Poll<io::Result<T>> {
        if !self.buffered().is_empty() {
            let (count, value) = take(context, self.buffered());
            self.consume(count);
            return Poll::Ready(Ok(value));
        }
        SCRATCH_BUFFER.with_borrow_mut(|scratch| {
            let limit = limit.min(scratch.len());
            let scratch = scratch.get_mut(..limit).unwrap_or_default();
            let count = ready!(self.poll_read(context, scratch))?;
            let came = scratch.get(..count).unwrap_or_default();
            let (taken, value) = take(context, came);
            self.keep(came.get(taken..).unwrap_or_default());
            Poll::Ready(Ok(value))
        })
    }

    /// Reads more bytes into the buffer.
    pub(crate) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH_BUFFER.with_borrow_mut(|scratch| {
            let scratch = scratch.get_mut(..HEAD_READ).unwrap_or_default();
            let count = ready!(self.poll_read(context, scratch))?;
            self.keep(scratch.get(..count).unwrap_or_default());
            Poll::Ready(Ok(count))
        })
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.half.poll_read(context, buffer))?;
        self.received += count as u64;
        Poll::Ready(Ok(count))
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Keeps the bytes that arrived with a complete head: the beginning of its body, or the
    /// next message. These are consumed soon, so that a spare buffer is used for them.
    fn keep_after_head(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.buffer.capacity() == 0 && bytes.len() <= BUFFER_SIZE {
            self.buffer = take_buffer();
        }
        self.keep(bytes);
    }
}

/// The writing side of a connection.
pub(crate) struct Writer {
    half: WriteHalf,
    pending: Vec<u8>,
    written: usize,
    sent: u64,
}

impl Writer {
    pub(crate) fn new(half: WriteHalf) -> Self {
        Self {
            half,
            pending: Vec::new(),
            written: 0,
            sent: 0,
        }
    }

    /// The number of bytes written in total.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// The buffer of output that the next flush writes.
    pub(crate) fn pending(&mut self) -> &mut Vec<u8> {
        if self.pending.capacity() == 0 {
            self.pending = take_buffer();
        }
        &mut self.pending
    }

    /// The number of bytes that wait to be written.
    pub(crate) fn backlog(&self) -> usize {
        self.pending.len() - self.written
    }

    /// The HTTP/2 stream of a client that is written to, if it is one.
    pub(crate) fn http2(&self) -> Option<&Http2Stream> {
        self.half.http2()
    }

    /// True if an HTTP/2 stream is written to.
    pub(crate) fn is_stream(&self) -> bool {
        self.half.is_stream()
    }

    /// True if an HTTP/2 stream of an upstream is written to.
    pub(crate) fn is_upstream(&self) -> bool {
        self.half.is_upstream()
    }

    /// The body that was written to an HTTP/2 stream is complete, and these trailers follow.
    pub(crate) fn end(&self, trailers: &Fields) {
        self.half.end(trailers);
    }

    /// True if bytes wait until the peer reads.
    pub(crate) fn is_blocked(&self) -> bool {
        self.backlog() > 0 || self.half.holds_bytes()
    }

    /// Gives the buffer back if nothing is pending.
    pub(crate) fn release_buffer(&mut self) {
        if self.backlog() == 0 {
            give_back(std::mem::take(&mut self.pending));
            self.written = 0;
        }
    }

    /// Writes all pending bytes.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.backlog() > 0 {
            let pending = self.pending.get(self.written..).unwrap_or_default();
            let count = ready!(self.half.poll_write(context, pending, &[]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.sent += count as u64;
        }
        self.clear_pending();
        self.half.poll_flush(context)
    }

    /// Writes all pending bytes.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_flush(context)).await
    }

    /// Sends `data` after the pending bytes. What the socket accepts at once is not copied;
    /// the rest becomes pending. Small data is appended to pending bytes without a write.
    pub(crate) fn send(&mut self, context: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        if data.len() <= BUFFER_SIZE && self.backlog() > 0 {
            self.pending.extend_from_slice(data);
            return Ok(());
        }
        let pending = self.pending.get(self.written..).unwrap_or_default();
        let polled = if pending.is_empty() {
            self.half.poll_write(context, data, &[])
        } else {
            self.half.poll_write(context, pending, data)
        };
        let count = match polled {
            Poll::Ready(count) => count?,
            Poll::Pending => 0,
        };
        self.sent += count as u64;
        let of_pending = count.min(pending.len());
        self.written += of_pending;
        let rest = data.get(count - of_pending..).unwrap_or_default();
        if self.backlog() == 0 {
            self.clear_pending();
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// Sends `data` from the offset `at` after the pending bytes, without copying it. `at` is
    /// advanced even if the poll is pending.
    pub(crate) fn poll_send_all(
        &mut self,
        context: &mut Context<'_>,
        data: &[u8],
        at: &mut usize,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = data.get(*at..).filter(|rest| !rest.is_empty()) {
            let pending = self.pending.get(self.written..).unwrap_or_default();
            let count = ready!(if pending.is_empty() {
                self.half.poll_write(context, rest, &[])
            } else {
                self.half.poll_write(context, pending, rest)
            })?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_pending = count.min(pending.len());
            self.written += of_pending;
            *at += count - of_pending;
            self.sent += count as u64;
            if self.backlog() == 0 {
                self.clear_pending();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends at most `count` bytes of a file after the pending bytes, and returns how many.
    pub(crate) fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        count: usize,
    ) -> Poll<io::Result<usize>> {
        while self.backlog() > 0 {
            let pending = self.pending.get(self.written..).unwrap_or_default();
            let count = ready!(self.half.poll_write_more(context, pending))?;
            self.written += count;
            self.sent += count as u64;
        }
        self.clear_pending();
        let count = ready!(self.half.poll_send_file(context, file, offset, count))?;
        self.sent += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Takes the bytes that wait to be written.
    pub(crate) fn take_backlog(&mut self) -> Vec<u8> {
        let backlog = self
            .pending
            .get(self.written..)
            .unwrap_or_default()
            .to_vec();
        self.clear_pending();
        backlog
    }

    /// Writes some of these bytes, which another buffer holds.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.half.poll_write(context, bytes, &[]))?;
        self.sent += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Resets the connection as soon as its reading half is dropped too.
    pub(crate) fn reset(self) {
        self.half.reset();
    }

    /// Closes the writing direction of the connection.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.poll_shutdown(context)
    }

    /// Closes the writing direction of the connection.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_shutdown(context)).await
    }

    fn clear_pending(&mut self) {
        self.written = 0;
        self.pending.clear();
        if self.pending.capacity() > BUFFER_SIZE {
            self.pending = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_did_not_grow_is_lent_again() {
        let mut buffer = take_buffer();
        buffer.extend_from_slice(&[b'x'; BUFFER_SIZE]);
        let place = buffer.as_ptr();
        give_back(buffer);
        let again = take_buffer();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        // The one and only spare buffer is lent, and a large one takes no place.
        give_back(vec![0; BUFFER_SIZE + 1]);
        give_back(Vec::new());
        assert_eq!(take_buffer().capacity(), BUFFER_SIZE);
    }

    #[test]
    fn no_more_buffers_are_kept_than_are_worth_it() {
        let lent: Vec<_> = (0..=SPARE_BUFFERS).map(|_| take_buffer()).collect();
        lent.into_iter().for_each(give_back);
        assert_eq!(SPARE.with_borrow(Vec::len), SPARE_BUFFERS);
    }
}
