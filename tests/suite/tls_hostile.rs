//! Clients that misuse TLS: handshakes that never end, floods of messages that ask the gateway
//! for work, records of every size, and bytes that are none. None of them keeps its connection,
//! or costs others anything.

use std::net::SocketAddr;
use std::time::Duration;

use janua_tests::{Gateway, Proxy, Request, TlsClient, Upstream, Wire, assert_eventually};

use crate::tls::{LISTENER, Stage, get, site};

const HOST: &str = "a.shop.example";

/// A gateway whose listener has this value of `tls`, and a client that trusts it.
async fn gateway(tls: &str) -> (Gateway, TlsClient) {
    let stage = Stage::new().with("a", &[HOST]);
    let client = stage.client();
    let listener = LISTENER.replace("tls = true", &format!("tls = {tls}"));
    let config = format!("{listener}{}", site("a", &[HOST], ""));
    (stage.start(config).await, client)
}

async fn failures(gateway: &Gateway, reason: &str) -> f64 {
    gateway
        .metric("janua_tls_handshake_failures_total", &[("reason", reason)])
        .await
}

/// A new client is served, and of the hostile ones nothing is left.
async fn recovers(gateway: &Gateway, client: &TlsClient) {
    let mut wire = gateway.connect_tls(&client.anew(), HOST).await;
    assert_eq!(get(&mut wire, HOST).await.status, 200);
    drop(wire);
    assert_eventually!(gateway.status().await["connections"] == 0);
}

/// The first flight of a client: a ClientHello in one record.
async fn client_hello(client: &TlsClient) -> Vec<u8> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = client.clone();
    let connecting = tokio::spawn(async move { client.connect(address, HOST).await });
    let mut wire = Wire::from(listener.accept().await.unwrap().0);
    let mut record = wire.take(5).await.unwrap();
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.extend(wire.take(length).await.unwrap());
    drop(wire);
    assert!(connecting.await.unwrap().is_err());
    record
}

/// The same message in records with so many bytes each.
fn fragmented(record: &[u8], size: usize) -> Vec<u8> {
    let part = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap();
        [&[22, 3, 1], &length.to_be_bytes()[..], part].concat()
    };
    record[5..].chunks(size).flat_map(part).collect()
}

async fn begin(address: SocketAddr, bytes: &[u8]) -> Wire {
    let mut wire = Wire::connect(address).await;
    let _ = wire.try_send(bytes).await;
    wire
}

/// The type of the record that the gateway answers with: 22 of a ServerHello, 21 of an alert.
async fn answer(wire: &mut Wire) -> Option<u8> {
    let record = wire.take(5).await.ok()?;
    Some(record[0])
}

#[tokio::test]
async fn a_handshake_that_does_not_end() {
    let (gateway, client) = gateway("{ handshake_timeout = \"1s\" }").await;
    let hello = client_hello(&client).await;
    // A client that sends nothing, one that stops within the ClientHello, and one that stops
    // after the ServerHello.
    let mut silent = begin(gateway.address(), b"").await;
    let mut partial = begin(gateway.address(), &hello[..hello.len() / 2]).await;
    let mut stalled = begin(gateway.address(), &hello).await;
    assert_eq!(answer(&mut stalled).await, Some(22));
    // Bytes that keep coming do not prolong the time.
    let mut dripping = begin(gateway.address(), b"").await;
    let mut sent = 0;
    for byte in &hello {
        let _ = dripping.try_send([*byte]).await;
        sent += 1;
        if !dripping.is_silent_for(Duration::from_millis(50)).await {
            break;
        }
    }
    assert!(
        sent < hello.len(),
        "the gateway is as patient as the client"
    );
    assert!(silent.is_closed().await);
    assert!(partial.is_closed().await);
    let _ = stalled.take_rest().await;
    assert_eventually!(failures(&gateway, "timeout").await == 4.0);
    recovers(&gateway, &client).await;
}

/// A client over its limit is refused before the handshake, whose cost it does not cause.
#[tokio::test]
async fn a_client_over_its_limit_costs_no_handshake() {
    let stage = Stage::new().with("a", &[HOST]);
    let limits = "tls = true\nclient_limits = { connections = 1 }";
    let listener = LISTENER.replace("tls = true", limits);
    let client = stage.client();
    let gateway = stage
        .start(format!("{listener}{}", site("a", &[HOST], "")))
        .await;
    let mut first = gateway.connect_tls(&client, HOST).await;
    let mut second = begin(gateway.address(), b"").await;
    assert!(second.is_closed().await, "without a byte from the client");
    let metrics = gateway.metrics().await;
    let of_client = [("reason", "client_connections")];
    let refused = metrics.sum("janua_connections_refused_total", &of_client);
    assert_eq!(refused, 1.0);
    assert_eq!(get(&mut first, HOST).await.status, 200);
}

#[tokio::test]
async fn a_client_hello_in_many_parts() {
    let (gateway, client) = gateway("true").await;
    let hello = client_hello(&client).await;
    for size in [1, 2, 7, 100] {
        let mut wire = begin(gateway.address(), &fragmented(&hello, size)).await;
        assert_eq!(answer(&mut wire).await, Some(22), "records of {size}");
    }
    // And each byte in a packet of its own.
    let mut wire = begin(gateway.address(), b"").await;
    for byte in fragmented(&hello, 1) {
        wire.send([byte]).await;
    }
    assert_eq!(answer(&mut wire).await, Some(22));
    drop(wire);
    recovers(&gateway, &client).await;
}

#[tokio::test]
async fn a_large_client_hello() {
    let (gateway, client) = gateway("true").await;
    // Hundreds of protocols, of which the gateway knows the last.
    let names: Vec<String> = (0..400)
        .map(|number| format!("protocol-{number}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = client
        .clone()
        .protocols(&[&names[..], &["http/1.1"]].concat());
    let mut wire = gateway.connect_tls(&many, HOST).await;
    assert_eq!(wire.handshake().protocol.as_deref(), Some("http/1.1"));
    assert_eq!(get(&mut wire, HOST).await.status, 200);
    drop(wire);
    // More than a record holds.
    let names: Vec<String> = (0..100).map(|number| format!("{number:0>240}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = client
        .clone()
        .protocols(&[&names[..], &["http/1.1"]].concat());
    let mut wire = gateway.connect_tls(&long, HOST).await;
    assert_eq!(get(&mut wire, HOST).await.status, 200);
    drop(wire);
    // A message that claims to be longer than any is refused, and not kept until it ends.
    let begin_of_message = [
        &[22, 3, 1, 0x40, 0][..],
        &[1, 0xff, 0xff, 0xff],
        &[0; 16_380],
    ];
    let mut endless = begin(gateway.address(), &begin_of_message.concat()).await;
    // The alert may be lost, because not everything was read when the connection ended.
    let _ = endless.take_rest().await;
    assert_eventually!(failures(&gateway, "refused").await == 1.0);
    drop(endless);
    recovers(&gateway, &client).await;
}

#[tokio::test]
async fn bytes_that_are_no_tls() {
    let (gateway, client) = gateway("true").await;
    let hello = client_hello(&client).await;
    let mut garbage = vec![0; 4096];
    fastrand::Rng::with_seed(7).fill(&mut garbage);
    let broken = |at: usize, byte: u8| {
        let mut hello = hello.clone();
        hello[at] = byte;
        hello
    };
    let cases = [
        (
            "garbage in a record",
            [&[22, 3, 1, 16, 0], &*garbage].concat(),
        ),
        ("an empty record", vec![22, 3, 1, 0, 0]),
        ("empty records", [22, 3, 1, 0, 0].repeat(1000)),
        (
            "a record that is too long",
            [&[22, 3, 1, 0xff, 0xff], &*garbage].concat(),
        ),
        ("another version of records", broken(1, 9)),
        ("another message", broken(5, 2)),
        ("a wrong length", broken(8, hello[8] ^ 1)),
        ("a session identifier that is too long", broken(43, 255)),
        ("two ClientHellos", [&*hello, &*hello].concat()),
        (
            "a Finished before its time",
            [&*hello, &[22, 3, 3, 0, 4, 20, 0, 0, 0]].concat(),
        ),
        (
            "data before its time",
            [&*hello, &[23, 3, 3, 0, 4, 1, 2, 3, 4]].concat(),
        ),
        (
            "an alert in between",
            [&*hello, &[21, 3, 3, 0, 2, 2, 80]].concat(),
        ),
    ];
    let mut failed = 0.0;
    for (case, bytes) in &cases {
        let mut wire = begin(gateway.address(), bytes).await;
        // What waits for more is told that nothing follows.
        wire.finish().await;
        let _ = wire.take_rest().await;
        failed += 1.0;
        assert_eventually!(
            failures(&gateway, "refused").await + failures(&gateway, "connection").await == failed,
            "{case}"
        );
    }
    recovers(&gateway, &client).await;
    assert!(!gateway.messages().contains("panic"));
}

/// rustls permits 32 KeyUpdates without data in between.
#[tokio::test]
async fn a_flood_of_key_updates() {
    let (gateway, client) = gateway("true").await;
    let mut wire = gateway
        .connect_tls(&client.clone().version("1.3"), HOST)
        .await;
    // Between requests they are no reason to end a connection.
    for _ in 0..5 {
        for _ in 0..20 {
            wire.update_keys().await;
        }
        assert_eq!(get(&mut wire, HOST).await.status, 200);
    }
    let mut sent = 0;
    while sent < 100_000 && wire.try_update_keys().await.is_ok() {
        sent += 1;
    }
    assert!(sent < 100_000, "they were all taken");
    drop(wire);
    recovers(&gateway, &client).await;
}

#[tokio::test]
async fn records_of_every_size() {
    let upstream = Upstream::echo().await;
    let stage = Stage::new().with("a", &[HOST]);
    let client = stage.client();
    let config = Proxy::to(upstream.endpoint())
        .listener("tls = true")
        .site("certificate = { cert = \"a.crt\", key = \"a.key\" }")
        .to_string();
    let config = config.replace("hosts = [\"*\"]", &format!("hosts = [\"{HOST}\"]"));
    let gateway = stage.start(config).await;
    for version in ["1.2", "1.3"] {
        let client = client.clone().version(version);
        // A byte in each, the largest ones, and what is in between.
        for size in [1, 16_384, 16_383, 777] {
            let body = vec![b'x'; if size == 1 { 2_000 } else { 100_000 }];
            let request = Request::post("/", body.clone()).host(HOST).to_bytes();
            let mut wire = gateway.connect_tls(&client, HOST).await;
            for part in request.chunks(size) {
                wire.send(part).await;
            }
            let response = wire.receive("POST").await;
            assert_eq!(response.status, 200, "{version}, {size}");
            assert_eq!(upstream.requests().pop().unwrap().body, body);
        }
    }
    assert_eventually!(gateway.status().await["connections"] == 0);
}
