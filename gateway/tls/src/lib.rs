//! TLS without sockets: everything about TLS that is not a byte stream.
//!
//! This crate makes the configurations of rustls that the data plane performs
//! handshakes with. It reads certificates from files and says what is wrong
//! with them; it knows no listener, no upstream and no request.
//!
//! Towards clients:
//!
//! - [`Certificate`] is a chain and its key, loaded from files or made by
//!   [`self_signed`]. [`Issued`] are those that an authority issues while the
//!   gateway runs, and [`tls_alpn`] makes the one that convinces it.
//! - [`ServerSettings`] is what an operator may choose for a site. [`suites`]
//!   and [`groups`] translate names, including those of OpenSSL.
//! - [`Selection`] chooses a [`Site`] by the name that a client sends in its
//!   ClientHello (SNI, RFC 6066, section 3).
//! - [`Sessions`] holds what clients resume. It outlives reloads and is shared
//!   by all workers.
//! - [`Peer`] is what a policy may know of a client's certificate.
//!
//! Towards upstreams: [`ClientSettings`] makes a [`Client`].
//!
//! All cryptography is that of one [`provider`]. Whatever depends on the time
//! takes `now` as an argument, in seconds since 1970; only resumption, which
//! rustls calls without a time, reads the clock.

mod certificate;
mod chain;
mod choice;
mod client;
mod client_auth;
mod date;
mod digest;
mod error;
pub mod groups;
mod issued;
pub mod names;
mod parsed;
mod peer;
mod pem;
pub mod provider;
mod revocation;
mod selection;
pub mod self_signed;
mod server;
mod sessions;
mod settings;
mod staple;
pub mod suites;
#[cfg(test)]
mod testing;
pub mod tls_alpn;

pub use rustls::ServerConfig;

pub use certificate::{Certificate, CertificateFiles, Facts};
pub use client::{Client, ClientSettings, Roots, SystemRoots};
pub use client_auth::{ClientAuth, ClientAuthority};
pub use date::utc;
pub use error::{Error, Warning};
pub use issued::{Issued, IssuedFor};
pub use names::{HostPattern, Names};
pub use peer::Peer;
pub use selection::{Entry, Selection, Site};
pub use server::{Server, SiteCertificates};
pub use sessions::{CacheSettings, SessionSettings, Sessions};
pub use settings::{ServerSettings, Version};
