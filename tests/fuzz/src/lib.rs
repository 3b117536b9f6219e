//! Fuzz targets: functions that take any bytes and check what must be true of everything that
//! parses what strangers send.
//!
//! The same functions serve three purposes. `cargo test` passes them the corpus and a fixed
//! sequence of mutations of it (`tests/short.rs`); `make fuzz` has libFuzzer look for inputs
//! that reach new code (`guided.rs`); and the binary of this crate repeats a finding
//! (`main.rs`).
//!
//! A target does not only wait for a panic. It states properties: a message in parts is the
//! message as a whole, what is accepted and written again is accepted and the same, and a
//! second, simpler implementation of the same rule comes to the same result.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a property that does not hold is reported by a panic"
)]

mod corpus;
mod mutation;
mod recorded;
mod short;
mod target;
mod targets;

pub use corpus::{Seed, seeds};
pub use short::run_short;
pub use target::{ALL, Target};
