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
use janua_http::{Failure, Fields};

use crate::body::{Receiver, TransferError};
use crate::coder::{Coder, SLICE, Step};
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::race::Progress;
use crate::wire::Writer;

/// How much may wait for the client before no more is read.
const BACKLOG: usize = 64 * 1024;

/// Reads a body and writes it coded.
///
/// # Errors
/// The upstream's failure, or a client that does not take it.
pub(super) async fn pass(
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    mut coder: Coder,
    progress: &Progress,
    bytes_out: &mut u64,
) -> Result<(), Failure> {
    let mut came = Came::default();
    let mut coded = Vec::new();
    loop {
        let next = poll_fn(|context| {
            let polled = poll(incoming, &mut came, context, &mut outgoing.writer);
            progress.set(incoming.reader.received() + outgoing.writer.sent());
            polled
        });
        let step = next.await?;
        coder.code(&mut came.data, step, &mut coded).await?;
        *bytes_out += coded.len() as u64;
        if !coded.is_empty() {
            outgoing.push(&coded);
            coded.clear();
        }
        if step == Step::Finish {
            break;
        }
    }
    apply::retain_true(&mut came.trailers);
    outgoing.end(&came.trailers);
    poll_fn(|context| {
        let flushed = outgoing.writer.poll_flush(context);
        progress.set(incoming.reader.received() + outgoing.writer.sent());
        flushed
    })
    .await
    .map_err(gone)
}

/// Takes what has come, as much as is coded at once; says what is to be done
/// with it. What waits for the client goes out meanwhile.
fn poll(
    incoming: &mut Incoming,
    came: &mut Came,
    context: &mut Context<'_>,
    writer: &mut Writer,
) -> Poll<Result<Step, Failure>> {
    loop {
        if writer.backlog() >= BACKLOG {
            ready!(writer.poll_flush(context)).map_err(gone)?;
        }
        if incoming.is_done() {
            return Poll::Ready(Ok(Step::Finish));
        }
        if came.data.len() >= SLICE {
            return Poll::Ready(Ok(Step::Write));
        }
        match incoming.poll_piece(context, came) {
            Poll::Ready(taken) => taken.map_err(TransferError::of_response)?,
            Poll::Pending if came.data.is_empty() => {
                ready!(writer.poll_flush(context)).map_err(gone)?;
                return Poll::Pending;
            }
            Poll::Pending => return Poll::Ready(Ok(Step::Flush)),
        }
    }
}

/// What has come and is not coded yet.
#[derive(Default)]
struct Came {
    data: Vec<u8>,
    trailers: Fields,
}

impl Receiver for Came {
    fn data(&mut self, _: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        self.data.extend_from_slice(data);
        Ok(())
    }

    fn end(&mut self, trailers: &Fields) {
        self.trailers.clone_from(trailers);
    }
}

fn gone(error: io::Error) -> Failure {
    Failure::with(Kind::ClientGone, error.kind().to_string())
}
