//! HTTP/2 on both sides of the gateway.
//!
//! | what | where |
//! |---|---|
//! | tests that are written for HTTP/1.1, over HTTP/2 | `adapter` |
//! | a client for tests about HTTP/2 itself | [`Http2Client`], [`Http2Call`] |
//! | a client of single frames, also malformed ones | [`Frames`], [`Frame`] |
//! | a server that stands in for an upstream | [`Http2Upstream`], [`Http2Stream`] |

mod adapter;
mod body;
mod client;
mod frame;
mod frames;
mod head;
mod hpack;
mod intake;
mod stream;
mod upstream;

#[cfg(test)]
mod tests;

/// The budget of the library for frames that are small, in bytes. With its own, clients and
/// servers would end connections on which a test sends many of them and does not read.
const ANY_FRAMES: usize = 1 << 30;

pub(crate) use adapter::{Near, adapt};
pub use client::{Http2Call, Http2Client};
pub use frame::{Frame, code, flag, kind, setting};
pub use frames::Frames;
pub use stream::Http2Stream;
pub use upstream::{Http2Habits, Http2Upstream};
