//! Files below a root: what a route with `files` answers from.
//!
//! [`Files`] is one for the process. It holds a bounded pool of threads for all
//! work that may wait for a disk, so that no worker ever does, and a cache of
//! open files. A [`Root`] is one directory with its rules. On a request's way:
//!
//! 1. [`Files::find_now`] answers from the cache without a system call, if what
//!    it holds was looked up less than a second ago.
//! 2. Else [`Files::find`] looks again, in the pool; many that ask for the same
//!    wait for one look.
//! 3. The caller makes a response of the [`Lookup`]: it evaluates conditions and
//!    ranges and sends the body of [`Opened`], from memory or from the file.
//!
//! # How fresh
//! Nothing is answered from a look that is older than the interval of
//! revalidation (1 s): not an old index after a deploy, not a 404 for what has
//! appeared, not a file of a directory that was exchanged. There is no serving
//! of the old while the new is looked up. [`Files::refresh`] shortens the second
//! to nothing for one root.
//!
//! # What is never served
//! Anything whose path leads out of the root. The path is decoded once, refused
//! by the rules of `name.rs`, and resolved by the kernel below the root's open
//! directory (`openat2`, `RESOLVE_BENEATH`), so that no exchange of a symlink
//! between check and use can lead out. What opens and is neither a regular file
//! nor a directory is missing.
//!
//! # What is deliberately not here
//! No socket, no header of a request except what `Accept-Encoding` came to, no
//! fallback to an index of an application (a policy's), no watching by inotify
//! (not on network file systems, and not needed at one look a second).

mod coding;
mod directory;
mod entries;
mod error;
mod files;
mod flight;
mod keeper;
mod listing;
mod lookup;
mod mime;
mod name;
mod opened;
mod options;
mod place;
mod pool;
mod retention;
mod root;
mod search;
mod store;
mod tree;
mod variants;

#[cfg(test)]
mod tests;

pub use error::OpenError;
pub use files::{Files, Limits};
pub use lookup::Lookup;
pub use opened::{Body, Opened};
pub use options::{Options, Retain, Symlinks};
pub use pool::{Job, Pool, Refused};
pub use root::Root;
pub use variants::Variant;
