//! A port that stays with its test while nobody listens on it.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of the loopback address that nobody else gets while the server that listens on it is
/// dead. The kernel gives each connection a free port of its own, and there are thousands of
/// them.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _held: Socket,
}

impl Port {
    /// Binds a free port, and never listens on it: with `SO_REUSEADDR` on both sockets, another
    /// one can listen.
    #[must_use]
    pub fn reserve() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self {
            address,
            _held: socket,
        }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Keeps the port until the process of the tests ends.
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }

    /// The address in the form used by the configuration.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }
}
