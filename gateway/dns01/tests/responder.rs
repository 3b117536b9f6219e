//! The built-in name server over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use janua_dns01::{Responder, Zones};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::spawn_blocking;

/// For an answer that must come.
const PATIENCE: Duration = Duration::from_secs(20);

const NAME: &str = "example.com.acme.example.com";

async fn start(addresses: &[&str]) -> Responder {
    let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let zones = Zones {
        zone: Some("acme.example.com".to_owned()),
        name_server: "gw.example.com".to_owned(),
    };
    Responder::start(&addresses, zones).await.unwrap()
}

fn query(name: &str, kind: RecordType) -> Vec<u8> {
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    query.to_vec().unwrap()
}

fn texts(response: &[u8]) -> Vec<String> {
    let response = Message::from_vec(response).unwrap();
    let texts = response.answers.iter().map(|record| match &record.data {
        RData::TXT(text) => String::from_utf8(text.txt_data.concat()).unwrap(),
        other => panic!("{other:?}"),
    });
    texts.collect()
}

fn datagram_socket(server: SocketAddr) -> UdpSocket {
    let any = match server {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn by_udp(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let socket = datagram_socket(server);
    socket.send(query).unwrap();
    let mut response = vec![0; 65_535];
    let length = socket.recv(&mut response).unwrap();
    response.truncate(length);
    response
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn framed(query: &[u8]) -> Vec<u8> {
    let length = u16::try_from(query.len()).unwrap();
    [&length.to_be_bytes(), query].concat()
}

fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut response = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut response)?;
    Ok(response)
}

fn by_tcp(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let mut stream = connect(server);
    stream.write_all(&framed(query)).unwrap();
    read(&mut stream).unwrap()
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(call).await.unwrap()
}

fn has_ipv6() -> bool {
    std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[tokio::test]
async fn values_come_and_go_over_udp_and_tcp() {
    let mut addresses = vec!["127.0.0.1:0", "127.0.0.2:0"];
    addresses.extend(has_ipv6().then_some("[::1]:0"));
    let responder = start(&addresses).await;
    let servers = responder.addresses().to_vec();
    assert!(servers.iter().all(|server| server.port() != 0));
    let ask = |server| {
        blocking(move || {
            let query = query(NAME, RecordType::TXT);
            let answers = [by_udp(server, &query), by_tcp(server, &query)];
            answers.map(|answer| texts(&answer))
        })
    };
    responder.present(NAME, "one");
    responder.present(NAME, "two");
    for &server in &servers {
        assert_eq!(ask(server).await, [["one", "two"], ["one", "two"]]);
    }
    responder.clear(NAME, "one");
    assert_eq!(ask(servers[0]).await, [["two"], ["two"]]);
    responder.clear(NAME, "two");
    let none: [Vec<String>; 2] = Default::default();
    assert_eq!(ask(servers[0]).await, none);
    let expected = 2 * u64::try_from(servers.len() + 2).unwrap();
    assert_eq!(responder.queries(), expected);
}

#[tokio::test]
async fn apexes_can_be_set_at_any_time() {
    let responder = start(&["127.0.0.1:0"]).await;
    let server = responder.addresses()[0];
    let ask = || {
        blocking(move || {
            let query = query("_acme-challenge.a.example", RecordType::NS);
            Message::from_vec(&by_udp(server, &query)).unwrap()
        })
    };
    assert_eq!(ask().await.response_code, ResponseCode::Refused);
    responder.set_apexes(["_acme-challenge.a.example".to_owned()]);
    let response = ask().await;
    assert_eq!(response.response_code, ResponseCode::NoError);
    assert_eq!(response.answers.len(), 1);
}

#[tokio::test]
async fn queries_on_one_connection_are_answered_in_order() {
    let responder = start(&["127.0.0.1:0"]).await;
    let server = responder.addresses()[0];
    responder.present(NAME, "one");
    responder.present("b.acme.example.com", "two");
    let answers = blocking(move || {
        let mut stream = connect(server);
        let queries = [
            framed(&query(NAME, RecordType::TXT)),
            framed(&query("b.acme.example.com", RecordType::TXT)),
        ];
        // In pieces whose ends are no ends of messages.
        let bytes = [queries.concat(), queries.concat()].concat();
        for piece in bytes.chunks(37) {
            stream.write_all(piece).unwrap();
        }
        let answers: Vec<_> = (0..4).map(|_| texts(&read(&mut stream).unwrap())).collect();
        answers
    });
    assert_eq!(answers.await, [["one"], ["two"], ["one"], ["two"]]);
}

#[tokio::test]
async fn a_connection_with_anything_else_is_closed() {
    let responder = start(&["127.0.0.1:0"]).await;
    let server = responder.addresses()[0];
    let mut response = query(NAME, RecordType::TXT);
    response[2] |= 0x80;
    // Larger than a query may be, and otherwise malformed only, which would be
    // answered.
    let mut large = query(NAME, RecordType::TXT);
    large.resize(4097, 0);
    let large = framed(&large);
    for message in [framed(&response), vec![0, 3, 1, 2, 3], vec![0, 0], large] {
        let end = blocking(move || {
            let mut stream = connect(server);
            stream.write_all(&message).unwrap();
            let mut rest = Vec::new();
            let end = stream.read_to_end(&mut rest);
            (end.map_err(|error| error.kind()), rest)
        });
        let (end, rest) = end.await;
        // A connection that is closed with unread bytes is reset.
        assert!(
            matches!(end, Ok(0) | Err(io::ErrorKind::ConnectionReset)),
            "{end:?}"
        );
        assert!(rest.is_empty());
    }
}

/// The time passes as soon as everybody waits.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed() {
    let responder = start(&["127.0.0.1:0"]).await;
    let begun = tokio::time::Instant::now();
    let mut stream = connect_slowly(&responder).await;
    // The beginning of a query is none.
    stream.write_all(&[0]).await.unwrap();
    assert!(stream.read_u8().await.is_err());
    let lasted = begun.elapsed().as_secs();
    assert!((10..12).contains(&lasted), "{lasted}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_lasts_a_minute() {
    let responder = start(&["127.0.0.1:0"]).await;
    let begun = tokio::time::Instant::now();
    let mut stream = connect_slowly(&responder).await;
    let query = framed(&query(NAME, RecordType::TXT));
    let mut answered = 0;
    // A query within each time that a connection may be idle.
    while stream.write_all(&query).await.is_ok() {
        let Ok(length) = stream.read_u16().await else {
            break;
        };
        stream
            .read_exact(&mut vec![0; length.into()])
            .await
            .unwrap();
        answered += 1;
        tokio::time::sleep(Duration::from_secs(9)).await;
    }
    assert_eq!(answered, 7);
    let lasted = begun.elapsed().as_secs();
    assert!((60..65).contains(&lasted), "{lasted}");
}

async fn connect_slowly(responder: &Responder) -> tokio::net::TcpStream {
    let server = responder.addresses()[0];
    tokio::net::TcpStream::connect(server).await.unwrap()
}

/// All come from one network, which may have a part of all connections only.
#[tokio::test]
async fn the_number_of_connections_is_limited() {
    let responder = start(&["127.0.0.1:0"]).await;
    let server = responder.addresses()[0];
    blocking(move || {
        let query = framed(&query(NAME, RecordType::TXT));
        let mut open: Vec<TcpStream> = (0..16).map(|_| connect(server)).collect();
        for stream in &mut open {
            stream.write_all(&query).unwrap();
            read(stream).unwrap();
        }
        let mut refused = connect(server);
        let _ = refused.write_all(&query);
        assert!(read(&mut refused).is_err());
        open.clear();
        // The server learns of the ends a little later.
        loop {
            let mut stream = connect(server);
            let _ = stream.write_all(&query);
            if read(&mut stream).is_ok() {
                break;
            }
        }
    })
    .await;
}

/// After a burst a network gets truncated responses, and is answered by TCP.
#[tokio::test]
async fn many_datagrams_are_limited_and_tcp_is_not() {
    let responder = start(&["127.0.0.1:0"]).await;
    responder.present(NAME, "one");
    let server = responder.addresses()[0];
    blocking(move || {
        let query = query(NAME, RecordType::TXT);
        let socket = datagram_socket(server);
        let mut response = [0; 1232];
        // One response of the rate comes each 20 ms; a query and its response take
        // far less.
        let truncated = (0..100_000).find_map(|_| {
            socket.send(&query).unwrap();
            let length = socket.recv(&mut response).unwrap();
            let message = Message::from_vec(&response[..length]).unwrap();
            message.truncation.then_some((length, message))
        });
        let (length, message) = truncated.unwrap();
        assert_eq!(length, query.len());
        assert!(message.answers.is_empty());
        assert_eq!(texts(&by_tcp(server, &query)), ["one"]);
    })
    .await;
}

#[tokio::test]
async fn garbage_is_survived() {
    let responder = start(&["127.0.0.1:0"]).await;
    responder.present(NAME, "one");
    let server = responder.addresses()[0];
    blocking(move || {
        let socket = datagram_socket(server);
        let valid = query(NAME, RecordType::TXT);
        for length in 0..valid.len() {
            socket.send(&valid[..length]).unwrap();
        }
        for garbage in [vec![], vec![0xFF; 60_000], vec![0xC0; 512], vec![0; 12]] {
            socket.send(&garbage).unwrap();
        }
        let socket = datagram_socket(server);
        socket.send(&valid).unwrap();
        let mut response = [0; 1232];
        let length = socket.recv(&mut response).unwrap();
        assert_eq!(texts(&response[..length]), ["one"]);
    })
    .await;
}

#[tokio::test]
async fn an_address_in_use_is_named_and_a_stopped_one_is_free() {
    let responder = start(&["127.0.0.1:0"]).await;
    let address = responder.addresses()[0];
    let zones = Zones {
        zone: None,
        name_server: "gw.example.com".to_owned(),
    };
    let error = Responder::start(&[address], zones.clone())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    responder.stop().await;
    let again = Responder::start(&[address], zones).await.unwrap();
    assert_eq!(again.addresses(), [address]);
    drop(again);
    // Its sockets are closed when its tasks have ended.
    while UdpSocket::bind(address).is_err() {
        tokio::task::yield_now().await;
    }
}

/// It may be moved between threads, and its start too.
#[test]
fn it_is_send() {
    fn send<T: Send + Sync>(_: &T) {}
    fn send_future<T: Send>(_: &T) {}
    let zones = Zones {
        zone: None,
        name_server: "gw.example.com".to_owned(),
    };
    let starting = Responder::start(&[], zones);
    send_future(&starting);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    send(&runtime.block_on(starting).unwrap());
}
