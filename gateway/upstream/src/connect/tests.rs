use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};

use super::{ConnectError, Remote};
use crate::Connection;
use crate::address::Address;
use crate::endpoint::Endpoint;
use crate::group::Group;

const SOON: Duration = Duration::from_secs(5);

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address on which nothing listens.
async fn closed() -> SocketAddr {
    listener().await.1
}

fn named(addresses: &[SocketAddr]) -> Endpoint {
    let endpoint = Endpoint::new(&Group::new("u"), Address::parse("name:80").unwrap());
    endpoint.set_resolution(Ok(addresses.into()));
    endpoint
}

#[tokio::test]
async fn each_address_is_tried_and_the_one_that_worked_is_tried_first() {
    let (_listener, open) = listener().await;
    let endpoint = named(&[closed().await, open]);
    let (connection, remote) = endpoint.connect(SOON).await.unwrap();
    assert_eq!(remote, Remote::Ip(open));
    let Connection::Tcp(stream) = connection else {
        panic!("not over TCP")
    };
    assert!(stream.nodelay().unwrap());
    assert_eq!(endpoint.preferred.load(super::Relaxed), 1);
    endpoint.connect(SOON).await.unwrap();
    // There are fewer addresses than before: the preferred index wraps around.
    endpoint.set_resolution(Ok(Box::new([open])));
    endpoint.connect(SOON).await.unwrap();
    let counters = endpoint.counters();
    assert_eq!((counters.opened, counters.connect_failures), (3, 0));
}

#[tokio::test]
async fn each_failure_has_its_own_error() {
    let endpoint = named(&[closed().await, closed().await]);
    let error = endpoint.connect(SOON).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused), "{error:?}");
    assert_eq!(endpoint.counters().connect_failures, 1);

    let error = named(&[]).connect(SOON).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unresolved), "{error:?}");

    let missing = Endpoint::new(
        &Group::new("u"),
        Address::parse("unix:/nowhere/app.sock").unwrap(),
    );
    let error = missing.connect(SOON).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused), "{error:?}");
}

/// Of two addresses one refuses, and the other cannot be connected from this machine.
#[test]
fn what_says_nothing_of_the_endpoint_hides_no_other_error() {
    use std::io::{Error, ErrorKind};
    let of = |kind: ErrorKind| ConnectError::from(Error::from(kind));
    for (first, second, expected) in [
        (ErrorKind::ConnectionRefused, ErrorKind::AddrNotAvailable, 0),
        (ErrorKind::AddrNotAvailable, ErrorKind::ConnectionRefused, 1),
        (ErrorKind::ConnectionRefused, ErrorKind::TimedOut, 1),
    ] {
        let counts = of(second).after(Some(of(first)));
        let expected = of([first, second][expected]);
        assert_eq!(counts.to_string(), expected.to_string());
    }
    let alone = of(ErrorKind::AddrNotAvailable).after(None);
    assert!(matches!(alone, ConnectError::Other(_)), "{alone:?}");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_never_answers_takes_only_its_share() {
    let never = std::future::pending::<std::io::Result<()>>();
    let start = tokio::time::Instant::now();
    let error = super::limited(start + SOON, never).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error:?}");
    assert_eq!(start.elapsed(), SOON);
}

#[tokio::test]
async fn a_listener_whose_queue_is_full_times_out_and_the_next_is_reached() {
    // The accept queue has one place and is never emptied: the third
    // connection's SYN is dropped.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(0).unwrap();
    let swallowing = full.local_addr().unwrap();
    let _filled = tokio::net::TcpStream::connect(swallowing).await.unwrap();
    let (_listener, open) = listener().await;

    let endpoint = named(&[swallowing, open]);
    // The second one has its turn after half of that.
    let (_, remote) = endpoint.connect(Duration::from_secs(4)).await.unwrap();
    assert_eq!(remote, Remote::Ip(open));
    let alone = named(&[swallowing]);
    let error = alone.connect(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error:?}");
}

#[tokio::test]
async fn a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let endpoint = Endpoint::new(&Group::new("u"), Address::Unix(path.clone()));
    let (mut connection, remote) = endpoint.connect(SOON).await.unwrap();
    assert_eq!(remote, Remote::Unix(path));
    let (mut other, _) = unix.accept().await.unwrap();
    other.write_all(b"x").await.unwrap();
    assert_eq!(connection.read_u8().await.unwrap(), b'x');
}
