//! The client's side of HTTP/2 (RFC 9113), as far as the measurements need it, without I/O.
//!
//! It is written here because a complete client would cost more than the servers that are
//! measured. Requests are prepared once; of a response, the status and the length of the body
//! are checked. The compression of fields uses no dynamic table in either direction: the
//! client's [`SETTINGS`](conversation::Conversation) forbid it to the server.

mod conversation;
mod fields;
mod frame;

pub(crate) use conversation::{Conversation, Finished};
pub(crate) use fields::block;
pub(crate) use frame::STREAM_WINDOW;

/// Requests that a connection carries at the same time.
pub(crate) const STREAMS: usize = 16;
