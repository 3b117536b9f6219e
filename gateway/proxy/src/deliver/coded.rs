//! Streams a body to the client in a content coding.
//!
//! Whenever no more input is available for the moment, the encoder is flushed: each part
//! of a response that is generated slowly reaches the client at once, and not only when
//! the response is complete.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use janua_compress::apply;
use janua_http::{Failure, Fields};

use super::reads_too_slowly;
use crate::body::{Receiver, TransferError, client_gone};
use crate::coder::{Coder, SLICE, Step};
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::race::Progress;
use crate::wire::Writer;

/// How many bytes may wait to be written to the client before reading pauses.
const BACKLOG: usize = 64 * 1024;

/// Reads a body, encodes it and writes it to the client.
///
/// # Errors
/// The upstream fails, or the client does not read the response.
pub(super) async fn pass(
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    mut coder: Coder,
    progress: &Progress,
    bytes_out: &mut u64,
) -> Result<(), Failure> {
    let mut input = Input::default();
    let mut coded = Vec::new();
    loop {
        let next = poll_fn(|context| {
            let polled = poll(incoming, &mut input, context, &mut outgoing.writer);
            progress.set(incoming.reader.received() + outgoing.writer.sent());
            let is_blocked = outgoing.writer.is_blocked();
            if polled.is_pending() && outgoing.is_read_too_slowly(is_blocked) {
                return Poll::Ready(Err(reads_too_slowly()));
            }
            polled
        });
        let step = next.await?;
        coder.code(&mut input.data, step, &mut coded).await?;
        *bytes_out += coded.len() as u64;
        if !coded.is_empty() {
            outgoing.push(&coded);
            coded.clear();
        }
        if step == Step::Finish {
            break;
        }
    }
    apply::retain_true(&mut input.trailers);
    outgoing.end(&input.trailers);
    poll_fn(|context| {
        let flushed = outgoing.writer.poll_flush(context);
        progress.set(incoming.reader.received() + outgoing.writer.sent());
        if flushed.is_pending() && outgoing.is_read_too_slowly(true) {
            return Poll::Ready(Err(reads_too_slowly()));
        }
        flushed.map_err(client_gone)
    })
    .await
}

/// Collects input for one step of the encoder, and returns the step. Pending output is
/// written to the client meanwhile.
fn poll(
    incoming: &mut Incoming,
    input: &mut Input,
    context: &mut Context<'_>,
    writer: &mut Writer,
) -> Poll<Result<Step, Failure>> {
    loop {
        if writer.backlog() >= BACKLOG {
            ready!(writer.poll_flush(context)).map_err(client_gone)?;
        }
        if incoming.is_done() {
            return Poll::Ready(Ok(Step::Finish));
        }
        if input.data.len() >= SLICE {
            return Poll::Ready(Ok(Step::Write));
        }
        match incoming.poll_piece(context, input) {
            Poll::Ready(taken) => taken.map_err(TransferError::of_response)?,
            Poll::Pending if input.data.is_empty() => {
                ready!(writer.poll_flush(context)).map_err(client_gone)?;
                return Poll::Pending;
            }
            Poll::Pending => return Poll::Ready(Ok(Step::Flush)),
        }
    }
}

/// Input that has been received and is not encoded yet.
#[derive(Default)]
struct Input {
    data: Vec<u8>,
    trailers: Fields,
}

impl Receiver for Input {
    fn data(&mut self, _: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        self.data.extend_from_slice(data);
        Ok(())
    }

    fn end(&mut self, trailers: &Fields) {
        self.trailers.clone_from(trailers);
    }
}
