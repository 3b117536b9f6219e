//! The PROXY protocol and TLS: the header of a load balancer comes before the handshake, and
//! upstreams are told what the handshake of a client has established.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use janua_tests::{Gateway, Issue, Proxy, Request, TlsClient, Upstream, Visit, Wire};

use crate::tls::{LISTENER, Stage, get};

const HOST: &str = "a.shop.example";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Types of TLVs, and of those within that of TLS (sections 2.2 and 2.2.6 of the specification).
const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const TLS: u8 = 0x20;
const VERSION: u8 = 0x21;
const COMMON_NAME: u8 = 0x22;
const CIPHER: u8 = 0x23;

type Tlvs = BTreeMap<u8, Vec<u8>>;

/// Reads TLVs, of which none may be cut off, or be there twice.
fn tlvs(mut bytes: &[u8]) -> Tlvs {
    let mut found = Tlvs::new();
    while !bytes.is_empty() {
        let length = usize::from(u16::from_be_bytes([bytes[1], bytes[2]]));
        let earlier = found.insert(bytes[0], bytes[3..3 + length].to_vec());
        assert_eq!(earlier, None, "{} is there twice", bytes[0]);
        bytes = &bytes[3 + length..];
    }
    found
}

/// The TLVs of a header of version 2 for a client with IPv4.
async fn read_header(wire: &mut Wire) -> Tlvs {
    assert_eq!(wire.take(SIGNATURE.len()).await.unwrap(), SIGNATURE);
    let rest = wire.take(4).await.unwrap();
    assert_eq!(rest[..2], [0x21, 0x11], "PROXY, TCP over IPv4");
    let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
    let body = wire.take(length).await.unwrap();
    assert_eq!(body[..4], Ipv4Addr::LOCALHOST.octets());
    tlvs(&body[12..])
}

/// An upstream that demands a header on each connection, and the TLVs of all of them.
async fn upstream() -> (Upstream, Arc<Mutex<Vec<Tlvs>>>) {
    let headers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&headers);
    let upstream = Upstream::raw(move |mut visit: Visit| {
        let seen = Arc::clone(&seen);
        async move {
            let header = read_header(&mut visit.wire).await;
            seen.lock().unwrap().push(header);
            if visit.request().await.is_ok() {
                let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                visit.wire.send(response).await;
            }
        }
    });
    (upstream.await, headers)
}

/// A gateway whose clients may have certificates.
async fn gateway(stage: Stage, upstream: &Upstream) -> Gateway {
    let config = format!(
        "{LISTENER}
[upstreams.app]
endpoints = [\"{}\"]
send_proxy_protocol = \"v2\"

[[sites]]
hosts = [\"*\"]
certificate = {{ cert = \"a.crt\", key = \"a.key\" }}
tls = {{ client_auth = {{ mode = \"optional\", ca = \"ca.pem\" }} }}
routes = [{{ upstream = \"app\" }}]
",
        upstream.endpoint()
    );
    stage.start(config).await
}

fn text(tlvs: &Tlvs, kind: u8) -> Option<&str> {
    let value = tlvs.get(&kind)?;
    Some(std::str::from_utf8(value).unwrap())
}

/// The bits about the client, whether its certificate was verified, and the values within the
/// TLV of TLS.
fn of_tls(header: &Tlvs) -> (u8, bool, Tlvs) {
    let value = &header[&TLS];
    let result = u32::from_be_bytes(value[1..5].try_into().unwrap());
    (value[0], result == 0, tlvs(&value[5..]))
}

#[tokio::test]
async fn upstreams_are_told_of_tls() {
    const CERTIFICATE: u8 = 2;
    const SESSION: u8 = 4;
    let (upstream, headers) = upstream().await;
    let stage = Stage::new().with("a", &[HOST]);
    let known = Arc::new(stage.authority.sign(&Issue::client("Known Client, Zoë")));
    let nameless = Arc::new(stage.authority.sign(&Issue::client("")));
    let plain = stage.client();
    let known = plain.clone().identity(&known);
    let nameless = plain.clone().identity(&nameless);
    let gateway = gateway(stage, &upstream).await;
    let name = Some("Known Client, Zoë");
    // With the version, whether the session is resumed, and what is told of the certificate.
    let cases: [(&TlsClient, &str, bool, u8, Option<&str>); 8] = [
        (&plain, "1.3", false, 0, None),
        (&plain, "1.2", false, 0, None),
        (&plain, "1.3", true, 0, None),
        (&known, "1.3", false, CERTIFICATE | SESSION, name),
        (&known, "1.2", false, CERTIFICATE | SESSION, name),
        (&known, "1.3", true, SESSION, name),
        (&known, "1.2", true, SESSION, name),
        (&nameless, "1.3", false, CERTIFICATE | SESSION, None),
    ];
    for (client, version, is_resumed, bits, name) in cases {
        let case = format!("{version}, {is_resumed}, {name:?}");
        let client = client.anew().version(version);
        let mut wire = gateway.connect_tls(&client, HOST).await;
        assert_eq!(get(&mut wire, HOST).await.text(), "ok", "{case}");
        if is_resumed {
            wire = gateway.connect_tls(&client, HOST).await;
            assert_eq!(get(&mut wire, HOST).await.text(), "ok", "{case}");
        }
        assert_eq!(wire.handshake().is_resumed, is_resumed, "{case}");
        let header = headers.lock().unwrap().last().unwrap().clone();
        assert_eq!(text(&header, AUTHORITY), Some(HOST), "{case}");
        assert_eq!(text(&header, ALPN), Some("http/1.1"), "{case}");
        let (client, is_verified, values) = of_tls(&header);
        assert_eq!(client, 1 | bits, "{case}");
        assert_eq!(is_verified, bits != 0, "{case}");
        assert_eq!(
            text(&values, VERSION),
            Some(&*format!("TLSv{version}")),
            "{case}"
        );
        assert_eq!(text(&values, COMMON_NAME), name, "{case}");
        let suite = match version {
            "1.2" => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            _ => "TLS_AES_128_GCM_SHA256",
        };
        assert_eq!(text(&values, CIPHER), Some(suite), "{case}");
    }
}

/// What a client leaves out is not made up.
#[tokio::test]
async fn upstreams_are_told_of_no_name_and_no_protocol() {
    let (upstream, headers) = upstream().await;
    let stage = Stage::new().with("a", &[HOST]);
    let client = stage.client().without_name().protocols(&[]);
    let gateway = gateway(stage, &upstream).await;
    let mut wire = gateway.connect_tls(&client, HOST).await;
    assert_eq!(get(&mut wire, HOST).await.text(), "ok");
    let header = headers.lock().unwrap().pop().unwrap();
    let kinds: Vec<u8> = header.keys().copied().collect();
    assert_eq!(kinds, [TLS]);
}

/// The header of a load balancer comes before the handshake, and the ClientHello may follow it
/// in the same segment.
#[tokio::test]
async fn the_header_comes_before_tls() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint())
        .listener("proxy_protocol = [\"127.0.0.1\"]\ntls = true")
        .site("certificate = \"self-signed\"")
        .to_string()
        .replace("hosts = [\"*\"]", "hosts = [\"a.example\"]");
    let gateway = Gateway::start(config).await;
    let client = TlsClient::trusting_everybody();
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send("PROXY TCP4 192.0.2.1 127.0.0.1 4096 443\r\n")
        .await;
    let wire = client.connect_over(wire.into_tcp(), "a.example").await;
    let response = wire.unwrap().exchange(&Request::get("/")).await;
    assert_eq!(response.json()["headers"]["x-real-ip"], "192.0.2.1");
    // The other way round it is no header.
    let refused = client.connect(gateway.address(), "a.example").await;
    assert!(refused.is_err());
    let reason = [("reason", "proxy_header")];
    let metrics = gateway.metrics().await;
    let refused = metrics.sum("janua_connections_refused_total", &reason);
    assert_eq!(refused, 1.0);
    // Cleartext behind the header is refused as cleartext.
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send("PROXY TCP4 192.0.2.1 127.0.0.1 4096 443\r\n")
        .await;
    assert_eq!(wire.exchange(&Request::get("/")).await.status, 400);
}
