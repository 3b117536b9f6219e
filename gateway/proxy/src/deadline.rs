//! The timer of a connection, which serves all of its waits.
//!
//! Setting and dropping a timer of tokio's each takes a lock, and a request waits five
//! times or more. So a connection owns one timer and a target time. The timer is reset only
//! if the target moves to before the time it is armed for; if it fires before the target,
//! it is armed again. Once the timer holds the task's waker, it is not polled until it has
//! fired.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

/// A time limit for the waits of a connection.
pub(crate) struct Deadline {
    sleep: Pin<Box<Sleep>>,
    armed: Instant,
    /// The waker that the timer holds, once it was polled.
    waiting: Option<Waker>,
    target: Instant,
    /// The latest time that the target may be set to.
    cap: Option<Instant>,
    /// The same for the present attempt at an endpoint.
    attempt: Option<Instant>,
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
            waiting: None,
            target: armed,
            cap: None,
            attempt: None,
        }
    }

    /// Sets the target to `patience` from now.
    pub(crate) fn set(&mut self, patience: Duration) {
        self.set_from(Instant::now(), patience);
    }

    /// Sets the target to `patience` after `now`, for callers that already know the time.
    pub(crate) fn set_from(&mut self, now: Instant, patience: Duration) {
        let caps = self.cap.into_iter().chain(self.attempt);
        self.target = caps.fold(now + patience, Instant::min);
        if self.target < self.armed {
            self.arm();
        }
    }

    /// Sets or removes the cap for targets that are set from now on. There is no attempt then.
    pub(crate) fn set_cap(&mut self, cap: Option<Instant>) {
        self.cap = cap;
        self.attempt = None;
    }

    /// Sets or removes the end of the present attempt at an endpoint, for targets that are set
    /// from now on.
    pub(crate) fn set_attempt(&mut self, end: Option<Instant>) {
        self.attempt = end;
    }

    /// Moves the target to `patience` from now if it is later; true if it was.
    pub(crate) fn shorten(&mut self, patience: Duration) -> bool {
        let now = Instant::now();
        let is_later = now + patience < self.target;
        if is_later {
            self.set_from(now, patience);
        }
        is_later
    }

    /// True if the target is the end of the attempt, and the cap is later.
    pub(crate) fn ends_attempt(&self) -> bool {
        !self.is_capped() && self.attempt.is_some_and(|end| end <= self.target)
    }

    /// True if the target is the cap.
    pub(crate) fn is_capped(&self) -> bool {
        self.cap.is_some_and(|cap| cap <= self.target)
    }

    /// Ready once the deadline has passed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Elapsed> {
        if self.is_waiting(context) {
            return Poll::Pending;
        }
        // Outside tokio's cooperative budget: if the task had used up its budget, the poll
        // would return without registering the waker with the timer.
        while Pin::new(&mut unconstrained(self.sleep.as_mut()))
            .poll(context)
            .is_ready()
        {
            if Instant::now() >= self.target {
                return Poll::Ready(Elapsed);
            }
            self.arm();
        }
        self.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// True if the timer has not fired and holds the waker of this task, so that polling it
    /// would change nothing.
    fn is_waiting(&self, context: &Context<'_>) -> bool {
        let knows_task = self
            .waiting
            .as_ref()
            .is_some_and(|waiting| waiting.will_wake(context.waker()));
        knows_task && !self.sleep.is_elapsed()
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
        // A timer that has fired no longer holds the waker.
        self.waiting = None;
        self.sleep.as_mut().reset(self.target);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::task::coop;

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

    #[tokio::test(start_paused = true)]
    async fn it_can_be_shortened_and_not_extended() {
        let begin = Instant::now();
        let mut deadline = Deadline::new(Duration::from_secs(75));
        deadline.set(Duration::from_secs(10));
        assert!(!deadline.shorten(Duration::from_secs(20)));
        assert!(!deadline.shorten(Duration::from_secs(10)));
        assert!(deadline.shorten(Duration::from_secs(5)));
        assert!(deadline.guard(std::future::pending::<()>()).await.is_err());
        assert_eq!(begin.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_ends_before_the_cap_and_after_it_there_may_be_another() {
        let begin = Instant::now();
        let mut deadline = Deadline::new(Duration::from_secs(75));
        deadline.set_cap(Some(begin + Duration::from_secs(5)));
        for (passed, ends_attempt) in [(2, true), (4, true), (5, false)] {
            deadline.set_attempt(Some(Instant::now() + Duration::from_secs(2)));
            deadline.set(Duration::from_secs(60));
            assert!(deadline.guard(std::future::pending::<()>()).await.is_err());
            assert_eq!(begin.elapsed().as_secs(), passed);
            assert_eq!(deadline.ends_attempt(), ends_attempt);
            assert_eq!(deadline.is_capped(), !ends_attempt);
        }
        deadline.set_cap(None);
        deadline.set(Duration::from_secs(60));
        assert!(!deadline.ends_attempt());
    }

    #[tokio::test(start_paused = true)]
    async fn passes_for_a_task_that_has_used_up_its_budget() {
        let begin = Instant::now();
        let mut deadline = Deadline::new(Duration::from_secs(75));
        deadline.set(Duration::from_secs(5));
        let waited = poll_fn(|context| {
            while coop::has_budget_remaining() {
                let _ = std::pin::pin!(coop::consume_budget()).poll(context);
            }
            deadline.poll(context)
        });
        let waited = tokio::time::timeout(Duration::from_secs(60), waited).await;
        assert_eq!(waited, Ok(Elapsed));
        assert_eq!(begin.elapsed().as_secs(), 5);
    }

    /// The task that waits next is not the one that the timer knows.
    #[tokio::test(start_paused = true)]
    async fn wakes_whoever_polled_it_last() {
        let begin = Instant::now();
        let mut deadline = Deadline::new(Duration::from_secs(5));
        let polled = poll_fn(|context| Poll::Ready(deadline.poll(context)));
        assert!(polled.await.is_pending());
        let waiting = async move { deadline.guard(std::future::pending::<()>()).await };
        let other = tokio::spawn(waiting);
        let waited = tokio::time::timeout(Duration::from_secs(60), other).await;
        assert_eq!(waited.unwrap().unwrap(), Err(Elapsed));
        assert_eq!(begin.elapsed().as_secs(), 5);
    }
}
