//! Listening sockets: one for each worker and address, so that the kernel
//! spreads connections and no worker waits for another.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use janua_config::ListenAddress;
use socket2::{Domain, Protocol, Socket, Type};

/// The most connections that wait to be accepted, for each worker. The kernel limits it to
/// net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// Binds an address once for each worker.
///
/// With SO_REUSEPORT alone, a second gateway could silently take half of the traffic. So
/// the address is first bound without it, which fails if another process listens there.
///
/// # Errors
/// The address is in use, is not one of this machine, or is not permitted.
pub(crate) fn bind(address: ListenAddress, workers: usize) -> io::Result<Vec<TcpListener>> {
    let (socket_address, both_families) = parts(address);
    drop(open(socket_address, both_families, false)?);
    share(address, workers)
}

/// Binds an address once for each worker, although this process already listens on it.
///
/// # Errors
/// The same as those of [`bind`].
pub(crate) fn share(address: ListenAddress, workers: usize) -> io::Result<Vec<TcpListener>> {
    let (mut address, both_families) = parts(address);
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = open(address, both_families, true)?;
        // For port 0 the kernel chooses a free port, which the other sockets then share.
        address.set_port(socket.local_addr()?.port());
        sockets.push(socket);
    }
    Ok(sockets)
}

fn parts(address: ListenAddress) -> (SocketAddr, bool) {
    match address {
        ListenAddress::Socket(address) => (address, false),
        ListenAddress::BothFamilies { port } => {
            (SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), true)
        }
    }
}

fn open(address: SocketAddr, both_families: bool, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!both_families)?;
    }
    // Connections in TIME_WAIT of an earlier process must not prevent binding.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_by_one_process_alone() {
        let loopback = ListenAddress::Socket("127.0.0.1:0".parse().unwrap());
        let sockets = bind(loopback, 3).unwrap();
        let taken = sockets[0].local_addr().unwrap();
        assert!(
            sockets
                .iter()
                .all(|socket| socket.local_addr().unwrap() == taken)
        );
        // Although all of them were bound with SO_REUSEPORT.
        let second = bind(ListenAddress::Socket(taken), 1);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn both_families() {
        let sockets = bind(ListenAddress::BothFamilies { port: 0 }, 1).unwrap();
        let port = sockets[0].local_addr().unwrap().port();
        for host in ["127.0.0.1", "::1"] {
            let address: std::net::IpAddr = host.parse().unwrap();
            std::net::TcpStream::connect((address, port)).unwrap();
        }
    }
}
