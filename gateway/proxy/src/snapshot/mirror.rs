//! Who gets copies of requests.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crate::retries::Retries;
use crate::stats::MirrorStats;

/// An upstream that gets copies of requests.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// The index of the upstream in the snapshot.
    pub(crate) upstream: usize,
    /// A copy is sent once.
    pub(crate) retries: Option<Arc<Retries>>,
    /// A request is copied if a random number is not above this one.
    pub(crate) up_to: u64,
    /// The largest body that is copied, in bytes.
    pub(crate) body: usize,
    pub(crate) timeout: Duration,
    /// The most copies that are in progress at once.
    pub(crate) most: usize,
    /// How many are in progress, which is kept across reloads.
    pub(crate) in_progress: Arc<AtomicUsize>,
    pub(crate) stats: MirrorStats,
}
