//! A bounded pool of threads for all work that may wait for a disk or use a
//! processor for long, so that no worker does.
//!
//! A thread is started when there is work and none is idle. The queue is
//! bounded too: if the disks cannot keep up, further work is refused at once,
//! which becomes a 503, instead of waiting for longer than a client would.
//!
//! Tokio's own blocking pool is not used because each worker's runtime has its
//! own pool, and its queue is unbounded.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;

use tokio::sync::oneshot;

/// The threads and their queue. When the pool is dropped, its threads end after
/// their current job, and queued jobs are dropped.
pub struct Pool {
    shared: Arc<Shared>,
    /// The name of the threads.
    name: &'static str,
}

/// Why a job has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The queue is full.
    Busy,
    /// The job panicked, or the pool ended before it ran.
    Lost,
}

/// The result of a job in the pool, to be awaited. If this is dropped, the job
/// still runs and its result is dropped.
pub struct Job<T>(Option<oneshot::Receiver<T>>);

pub(crate) type Work = Box<dyn FnOnce() + Send>;

struct Shared {
    queue: Mutex<Queue>,
    ring: Condvar,
    max_threads: usize,
    max_queued: usize,
}

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

impl Pool {
    /// A pool of at most `max_threads` threads (at least one), with at most
    /// `max_queued` jobs waiting.
    #[must_use]
    pub fn new(max_threads: usize, max_queued: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                ring: Condvar::new(),
                max_threads: max_threads.max(1),
                max_queued: max_queued.max(1),
            }),
            name: "janua-disk",
        }
    }

    /// Sets the name of the threads, of which the kernel keeps at most 15
    /// bytes.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Runs a job on one of the threads, whether or not the result is awaited.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        let (sender, receiver) = oneshot::channel();
        let is_queued = self.submit(|| {
            Box::new(move || {
                // Fails if nothing awaits the result any more, which is fine.
                let _ = sender.send(job());
            })
        });
        Job(is_queued.then_some(receiver))
    }

    /// Queues work; returns false without calling `work` if the queue is full.
    pub(crate) fn submit(&self, work: impl FnOnce() -> Work) -> bool {
        let mut queue = self.shared.lock();
        if queue.idle > queue.work.len() || queue.threads >= self.shared.max_threads {
            if queue.work.len() >= self.shared.max_queued {
                return false;
            }
        } else if let Err(error) = self.start_thread() {
            tracing::warn!(%error, "cannot start a thread of the pool");
            if queue.threads == 0 || queue.work.len() >= self.shared.max_queued {
                return false;
            }
        } else {
            queue.threads += 1;
        }
        queue.work.push_back(work());
        drop(queue);
        self.shared.ring.notify_one();
        true
    }

    fn start_thread(&self) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name(self.name.to_owned())
            .spawn(move || shared.work())
            .map(drop)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let left = {
            let mut queue = self.shared.lock();
            queue.is_closed = true;
            std::mem::take(&mut queue.work)
        };
        self.shared.ring.notify_all();
        // Outside of the lock, because dropping the jobs may run arbitrary
        // code.
        drop(left);
    }
}

impl Shared {
    fn work(&self) {
        while let Some(work) = self.next() {
            // The panic hook logs the panic; the thread can continue.
            let _ = catch_unwind(AssertUnwindSafe(work));
        }
    }

    fn next(&self) -> Option<Work> {
        let mut queue = self.lock();
        loop {
            if queue.is_closed {
                return None;
            }
            if let Some(work) = queue.work.pop_front() {
                return Some(work);
            }
            queue.idle += 1;
            queue = self
                .ring
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }

    /// The lock cannot be poisoned: nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Future for Job<T> {
    type Output = Result<T, Refused>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            None => Poll::Ready(Err(Refused::Busy)),
            Some(receiver) => Pin::new(receiver).poll(context).map_err(|_| Refused::Lost),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Busy => "too many jobs are waiting for the disk",
            Self::Lost => "the job ended without a result",
        })
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn runs_and_wakes() {
        let pool = Pool::new(2, 4);
        assert_eq!(block_on(pool.run(|| 6 * 7)), Ok(42));
        let sum = block_on(async {
            let jobs: Vec<_> = (0..4).map(|number| pool.run(move || number)).collect();
            let mut sum = 0;
            for job in jobs {
                sum += job.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 6);
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let pool = Pool::new(1, 1);
        let (release, wait) = mpsc::channel::<()>();
        let (started, is_running) = mpsc::channel();
        let running = pool.run(move || {
            started.send(()).unwrap();
            wait.recv().unwrap();
        });
        is_running.recv().unwrap();
        let queued = pool.run(|| ());
        assert_eq!(block_on(pool.run(|| ())), Err(Refused::Busy));
        release.send(()).unwrap();
        assert_eq!(block_on(running), Ok(()));
        assert_eq!(block_on(queued), Ok(()));
        assert_eq!(block_on(pool.run(|| ())), Ok(()));
    }

    #[test]
    fn a_panic_costs_its_own_job_alone() {
        let pool = Pool::new(1, 4);
        let lost: Job<()> = pool.run(|| panic!("on purpose"));
        assert_eq!(block_on(lost), Err(Refused::Lost));
        assert_eq!(block_on(pool.run(|| 1)), Ok(1));
    }

    #[test]
    fn threads_are_bounded() {
        let pool = Pool::new(3, 100);
        let jobs: Vec<_> = (0..50)
            .map(|_| pool.run(|| thread::current().id()))
            .collect();
        let threads: std::collections::HashSet<_> =
            jobs.into_iter().map(|job| block_on(job).unwrap()).collect();
        assert!(threads.len() <= 3);
        assert!(pool.shared.lock().threads <= 3);
    }

    #[test]
    fn what_is_queued_when_it_ends_is_lost() {
        let pool = Pool::new(1, 4);
        let (release, wait) = mpsc::channel::<()>();
        let (started, is_running) = mpsc::channel();
        let _running = pool.run(move || {
            started.send(()).unwrap();
            wait.recv().unwrap();
        });
        is_running.recv().unwrap();
        let queued = pool.run(|| ());
        drop(pool);
        assert_eq!(block_on(queued), Err(Refused::Lost));
        release.send(()).unwrap();
    }
}
