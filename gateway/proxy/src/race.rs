//! What is waited for at one time, and how long: a response beside the upload
//! of its request, a body beside an eye on the client.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use janua_http::Failure;
use janua_http::failure::Kind;

use crate::deadline::{Deadline, Elapsed};
use crate::incoming::Incoming;
use crate::upload::{Upload, poll_closed};

/// A client that has closed its sending side may still want the response, or
/// be gone: it cannot be told. So it gets what comes without a longer pause.
const HALF_CLOSED_PATIENCE: Duration = Duration::from_secs(10);
/// Longer than anything is waited for.
const UNLIMITED: Duration = Duration::from_secs(86_400);

/// How many bytes have moved. Whoever moves some says so here: that a task was
/// woken is no progress, for it may have been the timer that woke it.
#[derive(Debug, Default)]
pub(crate) struct Progress(Cell<u64>);

impl Progress {
    /// So many in all.
    pub(crate) fn set(&self, total: u64) {
        self.0.set(total);
    }

    fn get(&self) -> u64 {
        self.0.get()
    }
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

    /// Once the head has come.
    pub(crate) fn of_body(patience: Duration) -> Self {
        Self {
            patience: Cell::new(patience),
            awaits_head: Cell::new(false),
            is_uploaded: Cell::new(true),
        }
    }
}

/// Runs `main` beside the upload, under a deadline that was set just now. Whatever moves bytes moves the deadline
/// further; a wake-up by itself does not, for it may be the timer's, and once
/// all is sent no byte does until the response's head is complete.
pub(crate) async fn race<T>(
    deadline: &mut Deadline,
    pace: &Pace,
    upload: &mut Upload<'_>,
    progress: &Progress,
    main: impl Future<Output = T>,
) -> Raced<T> {
    let mut main = std::pin::pin!(main);
    let mut is_first = true;
    let mut moved = upload.progress() + progress.get();
    poll_fn(|context| {
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
        let before = std::mem::replace(&mut moved, upload.progress() + progress.get());
        let has_moved = moved != before && !is_fixed;
        if upload.is_half_closed() && (was_open || has_moved) {
            deadline.set(HALF_CLOSED_PATIENCE.min(pace.patience.get()));
        } else if has_moved && !is_first {
            deadline.set(pace.patience.get());
        }
        is_first = false;
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
    incoming: &mut Incoming,
    deadline: &mut Deadline,
    waiting: impl Future<Output = T>,
) -> Result<T, Failure> {
    let mut waiting = std::pin::pin!(waiting);
    let mut is_half_closed = false;
    deadline.set(UNLIMITED);
    poll_fn(|context| {
        if let Poll::Ready(output) = waiting.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        if !is_half_closed && let Poll::Ready(closed) = poll_closed(&mut incoming.reader, context) {
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
    incoming: &mut Incoming,
    main: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut main = std::pin::pin!(main);
    let mut is_open = true;
    poll_fn(|context| {
        if let Poll::Ready(output) = main.as_mut().poll(context) {
            return Poll::Ready(output);
        }
        if is_open && let Poll::Ready(closed) = poll_closed(&mut incoming.reader, context) {
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
    progress: &Progress,
    main: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let mut main = std::pin::pin!(main);
    deadline.set(patience);
    poll_fn(|context| {
        let moved = progress.get();
        if let Poll::Ready(output) = main.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        if moved != progress.get() {
            deadline.set(patience);
        }
        deadline.poll(context).map(Err)
    })
    .await
}

#[cfg(test)]
mod tests;
