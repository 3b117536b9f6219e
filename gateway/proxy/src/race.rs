//! The two directions of an exchange at once: the request body goes up while
//! the response comes down, under one deadline.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};
use std::time::Duration;

use janua_http::Failure;
use janua_http::failure::Kind;

use crate::body::{Transfer, TransferError};
use crate::client::Client;
use crate::deadline::{Deadline, Elapsed};
use crate::exchange::Body;
use crate::wire::{self, Reader, Writer};

/// A client that has closed its sending side may still want the response, or
/// be gone: it cannot be told. So it gets what comes without a longer pause.
const HALF_CLOSED_PATIENCE: Duration = Duration::from_secs(10);
/// Longer than anything is waited for.
const UNLIMITED: Duration = Duration::from_secs(86_400);
/// How much of the next request is taken in while this one is answered.
const READ_AHEAD: usize = 64 * 1024;

/// The request on its way up, and then an eye on the client.
pub(crate) struct Upload<'a> {
    reader: &'a mut Reader,
    writer: &'a mut Writer,
    transfer: Transfer,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sending,
    /// All is sent.
    Watching,
    /// All is sent and the client has closed its side.
    HalfClosed,
    /// The upstream takes no more. It may have answered before it closed.
    Broken,
}

/// How a race ended.
pub(crate) enum Raced<T> {
    /// The main future was done.
    Main(T),
    /// The request could not be received.
    Side(Failure),
    /// The deadline passed.
    Elapsed { capped: bool },
}

impl<'a> Upload<'a> {
    /// The request's body, behind its head that is pending in `writer`.
    pub(crate) fn new(reader: &'a mut Reader, writer: &'a mut Writer, transfer: Transfer) -> Self {
        Self {
            reader,
            writer,
            transfer,
            state: State::Sending,
        }
    }

    /// True once the whole request has been read and sent.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Watching | State::HalfClosed)
    }

    /// True if the client has closed its side.
    pub(crate) fn is_half_closed(&self) -> bool {
        self.state == State::HalfClosed
    }

    /// How much the upstream has not taken yet.
    pub(crate) fn backlog(&self) -> usize {
        self.writer.backlog()
    }

    /// How much of the body has been read.
    pub(crate) fn body(&self) -> Body {
        match self.transfer.size() {
            _ if self.transfer.is_done() => Body::Read,
            0 => Body::Untouched,
            _ => Body::Begun,
        }
    }

    /// Bytes of body so far.
    pub(crate) fn size(&self) -> u64 {
        self.transfer.size()
    }

    /// Goes on; ready only if the exchange cannot be completed.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        if self.state == State::Sending {
            match self.transfer.poll(context, self.reader, self.writer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => self.state = State::Watching,
                Poll::Ready(Err(TransferError::Write(_))) => self.state = State::Broken,
                Poll::Ready(Err(error)) => return Poll::Ready(error.of_request()),
            }
        }
        if self.state == State::Watching {
            match poll_closed(self.reader, context) {
                Poll::Ready(Ok(())) => self.state = State::HalfClosed,
                Poll::Ready(Err(failure)) => return Poll::Ready(failure),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }
}

/// An eye on a client that has sent its request: ready once it has closed its
/// side, or reset. What it sends meanwhile is kept for its turn, and is no sign
/// that it takes its response.
fn poll_closed(reader: &mut Reader, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
    while reader.buffered().len() < READ_AHEAD {
        match std::task::ready!(wire::uncounted(|| reader.poll_fill(context))) {
            Ok(0) => return Poll::Ready(Ok(())),
            Ok(_) => {}
            Err(error) => {
                let gone = Failure::with(Kind::ClientGone, error.kind().to_string());
                return Poll::Ready(Err(gone));
            }
        }
    }
    Poll::Pending
}

impl TransferError {
    /// As a failure while the request was received.
    pub(crate) fn of_request(self) -> Failure {
        match self {
            Self::Read(error) => Failure::with(Kind::ClientGone, error.kind().to_string()),
            Self::Incomplete => Failure::with(Kind::ClientGone, "closed in the middle of the body"),
            Self::Malformed(words) => Failure::with(Kind::BadRequest, words),
            Self::TooLarge => Kind::RequestBodyTooLarge.into(),
            Self::Write(error) => Failure::with(Kind::ConnectionReset, error.kind().to_string()),
        }
    }

    /// As a failure while the response was passed on.
    pub(crate) fn of_response(self) -> Failure {
        match self {
            Self::Read(error) => Failure::with(Kind::ResponseIncomplete, error.kind().to_string()),
            Self::Incomplete => Kind::ResponseIncomplete.into(),
            Self::Malformed(words) => Failure::with(Kind::ResponseMalformed, words),
            Self::TooLarge => Kind::Internal.into(),
            Self::Write(error) => Failure::with(Kind::ClientGone, error.kind().to_string()),
        }
    }
}

/// How long the race waits for what.
pub(crate) struct Pace {
    /// For the next byte of anything; while the response's head is awaited,
    /// for the whole of it.
    pub(crate) patience: Cell<Duration>,
    /// The response's head has not come yet.
    pub(crate) awaits_head: Cell<bool>,
    /// The whole request has been read and sent.
    pub(crate) is_uploaded: Cell<bool>,
}

impl Pace {
    /// Before anything is sent, to a target whose head may take this long.
    pub(crate) fn until_head(patience: Duration) -> Self {
        Self {
            patience: Cell::new(patience),
            awaits_head: Cell::new(true),
            is_uploaded: Cell::new(false),
        }
    }

    /// Waits until the whole request has been read and sent. An upstream may
    /// change the protocol as soon as it has the head; the new one begins behind
    /// the body (RFC 9110 §7.8).
    pub(crate) async fn uploaded(&self) {
        // The race asks the upload before it asks this again.
        poll_fn(|_| match self.is_uploaded.get() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Once the head has come.
    pub(crate) fn of_body(patience: Duration) -> Self {
        Self {
            patience: Cell::new(patience),
            awaits_head: Cell::new(false),
            is_uploaded: Cell::new(true),
        }
    }
}

/// Runs `main` beside the upload. Whatever moves bytes moves the deadline
/// further; a wake-up by itself does not, for it may be the timer's, and once
/// all is sent no byte does until the response's head is complete.
pub(crate) async fn race<T>(
    deadline: &mut Deadline,
    pace: &Pace,
    upload: &mut Upload<'_>,
    main: impl Future<Output = T>,
) -> Raced<T> {
    let mut main = std::pin::pin!(main);
    deadline.set(pace.patience.get());
    poll_fn(|context| {
        let moved = wire::moved();
        let was_open = !upload.is_half_closed();
        let was_fixed = upload.is_done() && pace.awaits_head.get();
        if let Poll::Ready(failure) = upload.poll(context) {
            return Poll::Ready(Raced::Side(failure));
        }
        pace.is_uploaded.set(upload.is_done());
        if let Poll::Ready(output) = main.as_mut().poll(context) {
            return Poll::Ready(Raced::Main(output));
        }
        let is_fixed = was_fixed && pace.awaits_head.get();
        let has_moved = moved != wire::moved() && !is_fixed;
        if upload.is_half_closed() && (was_open || has_moved) {
            deadline.set(HALF_CLOSED_PATIENCE.min(pace.patience.get()));
        } else if has_moved {
            deadline.set(pace.patience.get());
        }
        deadline.poll(context).map(|_| Raced::Elapsed {
            capped: deadline.is_capped(),
        })
    })
    .await
}

/// Waits for another task, whose own waits have limits, with an eye on the
/// client; as long as the request may take as a whole.
///
/// # Errors
/// The client is gone, or the time is over.
pub(crate) async fn watched<T>(
    client: &mut Client,
    waiting: impl Future<Output = T>,
) -> Result<T, Failure> {
    let Client {
        reader, deadline, ..
    } = client;
    let mut waiting = std::pin::pin!(waiting);
    let mut is_half_closed = false;
    deadline.set(UNLIMITED);
    poll_fn(|context| {
        if let Poll::Ready(output) = waiting.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        if !is_half_closed && let Poll::Ready(closed) = poll_closed(reader, context) {
            closed?;
            is_half_closed = true;
            deadline.set(HALF_CLOSED_PATIENCE);
        }
        std::task::ready!(deadline.poll(context));
        Poll::Ready(Err(if deadline.is_capped() {
            Kind::WholeTimeout.into()
        } else {
            Failure::with(Kind::ClientGone, "closed its side, and nothing came")
        }))
    })
    .await
}

/// Runs `main`, which delivers what comes from elsewhere, unless the client
/// resets meanwhile. One that closes its side may still be reading.
///
/// # Errors
/// Those of `main`, or that the client is gone.
pub(crate) async fn unless_reset<T>(
    reader: &mut Reader,
    main: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut main = std::pin::pin!(main);
    let mut is_open = true;
    poll_fn(|context| {
        if let Poll::Ready(output) = main.as_mut().poll(context) {
            return Poll::Ready(output);
        }
        if is_open && let Poll::Ready(closed) = poll_closed(reader, context) {
            is_open = false;
            closed?;
        }
        Poll::Pending
    })
    .await
}

/// Runs `main` as long as bytes move at least once in `patience`.
pub(crate) async fn paced<T>(
    deadline: &mut Deadline,
    patience: Duration,
    main: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let mut main = std::pin::pin!(main);
    deadline.set(patience);
    poll_fn(|context| {
        let moved = wire::moved();
        if let Poll::Ready(output) = main.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        if moved != wire::moved() {
            deadline.set(patience);
        }
        deadline.poll(context).map(Err)
    })
    .await
}
