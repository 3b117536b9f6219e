//! Content codings on the fly (RFC 9110 §8.4): which answers are coded, what
//! that does to their heads, and the encoders.
//!
//! [`rules`] and [`apply`] are pure: heads in, a decision or edits out. An
//! [`Encoder`] is driven by slices and owns no task and no socket; what a client
//! accepts is read by [`janua_http::accept_encoding`].
//!
//! Decoding is deliberately missing: an answer that comes coded is passed on as
//! it is.

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
