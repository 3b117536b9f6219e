//! Serves files below a root directory, for routes with `files`.
//!
//! There is one [`Files`] per process. It has a bounded pool of threads for all
//! work that may wait for a disk, so that no worker ever does, and a cache of
//! lookups that holds files open. A [`Root`] is one directory with its rules.
//! For each request:
//!
//! 1. [`Files::find_now`] answers from the lookup cache without a system call,
//!    if the cached result is less than a second old.
//! 2. Otherwise [`Files::find`] looks the path up again, in the pool; concurrent
//!    requests for the same path wait for one lookup.
//! 3. The caller turns the [`Lookup`] into a response: it evaluates conditions
//!    and ranges and sends the body of [`Opened`], from memory or from the file.
//!
//! # Freshness
//! No response is based on a lookup older than the revalidation interval of 1 s:
//! no old index after a deploy, no 404 for a file that now exists, no file of a
//! directory that was replaced. Stale results are never served during
//! revalidation. [`Files::refresh`] invalidates one root at once.
//!
//! # What is never served
//! Nothing outside of the root is served. The path is decoded once, checked by
//! the rules in `name.rs`, and resolved by the kernel below the root's open
//! directory (`openat2`, `RESOLVE_BENEATH`), so that replacing a symbolic link
//! between check and use cannot lead out. Whatever is neither a regular file nor
//! a directory counts as missing.
//!
//! # Deliberately absent
//! There is no socket, no header field of the request except the parsed
//! `Accept-Encoding`, no fallback to an application's index (a policy does
//! that), and no inotify (it does not work on network file systems, and one
//! lookup per second makes it unnecessary).

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
mod pool;
mod retention;
mod root;
mod search;
mod store;
mod store_path;
mod tree;
mod variants;

#[cfg(test)]
mod tests;

pub use error::OpenError;
pub use files::{Files, Limits};
pub use lookup::Lookup;
pub use name::Name;
pub use opened::{Body, Opened};
pub use options::{Options, Retain, Symlinks};
pub use pool::{Job, Pool, Refused};
pub use root::Root;
pub use variants::Variant;
