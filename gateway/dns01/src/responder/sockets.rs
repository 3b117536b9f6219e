//! Binds an address for UDP and TCP.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// How often a port is chosen for UDP that may be taken for TCP.
const TRIES: usize = 16;

/// The two sockets, and the address with its port. The error names the address.
pub(super) fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let mut result = bind_once(address);
    for _ in 1..TRIES {
        match &result {
            Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse => {
                result = bind_once(address);
            }
            _ => break,
        }
    }
    result.map_err(|error| {
        let sentence = format!("The name server cannot listen on {address}: {error}.");
        io::Error::new(error.kind(), sentence)
    })
}

fn bind_once(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let datagrams = UdpSocket::from_std(open(address, Type::DGRAM, Protocol::UDP)?.into())?;
    let address = datagrams.local_addr()?;
    let listener = open(address, Type::STREAM, Protocol::TCP)?;
    listener.listen(BACKLOG)?;
    Ok((datagrams, TcpListener::from_std(listener.into())?, address))
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // So that `0.0.0.0` and `::` can be bound at once.
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // So that connections of a gateway that has ended do not keep the address.
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
