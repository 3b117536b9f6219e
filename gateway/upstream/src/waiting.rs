//! Requests that wait because an upstream has as many connections as it may have.
//!
//! A connection can only be used by the worker that has opened it. So one that
//! becomes idle goes to a request of the same worker, unless another has waited
//! for much longer: then it is closed, and the other opens one in its place.
//!
//! Being called is a hint and no promise: whoever is called looks for a connection
//! or a place again, and waits in its old position if there is none. Whoever joins the
//! line looks once more afterwards: what was closed before has called nobody.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    fence,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::group::Group;

/// How much longer than a request of the same worker another must have waited, in
/// milliseconds, so that a connection is closed for it.
const PATIENCE_MS: u64 = 100;

/// The requests that wait for a connection to one upstream, on all workers.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// How many there are. Read without the lock whenever a connection becomes idle.
    count: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    next_ticket: u64,
    /// By their tickets, the lowest first.
    standing: VecDeque<Standing>,
}

#[derive(Debug)]
struct Standing {
    ticket: u64,
    worker: usize,
    since_ms: u64,
    waker: Option<Waker>,
}

/// What is to be done with a connection that has become idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// It can be kept: nobody waits, or a request of the same worker has been called.
    Keep,
    /// It is to be closed, because a request of another worker waits for its place.
    Close,
}

/// A request that waits. Dropping it leaves the line.
#[derive(Debug)]
pub struct Waiter {
    group: Arc<Group>,
    worker: usize,
    since_ms: u64,
    ticket: u64,
    /// It has been called, and has not passed that on.
    is_called: bool,
}

impl Group {
    /// Joins those who wait for a connection of this worker, or for a place for one. The caller
    /// then looks for one once more before it waits.
    pub fn wait_for_connection(self: &Arc<Self>, worker: usize, now_ms: u64) -> Waiter {
        let mut line = self.waiting.line();
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        let waiter = Waiter {
            group: Arc::clone(self),
            worker,
            since_ms: now_ms,
            ticket,
            is_called: false,
        };
        self.waiting.join(&mut line, &waiter);
        waiter
    }

    /// Whether some request waits for a connection.
    pub fn is_waited_for(&self) -> bool {
        self.waiting.count.load(Relaxed) > 0
    }

    /// A connection of this worker has room for another request, which those of others
    /// cannot use.
    pub fn connection_has_room(&self, worker: usize) {
        if self.is_waited_for() {
            self.waiting.call_of(worker);
        }
    }

    /// A connection of this worker has become idle.
    pub fn connection_is_idle(&self, worker: usize, now_ms: u64) -> Handover {
        match self.is_waited_for() {
            true => self.waiting.idle(worker, now_ms),
            false => Handover::Keep,
        }
    }
}

impl Waiting {
    /// A connection was closed, and its place given back: calls the first in the line.
    pub(crate) fn closed(&self) {
        // See `join`.
        fence(SeqCst);
        if self.count.load(Relaxed) > 0 {
            let mut line = self.line();
            self.call(&mut line, 0);
        }
    }

    /// Calls the first of this worker.
    fn call_of(&self, worker: usize) {
        let mut line = self.line();
        let own = line.standing.iter().position(|it| it.worker == worker);
        if let Some(place) = own {
            self.call(&mut line, place);
        }
    }

    fn idle(&self, worker: usize, now_ms: u64) -> Handover {
        let mut line = self.line();
        let Some(first) = line.standing.front() else {
            return Handover::Keep;
        };
        let is_urgent = now_ms.saturating_sub(first.since_ms) >= PATIENCE_MS;
        let own = line.standing.iter().position(|it| it.worker == worker);
        match own {
            Some(place) if place == 0 || !is_urgent => {
                self.call(&mut line, place);
                Handover::Keep
            }
            // The first in the line is called when the connection is closed.
            _ => Handover::Close,
        }
    }

    /// Puts a request into the line. Either it sees afterwards that a place was given back, or
    /// whoever gives it back sees that somebody waits: of two threads that each write one number
    /// and then read the other's, only fences keep both from reading the old ones.
    fn join(&self, line: &mut Line, waiter: &Waiter) {
        line.join(waiter);
        self.count.store(line.standing.len(), Relaxed);
        fence(SeqCst);
    }

    fn call(&self, line: &mut Line, place: usize) {
        let called = line.standing.remove(place);
        self.count.store(line.standing.len(), Relaxed);
        if let Some(waker) = called.and_then(|called| called.waker) {
            waker.wake();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// The position of a ticket, or that which it would have.
    fn find(&self, ticket: u64) -> Result<usize, usize> {
        self.standing.binary_search_by_key(&ticket, |it| it.ticket)
    }

    fn join(&mut self, waiter: &Waiter) {
        if let Err(place) = self.find(waiter.ticket) {
            let standing = Standing {
                ticket: waiter.ticket,
                worker: waiter.worker,
                since_ms: waiter.since_ms,
                waker: None,
            };
            self.standing.insert(place, standing);
        }
    }
}

impl Waiter {
    /// Waits until called. The caller then looks for a connection, and waits again
    /// if there is none. It first returns at once then: the caller has just joined the line
    /// again.
    pub async fn called(&mut self) {
        if std::mem::take(&mut self.is_called) {
            let waiting = &self.group.waiting;
            waiting.join(&mut waiting.line(), self);
            return;
        }
        poll_fn(|context| {
            let mut line = self.group.waiting.line();
            let place = line.find(self.ticket);
            match place.ok().and_then(|place| line.standing.get_mut(place)) {
                Some(standing) => {
                    standing.waker = Some(context.waker().clone());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            }
        })
        .await;
        self.is_called = true;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let waiting = &self.group.waiting;
        let mut line = waiting.line();
        match line.find(self.ticket) {
            Ok(place) => {
                line.standing.remove(place);
                waiting.count.store(line.standing.len(), Relaxed);
            }
            // It was called. If it has not taken what it was called for, somebody else may.
            Err(_) => waiting.call(&mut line, 0),
        }
    }
}

#[cfg(test)]
mod tests;
