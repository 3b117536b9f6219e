//! The PROXY protocol on connections to upstreams: they learn the two ends of the client's
//! connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use janua_tests::{Endpoint, Gateway, Proxy, Request, Upstream, Visit, Wire, assert_eventually};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header as an upstream has received it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Header {
    V1(String),
    V2 {
        command: u8,
        family: u8,
        body: Vec<u8>,
    },
}

/// The headers of all connections to an upstream.
type Headers = Arc<Mutex<Vec<Header>>>;

async fn read_header(wire: &mut Wire) -> Header {
    let begin = wire.take(SIGNATURE.len()).await.unwrap();
    if begin != SIGNATURE {
        let line = wire.take_until(b"\r\n").await.unwrap();
        return Header::V1(String::from_utf8([begin, line].concat()).unwrap());
    }
    let rest = wire.take(4).await.unwrap();
    assert_eq!(rest[0] >> 4, 2, "version 2");
    let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
    Header::V2 {
        command: rest[0] & 15,
        family: rest[1],
        body: wire.take(length).await.unwrap(),
    }
}

/// An upstream that demands a header, and answers any number of requests on a connection, or
/// none.
async fn upstream_at(endpoint: Endpoint, answers: bool) -> (Upstream, Headers) {
    let headers = Headers::default();
    let seen = Arc::clone(&headers);
    let upstream = Upstream::at(endpoint, move |mut visit: Visit| {
        let seen = Arc::clone(&seen);
        async move {
            let header = read_header(&mut visit.wire).await;
            seen.lock().unwrap().push(header);
            while visit.request().await.is_ok() && answers {
                let response =
                    "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok";
                visit.wire.send(response).await;
            }
        }
    })
    .await;
    (upstream, headers)
}

async fn upstream(answers: bool) -> (Upstream, Headers) {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    upstream_at(Endpoint::Tcp(any_port), answers).await
}

fn config(upstream: &Upstream, version: &str) -> Proxy {
    Proxy::to(upstream.endpoint()).upstream(&format!("send_proxy_protocol = \"{version}\""))
}

#[tokio::test]
async fn version_1_names_both_ends() {
    let (upstream, headers) = upstream(true).await;
    let gateway = Gateway::start(config(&upstream, "v1")).await;
    assert_eq!(gateway.get("/").await.text(), "ok");
    let headers = headers.lock().unwrap().clone();
    let [Header::V1(line)] = headers.as_slice() else {
        panic!("{headers:?}");
    };
    let parts: Vec<&str> = line.trim_end().split(' ').collect();
    let [proxy, family, source, destination, source_port, port] = parts.as_slice() else {
        panic!("{line:?}");
    };
    assert_eq!(
        (*proxy, *family, *source, *destination),
        ("PROXY", "TCP4", "127.0.0.1", "127.0.0.1")
    );
    assert_eq!(*port, gateway.address().port().to_string());
    assert!(source_port.parse::<u16>().unwrap() > 0);
}

#[tokio::test]
async fn version_2_names_both_ends() {
    let (upstream, headers) = upstream(true).await;
    let gateway = Gateway::start(config(&upstream, "v2")).await;
    assert_eq!(gateway.get("/").await.text(), "ok");
    let headers = headers.lock().unwrap().clone();
    let [
        Header::V2 {
            command: 1,
            family: 0x11,
            body,
        },
    ] = headers.as_slice()
    else {
        panic!("{headers:?}");
    };
    assert_eq!(body.len(), 12, "without TLS there are no TLVs");
    assert_eq!(body[..8], [127, 0, 0, 1, 127, 0, 0, 1]);
    assert_eq!(body[10..], gateway.address().port().to_be_bytes());
}

/// The client that a PROXY header has named, in its own address family.
#[tokio::test]
async fn the_client_of_a_load_balancer_is_passed_on() {
    for (version, client, expected) in [
        (
            "v1",
            "TCP4 192.0.2.1 198.51.100.1",
            "PROXY TCP4 192.0.2.1 127.0.0.1 4096 ",
        ),
        (
            "v1",
            "TCP6 2001:db8::1 2001:db8::2",
            "PROXY TCP6 2001:db8::1 ::ffff:127.0.0.1 4096 ",
        ),
    ] {
        let (upstream, headers) = upstream(true).await;
        let config = config(&upstream, version).listener("proxy_protocol = [\"127.0.0.1\"]");
        let gateway = Gateway::start(config).await;
        let mut wire = gateway.connect().await;
        wire.send(format!("PROXY {client} 4096 443\r\n")).await;
        assert_eq!(wire.exchange(&Request::get("/")).await.text(), "ok");
        let headers = headers.lock().unwrap().clone();
        let [Header::V1(line)] = headers.as_slice() else {
            panic!("{headers:?}");
        };
        assert!(line.starts_with(expected), "{line:?}");
    }
}

/// A connection speaks for one client, and is therefore used for one request.
#[tokio::test]
async fn a_connection_is_not_reused() {
    let (upstream, headers) = upstream(true).await;
    let gateway = Gateway::start_one_worker(config(&upstream, "v2")).await;
    let mut wire = gateway.connect().await;
    for _ in 0..3 {
        assert_eq!(wire.exchange(&Request::get("/")).await.text(), "ok");
    }
    assert_eq!(gateway.get("/").await.text(), "ok");
    assert_eq!(upstream.connections(), 4);
    assert_eq!(upstream.request_count(), 4);
    let headers = headers.lock().unwrap().clone();
    assert_eq!(headers.len(), 4);
    assert_eq!(headers[0], headers[2], "the same client");
    assert_ne!(headers[0], headers[3], "another port");
    assert_eventually!(upstream.open() == 0);
}

/// A connection that was opened without a header is not used for an upstream that wants one
/// since a reload.
#[tokio::test]
async fn a_connection_from_before_a_reload_is_not_reused() {
    let headers = Headers::default();
    let seen = Arc::clone(&headers);
    let upstream = Upstream::raw(move |mut visit: Visit| {
        let seen = Arc::clone(&seen);
        async move {
            if visit.number > 0 {
                let header = read_header(&mut visit.wire).await;
                seen.lock().unwrap().push(header);
            }
            while visit.request().await.is_ok() {
                let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                visit.wire.send(response).await;
            }
        }
    })
    .await;
    let mut gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    for _ in 0..2 {
        assert_eq!(gateway.get("/").await.text(), "ok");
    }
    assert_eq!(upstream.connections(), 1, "it is kept");
    gateway.reload(config(&upstream, "v1")).await;
    assert_eq!(gateway.get("/").await.text(), "ok");
    assert_eq!(headers.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_request_sends_it_again() {
    let (closes, first) = upstream(false).await;
    let (alive, second) = upstream(true).await;
    let config = Proxy::to(closes.endpoint())
        .and(alive.endpoint())
        .upstream("send_proxy_protocol = \"v2\"\npassive_health = { max_fails = 0 }");
    let gateway = Gateway::start_one_worker(config).await;
    let mut wire = gateway.connect().await;
    for _ in 0..4 {
        assert_eq!(wire.exchange(&Request::get("/")).await.text(), "ok");
    }
    let (first, second) = (
        first.lock().unwrap().clone(),
        second.lock().unwrap().clone(),
    );
    assert_eq!(second.len(), 4);
    assert!(
        !first.is_empty(),
        "some were sent to the other endpoint first"
    );
    assert!(
        first
            .iter()
            .chain(&second)
            .all(|header| *header == second[0])
    );
}

/// A fetch of the cache serves many clients, and is made in the name of none.
#[tokio::test]
async fn a_fetch_of_the_cache_speaks_for_nobody() {
    for (version, expected) in [
        ("v1", Header::V1("PROXY UNKNOWN\r\n".to_owned())),
        (
            "v2",
            Header::V2 {
                command: 0,
                family: 0,
                body: Vec::new(),
            },
        ),
    ] {
        let (upstream, headers) = upstream(true).await;
        let gateway = Gateway::start(config(&upstream, version).route("cache = true")).await;
        for _ in 0..2 {
            assert_eq!(gateway.get("/").await.text(), "ok");
        }
        assert_eq!(*headers.lock().unwrap(), [expected]);
    }
}

#[tokio::test]
async fn over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let (upstream, headers) = upstream_at(Endpoint::Unix(path), true).await;
    let gateway = Gateway::start(config(&upstream, "v1")).await;
    assert_eq!(gateway.get("/").await.text(), "ok");
    let headers = headers.lock().unwrap().clone();
    assert!(matches!(headers.as_slice(), [Header::V1(line)] if line.starts_with("PROXY TCP4 ")));
}
