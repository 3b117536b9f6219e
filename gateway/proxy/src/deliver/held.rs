//! Sends a body that the gateway holds.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use janua_cache::FillReader;
use janua_files::Pool;
use janua_http::failure::Kind;
use janua_http::{Failure, Fields, Length};
use rustix::io::{Errno, ReadWriteFlags};

use super::{begin, reads_too_slowly, settle_length};
use crate::body::{Receiver as _, client_gone};
use crate::content::{Content, Extent, Piece};
use crate::deadline::Deadline;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::incoming::{BodyState, Incoming};
use crate::outgoing::Outgoing;
use crate::race::{self, Progress};
use crate::responder::Fate;

/// The most bytes of a request body that are read and discarded, so that the connection
/// can be reused after a response that did not need the body.
const DRAIN_BYTES: u64 = 64 * 1024;
/// The longest time for that.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);
/// The longest time between two writes, unless the route sets it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many bytes of a file are checked for residence in memory and sent at once.
const WINDOW: usize = 1024 * 1024;
/// Bodies of at most this many bytes are copied behind the head and sent with it in one
/// write.
const SMALL: usize = 4 * 1024;

/// Sends the head and then the content.
///
/// # Errors
/// The client does not read the response, or the source of the content fails.
pub(super) async fn deliver(
    exchange: &mut Exchange,
    client: Downstream<'_>,
    content: Content,
) -> Result<Fate, Failure> {
    let head = &mut exchange.heads.response;
    head.fields.remove(b"content-length");
    // A body that the gateway holds has no trailers.
    head.fields.remove(b"trailer");
    let length = content.length().map_or(Length::Open, Length::Exactly);
    let answers_head = exchange.heads.request.method == b"HEAD";
    let length = settle_length(head, length, answers_head);
    if let Length::Exactly(bytes) = length {
        let digits = itoa::Buffer::new().format(bytes).to_owned();
        head.fields.append(b"Content-Length", digits.as_bytes());
    }
    let rest = match client.incoming.is_of_one_request() {
        true => BodyState::Read,
        false => client.incoming.state(),
    };
    let fate = match rest {
        _ if exchange.record.failure.is_some_and(breaks_framing) => Fate::Close,
        _ if !client.responder.is_self_delimited(length) => Fate::Close,
        BodyState::Read => exchange.fate(),
        BodyState::Untouched if may_drain(exchange, &client) => exchange.fate(),
        BodyState::Untouched | BodyState::Begun => Fate::Close,
    };
    let Downstream {
        incoming,
        responder,
        deadline,
    } = client;
    let outgoing = begin(exchange, responder, length, fate);
    let has_body = length != Length::None && !answers_head;
    let content = if has_body { content } else { Content::empty() };
    send(exchange, incoming, outgoing, deadline, content).await?;
    if fate == Fate::KeepAlive && rest == BodyState::Untouched {
        let is_read = incoming.discard(DRAIN_BYTES, DRAIN_PATIENCE, deadline);
        if !is_read.await {
            return Ok(Fate::Close);
        }
    }
    Ok(fate)
}

/// True for failures after which it is unknown where the next request begins.
fn breaks_framing(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::BadRequest
            | Kind::RequestHeadTooLarge
            | Kind::RequestBodyTooLarge
            | Kind::RequestTimeout
            | Kind::TransferCoding
            | Kind::HttpVersion
            | Kind::MethodRefused
            | Kind::Draining
    )
}

/// True if the rest of the request body is short and certain to arrive, so that it can be
/// read and discarded. A client that waits for `100 Continue` may or may not send the body
/// (RFC 9110 §10.1.1).
fn may_drain(exchange: &Exchange, client: &Downstream<'_>) -> bool {
    let waits = exchange.heads.request.expects_continue && client.responder.may_continue();
    let left = client.incoming.sent_length().known().unwrap_or(u64::MAX);
    left == 0 || (left <= DRAIN_BYTES && !waits)
}

async fn send(
    exchange: &mut Exchange,
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    deadline: &mut Deadline,
    content: Content,
) -> Result<(), Failure> {
    let patience = exchange
        .terms
        .as_ref()
        .and_then(|terms| terms.idle_timeout)
        .unwrap_or(PATIENCE);
    let worker = std::rc::Rc::clone(&exchange.worker);
    let mut sending = Sending {
        outgoing,
        pool: worker.estate.files.pool(),
        progress: &Progress::default(),
        sent: &mut exchange.record.bytes_out,
    };
    let progress = sending.progress;
    let sending = async {
        match content {
            Content::Pieces(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Bytes(bytes) => sending.bytes(&bytes).await?,
                        Piece::File(extent) => sending.file(extent).await?,
                    }
                }
            }
            Content::Growing { mut reader, .. } => {
                // The client may half-close the connection while the body is awaited.
                race::unless_reset(Some(incoming), async {
                    while let Some(bytes) = sending.next(&mut reader).await? {
                        sending.part(&bytes).await?;
                    }
                    Ok(())
                })
                .await?;
                sending.outgoing.end(&Fields::default());
            }
        }
        sending.flush().await
    };
    let ended = race::paced(deadline, patience, progress, sending).await;
    ended.unwrap_or_else(|_| {
        Err(Failure::with(
            Kind::ClientGone,
            "stopped reading the response",
        ))
    })
}

/// A body that is being sent to the client.
struct Sending<'a> {
    outgoing: &'a mut Outgoing,
    pool: &'a Pool,
    progress: &'a Progress,
    /// Bytes of the body sent so far.
    sent: &'a mut u64,
}

impl Sending<'_> {
    /// Records what was written, and fails if the client reads too slowly.
    fn track<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<Result<T, Failure>> {
        self.progress.set(self.outgoing.writer.sent());
        if self.outgoing.is_read_too_slowly(polled.is_pending()) {
            return Poll::Ready(Err(reads_too_slowly()));
        }
        polled.map_err(client_gone)
    }

    /// The next part of a body that is still arriving. Pending output is written while
    /// waiting for it.
    async fn next(&mut self, reader: &mut FillReader) -> Result<Option<Bytes>, Failure> {
        let next = poll_fn(|context| match reader.poll_next(context) {
            Poll::Ready(next) => Poll::Ready(Ok(next)),
            Poll::Pending => match self.poll_flush(context) {
                Poll::Ready(Err(failure)) => Poll::Ready(Err(failure)),
                _ => Poll::Pending,
            },
        });
        match next.await? {
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(_)) => Err(Kind::ResponseIncomplete.into()),
            None => Ok(None),
        }
    }

    /// Sends a part of a body whose length may be unknown.
    async fn part(&mut self, bytes: &Bytes) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.outgoing.begin_data(bytes.len());
        self.bytes(bytes).await?;
        self.outgoing.end_data();
        Ok(())
    }

    async fn bytes(&mut self, bytes: &Bytes) -> Result<(), Failure> {
        if bytes.len() <= SMALL {
            self.outgoing.writer.pending().extend_from_slice(bytes);
            *self.sent += bytes.len() as u64;
            return Ok(());
        }
        let before = *self.sent;
        let mut at = 0;
        poll_fn(|context| {
            let writer = &mut self.outgoing.writer;
            let polled = writer.poll_send_all(context, bytes, &mut at);
            *self.sent = before + at as u64;
            self.track(polled)
        })
        .await
    }

    async fn file(&mut self, extent: Extent) -> Result<(), Failure> {
        let Extent {
            file,
            mut offset,
            length,
        } = extent;
        let end = offset + length;
        let mut resident_to = offset;
        while offset < end {
            let count = usize::try_from(end - offset).map_or(WINDOW, |left| left.min(WINDOW));
            if offset >= resident_to {
                read_ahead(self.pool, &file, offset, count).await?;
                resident_to = offset + count as u64;
            }
            let moved = poll_fn(|context| {
                let writer = &mut self.outgoing.writer;
                let polled = writer.poll_send_file(context, &file, offset, count);
                self.track(polled)
            })
            .await?;
            if moved == 0 {
                // The file has been truncated since its length was announced.
                let words = "the file ended early";
                return Err(Failure::with(Kind::ResponseIncomplete, words));
            }
            offset += moved as u64;
            *self.sent += moved as u64;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        poll_fn(|context| self.poll_flush(context)).await
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let flushed = self.outgoing.writer.poll_flush(context);
        self.track(flushed)
    }
}

/// Lets the pool read the next bytes of the file into the page cache, unless they are
/// there: otherwise `sendfile` would block the worker on the disk.
async fn read_ahead(
    pool: &Pool,
    file: &Arc<File>,
    offset: u64,
    count: usize,
) -> Result<(), Failure> {
    if is_resident(file, offset, count) {
        return Ok(());
    }
    let file = Arc::clone(file);
    let read = pool.run(move || {
        let mut buffer = vec![0; count];
        let mut at = 0;
        while let Some(rest) = buffer.get_mut(at..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + at as u64) {
                Ok(0) | Err(_) => break,
                Ok(count) => at += count,
            }
        }
    });
    match read.await {
        Ok(()) => Ok(()),
        Err(_) => Err(Kind::FilesBusy.into()),
    }
}

/// True if the bytes are in the page cache. Only the first and the last are checked: of a
/// file that is read in order, either both are resident or the rest is not either. A file
/// system that does not support the check is assumed to be in memory.
fn is_resident(file: &File, offset: u64, count: usize) -> bool {
    let last = offset + (count as u64).saturating_sub(1);
    [offset, last].into_iter().all(|at| {
        let mut byte = [0];
        let mut buffers = [io::IoSliceMut::new(&mut byte)];
        let read = rustix::io::preadv2(file, &mut buffers, at, ReadWriteFlags::NOWAIT);
        read != Err(Errno::AGAIN)
    })
}

#[cfg(test)]
mod tests;
