//! Passes a body on in a content coding, as it comes.
//!
//! Whenever nothing more comes for the moment, what the encoder holds back is
//! flushed: a response that is made slowly arrives as slowly as it is made, and
//! not in one piece at its end (P6).

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use janua_compress::apply;
use janua_http::failure::Kind;
use janua_http::{Failure, Fields, Framing};

use crate::body::{Receiver, Transfer, TransferError};
use crate::coder::{Coder, SLICE, Step};
use crate::exchange::Exchange;
use crate::wire::{Reader, Writer};

/// How much may wait for the client before no more is read.
const BACKLOG: usize = 64 * 1024;

/// Reads a body framed as `framing` and writes it coded, framed as `outgoing`.
///
/// # Errors
/// The upstream's failure, or a client that does not take it.
pub(crate) async fn pass(
    exchange: &mut Exchange,
    reader: &mut Reader,
    writer: &mut Writer,
    framing: Framing,
    outgoing: Framing,
    mut coder: Coder,
) -> Result<(), Failure> {
    // As chunks, since only those have trailers.
    let mut transfer = Transfer::new(framing, Framing::Chunked, u64::MAX);
    let mut came = Came::default();
    let mut coded = Vec::new();
    let is_chunked = outgoing == Framing::Chunked;
    loop {
        let next = poll_fn(|context| poll(&mut transfer, &mut came, context, reader, writer));
        let step = next.await?;
        coder.code(&mut came.data, step, &mut coded).await?;
        exchange.record.bytes_out += coded.len() as u64;
        write(&mut coded, is_chunked, writer);
        if step == Step::Finish {
            break;
        }
    }
    if is_chunked {
        apply::retain_true(&mut came.trailers);
        writer.end(&came.trailers);
    }
    writer.flush().await.map_err(gone)
}

/// Takes what has come, as much as is coded at once; says what is to be done
/// with it. What waits for the client goes out meanwhile.
fn poll(
    transfer: &mut Transfer,
    came: &mut Came,
    context: &mut Context<'_>,
    reader: &mut Reader,
    writer: &mut Writer,
) -> Poll<Result<Step, Failure>> {
    loop {
        if writer.backlog() >= BACKLOG {
            ready!(writer.poll_flush(context)).map_err(gone)?;
        }
        if transfer.is_done() {
            return Poll::Ready(Ok(Step::Finish));
        }
        if came.data.len() >= SLICE {
            return Poll::Ready(Ok(Step::Write));
        }
        match transfer.poll_piece(context, reader, came) {
            Poll::Ready(taken) => taken.map_err(TransferError::of_response)?,
            Poll::Pending if came.data.is_empty() => {
                ready!(writer.poll_flush(context)).map_err(gone)?;
                return Poll::Pending;
            }
            Poll::Pending => return Poll::Ready(Ok(Step::Flush)),
        }
    }
}

/// Makes what is coded so far pending.
fn write(coded: &mut Vec<u8>, is_chunked: bool, writer: &mut Writer) {
    if coded.is_empty() {
        return;
    }
    if is_chunked {
        writer.chunk(coded);
        coded.clear();
    } else {
        writer.pending().append(coded);
    }
}

/// What has come and is not coded yet.
#[derive(Default)]
struct Came {
    data: Vec<u8>,
    trailers: Fields,
}

impl Receiver for Came {
    fn send(&mut self, _: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        self.chunk(data);
        Ok(())
    }

    fn chunk(&mut self, data: &[u8]) {
        self.data.extend_from_slice(data);
    }

    fn end(&mut self, trailers: &Fields) {
        self.trailers.clone_from(trailers);
    }
}

fn gone(error: io::Error) -> Failure {
    Failure::with(Kind::ClientGone, error.kind().to_string())
}
