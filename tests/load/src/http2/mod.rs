//! HTTP/2 (RFC 9113) as far as the measurements need it, without I/O: the client's side, and that
//! of an upstream for gRPC.
//!
//! It is written here because complete ends would cost more than the servers that are measured.
//! Requests are prepared once; of a response, the status and the length of the body are checked,
//! of a call its messages and its status. The client uses no dynamic table for the compression of
//! fields in either direction: its [`SETTINGS`](conversation::Conversation) forbid it to the
//! server.

mod call;
mod conversation;
mod fields;
mod flow;
mod frame;
mod service;

pub(crate) use conversation::{Conversation, Finished, Payload};
pub(crate) use fields::{block, call_block};
pub(crate) use frame::STREAM_WINDOW;
pub(crate) use service::{Service, is_begun_by};

/// Requests that a connection carries at the same time.
pub(crate) const STREAMS: usize = 16;
