//! Addresses at which no server answers.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A reserved port on which nothing accepts connections.
#[derive(Debug)]
pub struct Vacant {
    address: SocketAddr,
    _held: Vec<Socket>,
}

impl Vacant {
    /// Connections are refused: the port is bound, but not listening.
    #[must_use]
    pub fn refusing() -> Self {
        let (socket, address) = bound();
        Self {
            address,
            _held: vec![socket],
        }
    }

    /// Connections are never established: the accept queue is full and never
    /// emptied.
    #[must_use]
    pub fn never_accepting() -> Self {
        let (socket, address) = bound();
        socket.listen(0).unwrap();
        let mut held = vec![socket];
        // A queue of length 0 holds one connection; later ones get no response.
        for _ in 0..4 {
            let waiting = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            waiting.set_nonblocking(true).unwrap();
            let _ = waiting.connect(&address.into());
            held.push(waiting);
        }
        Self {
            address,
            _held: held,
        }
    }

    /// The address in the form used by the configuration.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}
