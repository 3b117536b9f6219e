//! The counters of a policy. Each worker has its own; they are summed when read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::failure::FailureKind;
use crate::input::Phase;

/// The totals of one policy over all workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls into the component, without those for samples.
    pub calls: u64,
    /// Decisions that reused a verdict.
    pub hits: u64,
    /// Decisions without a reusable verdict.
    pub misses: u64,
    /// Calls that trapped.
    pub traps: u64,
    /// Calls that exceeded their CPU time.
    pub overruns: u64,
    /// Calls that exceeded the memory limit.
    pub memory: u64,
    /// Calls that returned an error.
    pub errors: u64,
    /// Verdicts that broke the contract or could not be carried out.
    pub bad_verdicts: u64,
    /// Calls that were not made because the breaker was open.
    pub suspended: u64,
    /// Calls that were not made because CPU time was short and the client had used much.
    pub throttled: u64,
    /// Calls that were not made because CPU time was used up.
    pub overloaded: u64,
    /// Reused verdicts that were chosen to be compared with a fresh one.
    pub samples: u64,
    /// Reused verdicts that were not compared, because an earlier one of the policy was
    /// still waiting, or too much else was.
    pub samples_dropped: u64,
    /// Samples whose fresh verdict differed.
    pub mismatches: u64,
    /// Instances replaced because their memory was nearly full.
    pub recycled: u64,
    /// Spare instances that a worker took because it had lost its own.
    pub spares: u64,
    /// Configurations that a worker made while a request waited, because there was no
    /// spare instance.
    pub configured: u64,
}

macro_rules! counters {
    ($($field:ident),* $(,)?) => {
        /// The counters of one worker, or of the workshop, which alone writes them. Aligned so that no two
        /// workers share a cache line.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(crate) struct Counters {
            $(pub(crate) $field: Counter,)*
            /// One for each phase.
            memos: [MemoGauge; Phase::ALL.len()],
            /// What all memos use.
            memo_bytes: AtomicU64,
        }

        impl std::ops::AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$field += other.$field;)*
            }
        }

        impl Counters {
            /// The gauge of a phase's memo.
            pub(crate) fn memo(&self, phase: Phase) -> Option<&MemoGauge> {
                self.memos.get(phase as usize)
            }

            pub(crate) fn set_memo_bytes(&self, bytes: usize) {
                self.memo_bytes.store(bytes as u64, Ordering::Relaxed);
            }

            /// Counts a call that failed.
            pub(crate) fn count_failure(&self, kind: &FailureKind) {
                let counter = match kind {
                    FailureKind::Trap => &self.traps,
                    FailureKind::Deadline => &self.overruns,
                    FailureKind::Memory => &self.memory,
                    FailureKind::Error(_) => &self.errors,
                    FailureKind::BadVerdict(_)
                    | FailureKind::BadAnswer(_)
                    | FailureKind::EffectRefused(_) => &self.bad_verdicts,
                    FailureKind::BreakerOpen => &self.suspended,
            FailureKind::Throttled => &self.throttled,
            FailureKind::Overloaded => &self.overloaded,
                };
                counter.add_one();
            }

            fn add_to(&self, counts: &mut Counts) {
                $(counts.$field += self.$field.0.load(Ordering::Relaxed);)*
            }
        }
    };
}
counters!(
    calls,
    hits,
    misses,
    traps,
    overruns,
    memory,
    errors,
    bad_verdicts,
    suspended,
    throttled,
    overloaded,
    samples,
    samples_dropped,
    mismatches,
    recycled,
    spares,
    configured,
);

/// A counter with one writer, so it needs no atomic read-modify-write instruction.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add_one(&self) {
        self.0
            .store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// The state of one memo, as last reported by its worker.
#[derive(Debug, Default)]
pub(crate) struct MemoGauge {
    paused: AtomicU64,
    entries: AtomicU64,
}

impl MemoGauge {
    pub(crate) fn set(&self, paused: bool, entries: usize) {
        self.paused.store(u64::from(paused), Ordering::Relaxed);
        self.entries.store(entries as u64, Ordering::Relaxed);
    }
}

/// The result of [`AllCounters::sum`].
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) counts: Counts,
    pub(crate) memos_paused: u64,
    pub(crate) memo_entries: u64,
    pub(crate) memo_bytes: u64,
}

/// The counters of all workers for one policy.
#[derive(Debug, Default)]
pub(crate) struct AllCounters(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    workers: Vec<Arc<Counters>>,
    /// The totals of workers that have dropped the policy.
    gone: Counts,
}

impl AllCounters {
    /// Adds the counters of another worker.
    pub(crate) fn join(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.inner().workers.push(Arc::clone(&counters));
        counters
    }

    pub(crate) fn sum(&self) -> Sum {
        let mut inner = self.inner();
        let Inner { workers, gone } = &mut *inner;
        workers.retain(|counters| {
            // The worker has dropped its handle: its numbers are final.
            let alive = Arc::strong_count(counters) > 1;
            if !alive {
                counters.add_to(gone);
            }
            alive
        });
        let mut sum = Sum {
            counts: *gone,
            ..Sum::default()
        };
        for worker in workers {
            worker.add_to(&mut sum.counts);
            for memo in &worker.memos {
                sum.memos_paused += memo.paused.load(Ordering::Relaxed);
                sum.memo_entries += memo.entries.load(Ordering::Relaxed);
            }
            sum.memo_bytes += worker.memo_bytes.load(Ordering::Relaxed);
        }
        sum
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
