//! Named secrets: how they are read, and what is computed with them for policies, which
//! never see them.
//!
//! | step | file |
//! |---|---|
//! | read the files or variables of a secret | `source` |
//! | take its keys out of them | `content`, `jwks`, `pem`, `users` |
//! | find it by its name, and tell a new content from an old one | `table` |
//! | check and make signatures | `algorithm`, `key`, `signatures` |
//! | seal and open small values | `seal` |
//!
//! Nothing here waits, except for the files of a [`Source`]. What must stay secret is
//! overwritten when it is dropped and never printed: neither by `Debug` nor in an error.
//! The cryptography is that of aws-lc-rs, which the gateway's TLS uses as well.

mod algorithm;
mod content;
mod jwks;
mod key;
mod pem;
mod seal;
mod signatures;
mod source;
mod table;
mod users;

pub use algorithm::Algorithm;
pub use content::{Content, KeyFacts, Kind, Unusable};
pub use seal::{MAX_PLAIN, Scope, SealError};
pub use signatures::{Validity, WrongKey};
pub use source::{LoadError, Loaded, Place, Source};
pub use table::{Secret, Secrets};
