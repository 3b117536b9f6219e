//! Effects: actions of the gateway that a verdict asks for.

mod ban;
mod bucket;
mod cache;
mod concurrency;
mod split;
mod verify;

pub use ban::Ban;
pub use bucket::{Bucket, Charge, Cost, Take};
pub use cache::{CacheLookup, CacheRule, Purge};
pub use concurrency::Concurrency;
pub use split::Split;
pub use verify::Verify;
