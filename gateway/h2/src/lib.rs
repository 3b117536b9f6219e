//! The server side of HTTP/2 (RFC 9113), without I/O.
//!
//! A [`Connection`] takes the bytes of a transport ([`Connection::receive`]) and has bytes for it
//! ([`Connection::output`]). It passes each request to an [`Accept`]; from then on, a task of the
//! gateway receives the body and sends the response by the [`StreamKey`] of its stream. What
//! has to wait is woken by a `Waker`, which is kept only while a poll is pending.
//!
//! - A violation of the protocol ends the stream or the connection with the code of the RFC.
//! - Whatever a client may do too often has a limit of its own: see [`Limits`] and [`Abuse`].
//! - Memory is bounded: the bodies of a connection by [`Settings::connection_window`]; its
//!   output by 64 KiB of data and 64 KiB of the rest ([`Connection::wants_input`]), and the
//!   heads of the responses; an incomplete field section by [`Limits::header_block`]. A
//!   connection without streams holds no buffer: it takes about 1 KiB, and the two tables of
//!   HPACK. A stream takes less than 256 bytes, and what waits of its body.
//!
//! ```
//! use std::task::{Context, Poll, Waker};
//!
//! use janua_h2::{Accept, Connection, Limits, PREFACE, Settings, StreamKey};
//! use janua_http::{HeadError, RequestHead};
//!
//! #[derive(Default)]
//! struct Requests(RequestHead, Vec<StreamKey>);
//!
//! impl Accept for Requests {
//!     fn head(&mut self) -> &mut RequestHead {
//!         &mut self.0
//!     }
//!     fn request(&mut self, key: StreamKey, _received: Result<(), HeadError>) {
//!         self.1.push(key);
//!     }
//! }
//!
//! let mut requests = Requests::default();
//! let mut connection = Connection::new(Settings::default(), Limits::default(), 0);
//! connection.receive(PREFACE, 0, &mut requests)?;
//! connection.receive(b"\0\0\0\x04\0\0\0\0\0", 0, &mut requests)?; // SETTINGS
//! let request = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x87\x84\x41\x01a"; // GET https://a/
//! connection.receive(request, 0, &mut requests)?;
//!
//! let key = requests.1[0];
//! let context = Context::from_waker(Waker::noop());
//! connection.send_head(key, 200, std::iter::empty(), false).unwrap();
//! connection.expect_length(key, 2);
//! let sent = connection.poll_send(key, &context, b"ok", b"");
//! assert_eq!(sent, Poll::Ready(Ok(2)));
//! connection.release(key);
//! let count = connection.output().len(); // to be written to the transport
//! connection.advance(count);
//! # Ok::<(), janua_h2::ConnectionError>(())
//! ```
//!
//! Deliberately missing: push, the priorities of RFC 7540, and the upgrade from HTTP/1.1, which
//! RFC 9113 has removed.

mod abuse;
mod buffers;
mod connection;
mod error;
mod frame;
mod hpack;
mod input;
mod limits;
mod output;
mod priority;
mod settings;
mod stream;
mod streams;
mod timers;
mod turns;

pub use abuse::Abuse;
pub use connection::{Accept, Connection};
pub use error::{Code, ConnectionError, StreamError};
pub use limits::Limits;
pub use settings::Settings;
pub use streams::StreamKey;

/// What a client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
