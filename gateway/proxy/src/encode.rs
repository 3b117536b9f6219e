//! Passes a body on in a content coding, as it comes.
//!
//! Whenever nothing more comes for the moment, what the encoder holds back is
//! flushed: a response that is made slowly arrives as slowly as it is made, and
//! not in one piece at its end (P6).

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use janua_compress::{EncodeError, Encoder};
use janua_http::failure::Kind;
use janua_http::{Failure, Fields, Framing, chunked};

use crate::body::{Receiver, Transfer, TransferError};
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
    encoder: Box<Encoder>,
) -> Result<(), Failure> {
    let mut transfer = Transfer::new(framing, Framing::UntilClose, u64::MAX);
    let mut coding = Coding {
        encoder: Some(encoder),
        coded: Vec::new(),
        is_chunked: outgoing == Framing::Chunked,
        holds_back: false,
        size: 0,
    };
    poll_fn(|context| {
        let passed = poll(&mut transfer, &mut coding, context, reader, writer);
        exchange.record.bytes_out = coding.size;
        passed
    })
    .await
}

fn poll(
    transfer: &mut Transfer,
    coding: &mut Coding,
    context: &mut Context<'_>,
    reader: &mut Reader,
    writer: &mut Writer,
) -> Poll<Result<(), Failure>> {
    loop {
        if transfer.is_done() {
            coding.finish(writer).map_err(broken)?;
            return writer.poll_flush(context).map_err(gone);
        }
        if writer.backlog() >= BACKLOG {
            ready!(writer.poll_flush(context)).map_err(gone)?;
        }
        match transfer.poll_piece(context, reader, coding) {
            Poll::Ready(taken) => {
                taken.map_err(TransferError::of_response)?;
                coding.write(writer);
            }
            Poll::Pending => {
                coding.flush(writer).map_err(broken)?;
                ready!(writer.poll_flush(context)).map_err(gone)?;
                return Poll::Pending;
            }
        }
    }
}

struct Coding {
    /// None once it is finished.
    encoder: Option<Box<Encoder>>,
    coded: Vec<u8>,
    is_chunked: bool,
    /// Something went in since the last flush.
    holds_back: bool,
    size: u64,
}

impl Coding {
    fn flush(&mut self, writer: &mut Writer) -> Result<(), EncodeError> {
        if std::mem::take(&mut self.holds_back)
            && let Some(encoder) = &mut self.encoder
        {
            encoder.flush(&mut self.coded)?;
            self.write(writer);
        }
        Ok(())
    }

    fn finish(&mut self, writer: &mut Writer) -> Result<(), EncodeError> {
        let Some(encoder) = self.encoder.take() else {
            return Ok(());
        };
        encoder.finish(&mut self.coded)?;
        self.write(writer);
        if self.is_chunked {
            chunked::write_end(writer.pending(), &Fields::default());
        }
        Ok(())
    }

    /// Makes what is coded so far pending.
    fn write(&mut self, writer: &mut Writer) {
        if self.coded.is_empty() {
            return;
        }
        self.size += self.coded.len() as u64;
        let pending = writer.pending();
        if self.is_chunked {
            chunked::write_size(pending, self.coded.len());
        }
        pending.append(&mut self.coded);
        if self.is_chunked {
            pending.extend_from_slice(b"\r\n");
        }
    }
}

impl Receiver for Coding {
    fn send(&mut self, _: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        self.holds_back = true;
        let Some(encoder) = &mut self.encoder else {
            return Ok(());
        };
        let coded = encoder.write(data, &mut self.coded);
        coded.map_err(|_| io::ErrorKind::Other.into())
    }

    fn chunk(&mut self, _: &[u8]) {}

    fn end(&mut self, _: &Fields) {}
}

fn broken(_: EncodeError) -> Failure {
    Failure::with(Kind::Internal, "the response could not be compressed")
}

fn gone(error: io::Error) -> Failure {
    Failure::with(Kind::ClientGone, error.kind().to_string())
}
