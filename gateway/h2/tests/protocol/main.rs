//! The protocol, frame by frame.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "a test says what is wrong by failing"
)]

mod errors;
mod flow;
mod frames;
mod kit;
mod limits;
mod split;
