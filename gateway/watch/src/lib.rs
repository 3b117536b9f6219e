//! Tells when the contents of files have changed, so that what is made of them can be made
//! anew: the configuration and all that it refers to today, and whatever a later part of the
//! gateway reads from a file.
//!
//! The only crate that knows how the system reports changes. It knows nothing of what the
//! files mean: whoever starts a [`Watcher`] hands it the files that it has [`Seen`], and is called
//! back when they contain something else.
//!
//! - [`Contents`] is what the files contain, as digests: a file that is only touched, or
//!   replaced by an equal one, has not changed.
//! - `places` finds where in the file system a change of a path can happen: in each directory
//!   on its way through symbolic links.
//! - `events` receives the system's events in these directories, through `notify`.
//! - `poll` looks at the files for which there are no events.
//! - `debouncer` decides when a series of events is over.

mod contents;
mod debouncer;
mod events;
mod places;
mod poll;
mod watcher;

pub use contents::Contents;
pub use watcher::{Change, ChangedFile, Reaction, Seen, Summary, Watcher};
