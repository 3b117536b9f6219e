//! Futures that wait for several things at once, with a time limit: for a response
//! while its request is uploaded, or for a body while the client is watched.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use janua_http::Failure;
use janua_http::failure::Kind;
use tokio::time::Instant;

use crate::deadline::{Deadline, Elapsed};
use crate::incoming::Incoming;
use crate::upload::{Upload, poll_closed};

/// A client that has closed its sending side may still want the response, or may
/// be gone; the gateway cannot distinguish the two. So the exchange continues, but
/// not after a pause longer than this.
const HALF_CLOSED_PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any request takes.
const UNLIMITED: Duration = Duration::from_secs(86_400);

/// The number of bytes transferred, updated by the code that transfers them. A
/// wake-up of the task is not progress: the timer may have caused it.
#[derive(Debug, Default)]
pub(crate) struct Progress(Cell<u64>);

impl Progress {
    /// Sets the total number of bytes.
    pub(crate) fn set(&self, total: u64) {
        self.0.set(total);
    }

    fn get(&self) -> u64 {
        self.0.get()
    }
}

/// How a race ended.
pub(crate) enum Raced<T> {
    /// The main future is complete.
    Finished(T),
    /// The upload of the request failed on the client's side.
    UploadFailed(Failure),
    /// The deadline passed; `capped` if that was the timeout of the whole request.
    Elapsed { capped: bool },
    /// The same, but only because the client has closed its sending side: the upstream may have
    /// taken longer.
    HalfClosed,
}

/// The time limits of a race, and what it currently waits for.
pub(crate) struct Pace {
    /// How long to wait for the next byte in either direction; while the head of
    /// the response is awaited, for the whole head.
    pub(crate) patience: Cell<Duration>,
    /// The head of the response has not been received yet.
    pub(crate) awaits_head: Cell<bool>,
    /// The whole request has been read and sent.
    pub(crate) is_uploaded: Cell<bool>,
}

impl Pace {
    /// For the time until the head of the response, which may take this long.
    pub(crate) fn until_head(patience: Duration) -> Self {
        Self {
            patience: Cell::new(patience),
            awaits_head: Cell::new(true),
            is_uploaded: Cell::new(false),
        }
    }

    /// For the time after the head of the response.
    pub(crate) fn of_body(patience: Duration) -> Self {
        Self {
            patience: Cell::new(patience),
            awaits_head: Cell::new(false),
            is_uploaded: Cell::new(true),
        }
    }
}

/// Runs `main` and the upload concurrently. The deadline has just been set. Each
/// transferred byte extends the deadline, with one exception: once the request has been
/// sent, the deadline is fixed until the head of the response is complete.
///
/// As long as there is something to upload, the upload is polled before `main`. Afterwards
/// it only watches the client, and is not polled any more once `main` is complete.
pub(crate) async fn race<T>(
    deadline: &mut Deadline,
    pace: &Pace,
    upload: &mut Upload<'_>,
    progress: &Progress,
    main: impl Future<Output = T>,
) -> Raced<T> {
    let mut main = std::pin::pin!(main);
    let mut is_first = true;
    let mut is_shortened = false;
    let mut moved = upload.progress() + progress.get();
    poll_fn(|context| {
        let was_open = !upload.is_half_closed();
        let was_done = upload.is_done();
        let was_fixed = was_done && pace.awaits_head.get();
        if !was_done && let Poll::Ready(failure) = upload.poll(context) {
            return Poll::Ready(Raced::UploadFailed(failure));
        }
        pace.is_uploaded.set(upload.is_done());
        if let Poll::Ready(output) = main.as_mut().poll(context) {
            return Poll::Ready(Raced::Finished(output));
        }
        if was_done && let Poll::Ready(failure) = upload.poll(context) {
            return Poll::Ready(Raced::UploadFailed(failure));
        }
        let is_fixed = was_fixed && pace.awaits_head.get();
        let before = std::mem::replace(&mut moved, upload.progress() + progress.get());
        let has_moved = moved != before && !is_fixed;
        if has_moved && !is_first {
            deadline.set(pace.patience.get());
            is_shortened = false;
        }
        if upload.is_half_closed() && (was_open || has_moved) {
            is_shortened |= deadline.shorten(HALF_CLOSED_PATIENCE);
        }
        is_first = false;
        deadline.poll(context).map(|_| match is_shortened {
            true => Raced::HalfClosed,
            false => Raced::Elapsed {
                capped: deadline.is_capped(),
            },
        })
    })
    .await
}

/// The failure of an exchange whose client has closed its sending side, and waits no longer.
pub(crate) fn left() -> Failure {
    Failure::with(
        Kind::ClientGone,
        "the client closed its sending side, and no response came in time",
    )
}

/// Waits for another task, which has time limits of its own, and watches the
/// client meanwhile. The timeout of the whole request applies.
///
/// # Errors
/// The client has gone away, or the timeout has passed.
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
            left()
        }))
    })
    .await
}

/// Waits for something that is not the client's, but no longer than `patience`, and watches the
/// client meanwhile, if there is one. None if the time has passed. What the client sends is read up
/// to a bound, and it is then no longer noticed if it goes away. `half_closed` is when it closed its
/// sending side, for several waits in a row.
///
/// # Errors
/// The client has gone away, or the timeout of the whole request has passed.
pub(crate) async fn watched_for<T>(
    mut incoming: Option<&mut Incoming>,
    deadline: &mut Deadline,
    patience: Duration,
    half_closed: &mut Option<Instant>,
    waiting: impl Future<Output = T>,
) -> Result<Option<T>, Failure> {
    let mut waiting = std::pin::pin!(waiting);
    let begin = Instant::now();
    let until = begin + patience;
    deadline.set_from(begin, patience);
    poll_fn(|context| {
        if half_closed.is_none()
            && let Some(client) = &mut incoming
            && let Poll::Ready(closed) = poll_closed(&mut client.reader, context)
        {
            closed?;
            if client.is_cut() {
                let words = "closed in the middle of the body";
                return Poll::Ready(Err(Failure::with(Kind::ClientGone, words)));
            }
            *half_closed = Some(Instant::now());
        }
        if let Poll::Ready(output) = waiting.as_mut().poll(context) {
            return Poll::Ready(Ok(Some(output)));
        }
        let gone = half_closed.map(|closed| closed + HALF_CLOSED_PATIENCE);
        if let Some(gone) = gone.filter(|gone| *gone < until) {
            deadline.set_from(gone, Duration::ZERO);
        }
        std::task::ready!(deadline.poll(context));
        Poll::Ready(if deadline.is_capped() {
            Err(Kind::WholeTimeout.into())
        } else if gone.is_some_and(|gone| gone < until) {
            Err(Failure::with(
                Kind::ClientGone,
                "the client closed its sending side, and no endpoint was there in time",
            ))
        } else {
            Ok(None)
        })
    })
    .await
}

/// Runs `main` until the client, if there is one, resets the connection. A client that
/// has only closed its sending side may still wait for the response, or read it.
///
/// # Errors
/// Those of `main`, or that the client has gone away.
pub(crate) async fn unless_reset<T>(
    mut incoming: Option<&mut Incoming>,
    main: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut main = std::pin::pin!(main);
    poll_fn(|context| {
        if let Poll::Ready(output) = main.as_mut().poll(context) {
            return Poll::Ready(output);
        }
        if let Some(watched) = &mut incoming
            && let Poll::Ready(closed) = poll_closed(&mut watched.reader, context)
        {
            incoming = None;
            closed?;
        }
        Poll::Pending
    })
    .await
}

/// Runs `main` as long as no more than `patience` passes without progress.
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
