//! What the peer of an idle connection has done.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

/// What the peer of an idle connection has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// Nothing: the connection can be used again.
    Quiet,
    /// It has closed the connection, or the connection failed.
    Closed,
    /// It has sent bytes that belong to no response.
    Unsolicited,
}

impl Idle {
    /// Interprets the bytes that have arrived on an idle connection.
    pub(crate) fn of(unsolicited: &[u8]) -> Self {
        // Some servers send a 408 when they close an idle connection (RFC 9110 §15.5.9).
        let is_timeout = [b"HTTP/1.1 408", b"HTTP/1.0 408"]
            .iter()
            .any(|start| unsolicited.starts_with(*start));
        match unsolicited {
            [] => Self::Quiet,
            _ if is_timeout => Self::Closed,
            _ => Self::Unsolicited,
        }
    }
}

/// What the peer of an idle connection has done. This peeks at the socket itself: the runtime
/// learns about received bytes only when it next polls the kernel, and bytes that are already
/// there must not be taken for the next response.
pub(crate) fn peek(socket: impl AsFd) -> Idle {
    let mut front = [0; 12];
    loop {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        return match recv(&socket, &mut front, flags) {
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Idle::Quiet,
            Err(_) | Ok((_, 0)) => Idle::Closed,
            Ok((count, _)) => Idle::of(front.get(..count).unwrap_or_default()),
        };
    }
}
