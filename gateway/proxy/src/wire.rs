//! Reading and writing a connection with as little memory and as few system
//! calls as there can be.
//!
//! Bytes are read into one scratch buffer of the worker, and what is wanted
//! is taken from there at once; only what must wait is copied into the
//! connection's own buffer. So an idle connection holds no buffer at all.
//! What is written is collected and goes out in one system call.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::task::{Context, Poll, ready};

use janua_http::HeadError;

use crate::transport::{Idle, ReadHalf, WriteHalf};

/// How much is read at once of a body.
const SCRATCH: usize = 128 * 1024;
/// How much is read at once where a head is expected: what follows it must be copied.
const HEAD_READ: usize = 16 * 1024;
/// The size of a fresh buffer. One that grew larger is freed when it is empty.
const KEEP: usize = 4 * 1024;
/// Buffers that a worker keeps for the connections that need one next.
const SPARE_BUFFERS: usize = 64;

thread_local! {
    // One a worker: every poll borrows it for the length of one read, and no
    // borrow lives across an await.
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer with room for a head and a small body, so that neither makes it grow.
fn lend() -> Vec<u8> {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| Vec::with_capacity(KEEP))
}

/// Takes a buffer back, for the next connection that needs one.
fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() != KEEP {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    });
}

/// Looks for a whole head, and says how many bytes it takes.
pub(crate) type ParseHead<'a> = dyn FnMut(&[u8]) -> Result<Option<usize>, HeadError> + 'a;

/// Why a head could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The peer closed before the first byte.
    Closed,
    /// The peer closed in the middle.
    Incomplete,
    /// The connection failed.
    Io(io::Error),
    /// What came is not a head.
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

    /// All bytes that have come.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// What has come and is not consumed yet.
    pub(crate) fn buffered(&self) -> &[u8] {
        self.buffer.get(self.consumed..).unwrap_or_default()
    }

    /// Takes bytes off the front of `buffered`.
    pub(crate) fn consume(&mut self, count: usize) {
        self.consumed += count;
        if self.consumed >= self.buffer.len() {
            self.consumed = 0;
            self.buffer.clear();
            if self.buffer.capacity() > KEEP {
                self.buffer = Vec::new();
            }
        }
    }

    /// Gives back all memory; only if nothing is buffered.
    pub(crate) fn release_buffer(&mut self) {
        if self.buffered().is_empty() {
            give_back(std::mem::take(&mut self.buffer));
            self.consumed = 0;
        }
    }

    /// What the other side has done since all that was asked for has come.
    pub(crate) fn idle_state(&self) -> Idle {
        match Idle::of(self.buffered()) {
            Idle::Quiet => self.half.idle_state(),
            unasked => unasked,
        }
    }

    /// Ready once there is something to read, or the end.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.buffered().is_empty() {
            return self.half.poll_readable(context);
        }
        Poll::Ready(())
    }

    /// Reads until `parse` finds a whole head, which says how many bytes it took.
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
                let count = ready!(self.poll_read(context, scratch)).map_err(ReadError::Io)?;
                let came = scratch.get(..count).unwrap_or_default();
                if count == 0 {
                    let nothing = self.buffered().is_empty();
                    return Poll::Ready(Err(if nothing {
                        ReadError::Closed
                    } else {
                        ReadError::Incomplete
                    }));
                }
                if self.buffered().is_empty() {
                    if let Some(size) = parse(came).map_err(ReadError::Head)? {
                        self.keep_behind_head(came.get(size..).unwrap_or_default());
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

    /// A head that drips in is parsed again only when its end may have come,
    /// or it is too large: otherwise n bytes would cost n² steps.
    fn may_hold_head(&self, seen: usize, limit: usize) -> bool {
        let buffered = self.buffered();
        let tail = buffered.get(seen.saturating_sub(3)..).unwrap_or_default();
        buffered.len() > limit
            || memchr::memchr_iter(b'\n', tail).any(|at| {
                let next = tail.get(at + 1..).unwrap_or_default();
                next.starts_with(b"\n") || next.starts_with(b"\r\n")
            })
    }

    /// Hands what has come, or comes next, to `take`, which says how much of
    /// it is done with. An empty slice is the end of the stream.
    pub(crate) fn poll_take<T>(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut Context<'_>, &[u8]) -> (usize, T),
    ) -> Poll<io::Result<T>> {
        if !self.buffered().is_empty() {
            let (count, value) = take(context, self.buffered());
            self.consume(count);
            return Poll::Ready(Ok(value));
        }
        SCRATCH_BUFFER.with_borrow_mut(|scratch| {
            let count = ready!(self.poll_read(context, scratch))?;
            let came = scratch.get(..count).unwrap_or_default();
            let (taken, value) = take(context, came);
            self.keep(came.get(taken..).unwrap_or_default());
            Poll::Ready(Ok(value))
        })
    }

    /// Takes in some more beside what is buffered already.
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

    /// Keeps what came with a whole head, the front of its body or the next
    /// message: unlike a head that drips in, it is taken before long, and a lent
    /// buffer with it.
    fn keep_behind_head(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.buffer.capacity() == 0 && bytes.len() <= KEEP {
            self.buffer = lend();
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

    /// All bytes that have gone out.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Where to put what goes out with the next flush.
    pub(crate) fn pending(&mut self) -> &mut Vec<u8> {
        if self.pending.capacity() == 0 {
            self.pending = lend();
        }
        &mut self.pending
    }

    /// How much waits to go out.
    pub(crate) fn backlog(&self) -> usize {
        self.pending.len() - self.written
    }

    /// Gives back all memory; only if nothing is pending.
    pub(crate) fn release_buffer(&mut self) {
        if self.backlog() == 0 {
            give_back(std::mem::take(&mut self.pending));
            self.written = 0;
        }
    }

    /// Writes all that is pending.
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
        self.forget();
        Poll::Ready(Ok(()))
    }

    /// Writes all that is pending.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_flush(context)).await
    }

    /// Sends `data` behind what is pending, without copying what the socket
    /// takes at once; the rest becomes pending. Small data joins a pending
    /// head and goes out with the next flush.
    pub(crate) fn send(&mut self, context: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        if data.len() <= KEEP && self.backlog() > 0 {
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
            self.forget();
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// Sends `data` from `at` on, behind what is pending, without copying any
    /// of it. `at` says how far it came, also when there is no end yet.
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
                self.forget();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends bytes of a file behind what is pending; how many of them.
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
        self.forget();
        let count = ready!(self.half.poll_send_file(context, file, offset, count))?;
        self.sent += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Resets the connection once its reading half is dropped too.
    pub(crate) fn reset(self) {
        self.half.reset();
    }

    /// Says to the peer that nothing more will come.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.poll_shutdown(context)
    }

    /// Says to the peer that nothing more will come.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_shutdown(context)).await
    }

    fn forget(&mut self) {
        self.written = 0;
        self.pending.clear();
        if self.pending.capacity() > KEEP {
            self.pending = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_did_not_grow_is_lent_again() {
        let mut buffer = lend();
        buffer.extend_from_slice(&[b'x'; KEEP]);
        let place = buffer.as_ptr();
        give_back(buffer);
        let again = lend();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        // The one and only spare buffer is lent, and a large one takes no place.
        give_back(vec![0; KEEP + 1]);
        give_back(Vec::new());
        assert_eq!(lend().capacity(), KEEP);
    }

    #[test]
    fn no_more_buffers_are_kept_than_are_worth_it() {
        let lent: Vec<_> = (0..=SPARE_BUFFERS).map(|_| lend()).collect();
        lent.into_iter().for_each(give_back);
        assert_eq!(SPARE.with_borrow(Vec::len), SPARE_BUFFERS);
    }
}
