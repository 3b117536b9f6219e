//! The words of HTTP that every part of the gateway shares: heads and their
//! fields, message framing, paths, authorities and failures.
//!
//! Nothing here reads a socket or a clock. A head is parsed once, strictly
//! (RFC 9112), into an arena that its connection uses again for the next
//! request; what is ambiguous is refused here and so never forwarded.

pub mod accept_encoding;
pub mod authority;
pub mod chunked;
pub mod conditional;
pub mod date;
pub mod etag;
pub mod failure;
pub mod fields;
pub mod framing;
pub mod head;
pub mod method;
pub mod path;
pub mod query;
pub mod range;
pub mod request;
pub mod response;
pub mod status;

pub use authority::Authority;
pub use failure::{Failure, Fault};
pub use fields::{Fields, Known};
pub use framing::{Framing, Length};
pub use head::HeadError;
pub use path::EncodedSlash;
pub use request::RequestHead;
pub use response::ResponseHead;
