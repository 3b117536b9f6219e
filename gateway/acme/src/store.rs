//! Where accounts, keys and certificates are kept.
//!
//! The seam is narrow, so that a fleet can share a store that is no directory:
//! values are small and are read and written as a whole, and a lock keeps others
//! from doing the same work. All calls block, and are made on the thread of
//! certificates alone.

pub(crate) mod directory;
mod lock;

use std::io;
use std::time::Duration;

/// Keeps values under keys of the form `a/b/c`.
pub trait Store: Send + Sync {
    /// The value of a key; none if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>>;

    /// Sets a value: as a whole or not at all, and lasting when this returns.
    ///
    /// # Errors
    /// It cannot be written; the former value is still there.
    fn put(&self, key: &str, value: &[u8]) -> io::Result<()>;

    /// Removes a value, if there is one.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove(&self, key: &str) -> io::Result<()>;

    /// The last parts of all keys directly below a prefix.
    ///
    /// # Errors
    /// They cannot be listed.
    fn list(&self, prefix: &str) -> io::Result<Vec<String>>;

    /// Takes a lock; none if somebody else holds it. Whoever holds it must renew it
    /// more often than `lease`, or others take it.
    ///
    /// # Errors
    /// It is not known who holds it.
    fn lock(&self, key: &str, lease: Duration) -> io::Result<Option<Box<dyn Lock>>>;

    /// How the operator finds a value.
    fn place(&self, key: &str) -> String;
}

/// A lock that is held until it is dropped.
pub trait Lock: Send {
    /// Keeps it for another lease.
    ///
    /// # Errors
    /// It is no longer held.
    fn renew(&mut self) -> io::Result<()>;
}
