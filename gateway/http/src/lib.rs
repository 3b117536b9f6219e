//! The HTTP types that all parts of the gateway share: heads and their fields, message
//! framing, paths, authorities and failures.
//!
//! Nothing here reads a socket or a clock. A head is parsed once and strictly (RFC 9112, 9113),
//! into memory that is reused for the next one. Ambiguous messages are refused here, so
//! that they are never forwarded.

pub mod accept_encoding;
pub mod authority;
mod byte_set;
pub mod chunked;
pub mod conditional;
pub mod date;
pub mod etag;
pub mod failure;
pub mod fields;
pub mod framing;
pub mod grpc;
pub mod grpc_web;
pub mod head;
pub mod method;
pub mod path;
mod percent;
pub mod query;
pub mod range;
pub mod request;
pub mod response;
pub mod section;
pub mod status;
pub mod url;

pub use authority::Authority;
pub use failure::{Failure, Fault};
pub use fields::{Fields, Known};
pub use framing::{Framing, Length};
pub use head::HeadError;
pub use path::{EncodedSlash, HiddenDots, Spelling};
pub use request::RequestHead;
pub use response::ResponseHead;
