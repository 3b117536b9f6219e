//! The shared HTTP cache.
//!
//! - [`rules`]: RFC 9111 as pure functions of heads and times.
//! - [`Cache`]: the store that all workers share, in memory and on the disk: lookups,
//!   request collapsing (flights), storing while receiving (fills), and purges.

pub mod rules;

mod background;
mod cache;
mod derived;
mod disk;
mod entry;
mod figures;
mod fill;
mod flight;
mod growth;
mod hash;
mod key;
mod on_disk;
mod purge;
mod store;
#[cfg(test)]
mod testing;

pub use cache::{Cache, DiskOptions, Found, Options, Reconfigured};
pub use derived::{DerivedBodies, DerivedBody, DerivedWriter};
pub use disk::{DiskFigures, OpenError};
pub use entry::{Body, Entry, Growing, NewEntry, Received};
pub use figures::{AddressFilter, CacheFigures, Inspected, Place};
pub use fill::Fill;
pub use flight::{Follow, Joined, Landing, Lead};
pub use growth::{Aborted, FillReader, MAX_LAG};
pub use key::{Address, Key, KeyParts, Parts, Variance};
pub use on_disk::{Loaded, OnDisk};
pub use purge::{Purge, Scope};
pub use rules::Terms;
pub use store::Refused;
