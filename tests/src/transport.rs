//! Over what the tests of a process reach the gateway.

use std::sync::OnceLock;

/// The behaviour of the gateway does not depend on these, except where a test says so. Tests of
/// such behaviour are written for the first, and run again over the others, in binaries of
/// their own: by its name the harness knows which one it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// HTTP/1.1 over TCP.
    Plain,
    /// HTTP/1.1 over TLS, to upstreams too: `suite/over_tls.rs`.
    Tls,
    /// HTTP/2 over TLS; upstreams speak HTTP/1.1 without TLS: `suite/over_http2.rs`.
    Http2,
}

/// Whether the tests of this process reach the gateway over HTTP/2, for those that are about what
/// HTTP/2 does not have.
#[must_use]
pub fn is_over_http2() -> bool {
    Transport::of_process() == Transport::Http2
}

impl Transport {
    /// That of this process.
    pub(crate) fn of_process() -> Self {
        static CHOSEN: OnceLock<Transport> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let own = std::env::current_exe().expect("the test's executable has a path");
            let name = own.file_name().and_then(|name| name.to_str());
            // Cargo appends a hash.
            match name.and_then(|name| name.rsplit_once('-')) {
                Some(("over_tls", _)) => Self::Tls,
                Some(("over_http2", _)) => Self::Http2,
                _ => Self::Plain,
            }
        })
    }
}
