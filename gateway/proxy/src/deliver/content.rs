//! Sends a body that the gateway holds.

use std::cell::Cell;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use janua_cache::FillReader;
use janua_files::Pool;
use janua_http::failure::Kind;
use janua_http::{Failure, Fields, Framing, chunked};
use rustix::io::{Errno, ReadWriteFlags};

use crate::client::Client;
use crate::content::{Content, Extent, Piece};
use crate::exchange::Exchange;
use crate::race;
use crate::wire::Writer;

/// The longest time between two writes, where the route says nothing.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of a file is looked at and sent at once.
const WINDOW: usize = 1024 * 1024;
/// What is at most this joins the head in one write, by a copy.
const SMALL: usize = 4 * 1024;

/// Sends all of it behind the head that is pending, and flushes.
///
/// # Errors
/// The client does not take it, or the source broke off.
pub(crate) async fn send(
    exchange: &mut Exchange,
    client: &mut Client,
    content: Content,
    outgoing: Framing,
) -> Result<(), Failure> {
    let patience = exchange
        .terms
        .as_ref()
        .and_then(|terms| terms.idle_timeout)
        .unwrap_or(PATIENCE);
    let sent = Cell::new(0);
    let Client {
        reader: client_reader,
        writer,
        deadline,
        ..
    } = client;
    let worker = std::rc::Rc::clone(&exchange.worker);
    let pool = worker.estate.files.pool();
    let is_chunked = outgoing == Framing::Chunked;
    let sending = async {
        match content {
            Content::Pieces(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Bytes(bytes) => send_bytes(writer, &bytes, &sent).await?,
                        Piece::File(extent) => send_file(writer, pool, extent, &sent).await?,
                    }
                }
            }
            Content::Growing { mut reader, .. } => {
                // What it waits for is not the client's to end.
                race::unless_reset(client_reader, async {
                    while let Some(bytes) = next(&mut reader, writer).await? {
                        send_part(writer, &bytes, is_chunked, &sent).await?;
                    }
                    Ok(())
                })
                .await?;
                end(writer, is_chunked);
            }
        }
        writer.flush().await.map_err(gone)
    };
    let ended = race::paced(deadline, patience, sending).await;
    exchange.record.bytes_out = sent.get();
    match ended {
        Ok(result) => result,
        Err(_) => Err(Failure::with(
            Kind::ClientGone,
            "stopped reading the response",
        )),
    }
}

/// What comes next of a body that is on its way; what is pending goes out
/// before it is waited for.
async fn next(reader: &mut FillReader, writer: &mut Writer) -> Result<Option<Bytes>, Failure> {
    let next = poll_fn(|context| match reader.poll_next(context) {
        Poll::Ready(next) => Poll::Ready(Ok(next)),
        Poll::Pending => match writer.poll_flush(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(gone(error))),
            _ => Poll::Pending,
        },
    });
    match next.await? {
        Some(Ok(bytes)) => Ok(Some(bytes)),
        Some(Err(_)) => Err(Kind::ResponseIncomplete.into()),
        None => Ok(None),
    }
}

async fn send_part(
    writer: &mut Writer,
    bytes: &Bytes,
    is_chunked: bool,
    sent: &Cell<u64>,
) -> Result<(), Failure> {
    if bytes.is_empty() {
        return Ok(());
    }
    if is_chunked {
        chunked::write_size(writer.pending(), bytes.len());
    }
    send_bytes(writer, bytes, sent).await?;
    if is_chunked {
        writer.pending().extend_from_slice(b"\r\n");
    }
    Ok(())
}

fn end(writer: &mut Writer, is_chunked: bool) {
    if is_chunked {
        chunked::write_end(writer.pending(), &Fields::default());
    }
}

async fn send_bytes(writer: &mut Writer, bytes: &Bytes, sent: &Cell<u64>) -> Result<(), Failure> {
    let before = sent.get();
    if bytes.len() <= SMALL {
        writer.pending().extend_from_slice(bytes);
        sent.set(before + bytes.len() as u64);
        return Ok(());
    }
    let mut at = 0;
    poll_fn(|context| {
        let polled = writer.poll_send_all(context, bytes, &mut at);
        sent.set(before + at as u64);
        polled
    })
    .await
    .map_err(gone)
}

async fn send_file(
    writer: &mut Writer,
    pool: &Pool,
    extent: Extent,
    sent: &Cell<u64>,
) -> Result<(), Failure> {
    let Extent {
        file,
        mut offset,
        length,
    } = extent;
    let end = offset + length;
    let mut warm_to = offset;
    while offset < end {
        let count = usize::try_from(end - offset).map_or(WINDOW, |left| left.min(WINDOW));
        if offset >= warm_to {
            warm(pool, &file, offset, count).await?;
            warm_to = offset + count as u64;
        }
        let moved = poll_fn(|context| writer.poll_send_file(context, &file, offset, count))
            .await
            .map_err(gone)?;
        if moved == 0 {
            // Somebody has cut the file short since its length was promised.
            return Err(Failure::with(
                Kind::ResponseIncomplete,
                "the file ended early",
            ));
        }
        offset += moved as u64;
        sent.set(sent.get() + moved as u64);
    }
    Ok(())
}

/// Has the file's next bytes read into memory by the pool, unless they are
/// there: to send them would make the worker wait for the disk.
async fn warm(pool: &Pool, file: &Arc<File>, offset: u64, count: usize) -> Result<(), Failure> {
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

/// Looks at the first and the last byte, which a file that is read in order
/// has in memory together mostly. A file system that cannot say is taken to be
/// one in memory.
fn is_resident(file: &File, offset: u64, count: usize) -> bool {
    let last = offset + (count as u64).saturating_sub(1);
    [offset, last].into_iter().all(|at| {
        let mut byte = [0];
        let mut buffers = [io::IoSliceMut::new(&mut byte)];
        let read = rustix::io::preadv2(file, &mut buffers, at, ReadWriteFlags::NOWAIT);
        read != Err(Errno::AGAIN)
    })
}

fn gone(error: io::Error) -> Failure {
    Failure::with(Kind::ClientGone, error.kind().to_string())
}
