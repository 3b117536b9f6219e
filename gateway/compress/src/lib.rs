//! Content codings applied by the gateway (RFC 9110, section 8.4): which
//! responses are encoded, how that changes their heads, and the encoders.
//!
//! [`rules`] and [`apply`] are pure: they turn heads into a decision or into
//! edits. An [`Encoder`] works on byte slices and uses no task and no socket.
//! The client's `Accept-Encoding` is read by [`janua_http::accept_encoding`].
//!
//! Decoding is deliberately missing: a response that arrives encoded is passed
//! on unchanged.

pub mod apply;
pub mod encoder;
pub mod levels;
pub mod rules;

pub use encoder::{EncodeError, Encoder, whole};
pub use janua_http::accept_encoding::Coding;
pub use levels::Levels;
pub use rules::{Compression, DEFAULT_TYPES, Eligible, Refusal, eligible, refusal};

mod brotli;
mod gzip;
mod zstd;
