//! One timer a connection, for all its waits.
//!
//! A timer of tokio's costs a lock when it is set and when it is dropped,
//! and a request has five waits or more. So a connection owns one, and moves
//! a target instead: the timer is touched only if the target lies before the
//! moment it is armed for, and when it fires too early it is armed again.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// What a wait may take.
pub(crate) struct Deadline {
    sleep: Pin<Box<Sleep>>,
    armed: Instant,
    target: Instant,
    /// Nothing may wait longer than this, however often the target moves.
    cap: Option<Instant>,
}

/// The deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed;

impl Deadline {
    /// A deadline that passes in `patience`.
    pub(crate) fn new(patience: Duration) -> Self {
        let armed = Instant::now() + patience;
        Self {
            sleep: Box::pin(tokio::time::sleep_until(armed)),
            armed,
            target: armed,
            cap: None,
        }
    }

    /// From now on, this long.
    pub(crate) fn set(&mut self, patience: Duration) {
        self.set_from(Instant::now(), patience);
    }

    /// The same, where the time is known already.
    pub(crate) fn set_from(&mut self, now: Instant, patience: Duration) {
        let target = now + patience;
        self.target = self.cap.map_or(target, |cap| cap.min(target));
        if self.target < self.armed {
            self.arm();
        }
    }

    /// Sets or lifts the cap on all waits to come.
    pub(crate) fn set_cap(&mut self, cap: Option<Instant>) {
        self.cap = cap;
    }

    /// True if it was the cap that passed.
    pub(crate) fn is_capped(&self) -> bool {
        self.cap.is_some_and(|cap| cap <= self.target)
    }

    /// Ready once the deadline has passed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Elapsed> {
        while self.sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= self.target {
                return Poll::Ready(Elapsed);
            }
            self.arm();
        }
        Poll::Pending
    }

    /// Waits for `step` as long as the deadline allows.
    pub(crate) async fn guard<T>(&mut self, step: impl Future<Output = T>) -> Result<T, Elapsed> {
        let mut step = std::pin::pin!(step);
        std::future::poll_fn(|context| {
            if let Poll::Ready(output) = step.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            self.poll(context).map(Err)
        })
        .await
    }

    fn arm(&mut self) {
        self.armed = self.target;
        self.sleep.as_mut().reset(self.target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn passes_when_the_last_target_says() {
        let begin = Instant::now();
        let mut deadline = Deadline::new(Duration::from_secs(75));
        // Later, earlier, later: each counts from when it was set.
        deadline.set(Duration::from_secs(90));
        deadline.set(Duration::from_secs(5));
        deadline.set(Duration::from_secs(60));
        let waited = deadline.guard(std::future::pending::<()>()).await;
        assert_eq!(waited, Err(Elapsed));
        assert_eq!(begin.elapsed().as_secs(), 60);
        // And once passed, it can be set again.
        deadline.set(Duration::from_secs(1));
        assert!(deadline.guard(std::future::pending::<()>()).await.is_err());
        assert_eq!(begin.elapsed().as_secs(), 61);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cap_holds_whatever_is_set() {
        let begin = Instant::now();
        let mut deadline = Deadline::new(Duration::from_secs(75));
        deadline.set_cap(Some(begin + Duration::from_secs(3)));
        deadline.set(Duration::from_secs(60));
        assert!(deadline.is_capped());
        assert!(deadline.guard(std::future::pending::<()>()).await.is_err());
        assert_eq!(begin.elapsed().as_secs(), 3);
    }
}
