//! The PROXY protocol: a load balancer in front states for whom it has opened a connection.

use std::net::Ipv6Addr;

use janua_tests::{
    Gateway, Proxy, Request, Settings, Upstream, Wire, assert_eventually, component, granted,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const DEMANDED: &str = "proxy_protocol = [\"127.0.0.1\"]";

/// A header of version 2.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [
        SIGNATURE,
        &[0x20 | command, family],
        &length.to_be_bytes(),
        body,
    ]
    .concat()
}

/// A header of version 2 for a client at 192.0.2.1.
fn v2_of_client() -> Vec<u8> {
    v2(1, 0x11, &[192, 0, 2, 1, 127, 0, 0, 1, 0x10, 0, 0x1f, 0x90])
}

fn v1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 127.0.0.1 4096 8080\r\n").into_bytes()
}

/// Connects as a load balancer does: the header comes before TLS.
async fn connect(gateway: &Gateway, header: &[u8]) -> Wire {
    try_connect(gateway, header).await.expect("it is accepted")
}

/// The same; none if the connection is closed before the TLS handshake, if there is one.
async fn try_connect(gateway: &Gateway, header: &[u8]) -> Option<Wire> {
    let wire = begin(gateway, header).await;
    gateway.secure(wire).await.ok()
}

/// Connects, and sends these bytes before TLS.
async fn begin(gateway: &Gateway, bytes: &[u8]) -> Wire {
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(bytes).await;
    wire
}

#[tokio::test]
async fn the_client_is_the_one_that_the_header_names() {
    let upstream = Upstream::echo().await;
    let probe = component("probe");
    let proxy = Proxy::to(upstream.endpoint())
        .listener(DEMANDED)
        .route("policies = [\"probe\"]");
    let gateway = Gateway::start(granted(format!(
        "[policies.probe]\ncomponent = \"{}\"\n\
         config = {{ label = \"probe\", show = [\"peer_ip\", \"client_ip\"] }}\n{proxy}",
        probe.display()
    )))
    .await;
    let v6: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let local: Ipv6Addr = Ipv6Addr::LOCALHOST;
    let v6 = [&v6.octets()[..], &local.octets(), &[0x10, 0, 0x1f, 0x90]].concat();
    // A TLV, of which the gateway makes nothing.
    let with_tlv = [
        &[192, 0, 2, 1, 127, 0, 0, 1, 0x10, 0, 0x1f, 0x90][..],
        &[0x04, 0, 3, 1, 2, 3],
    ]
    .concat();
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("/v1", v1("192.0.2.1"), "192.0.2.1"),
        (
            "/v1-6",
            b"PROXY TCP6 2001:db8::1 ::1 4096 8080\r\n".to_vec(),
            "2001:db8::1",
        ),
        ("/v2", v2_of_client(), "192.0.2.1"),
        ("/v2-6", v2(1, 0x21, &v6), "2001:db8::1"),
        ("/v2-tlv", v2(1, 0x11, &with_tlv), "192.0.2.1"),
        // The load balancer speaks for itself.
        ("/v1-unknown", b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        ("/v2-local", v2(0, 0, &[]), "127.0.0.1"),
        ("/v2-unix", v2(1, 0x31, &[0; 216]), "127.0.0.1"),
    ];
    for (path, header, client) in cases {
        let mut wire = connect(&gateway, &header).await;
        // For as long as the connection lasts, and whatever the client says.
        for _ in 0..2 {
            let request = Request::get(path).header("X-Forwarded-For", "203.0.113.9");
            let response = wire.exchange(&request).await;
            let headers = &response.json()["headers"];
            assert_eq!(headers["x-forwarded-for"], format!("203.0.113.9, {client}"));
            assert_eq!(headers["x-real-ip"], client, "{path}");
            let shown = format!("probe peer_ip={client} client_ip={client}");
            assert_eq!(headers["x-probe"], shown, "{path}");
        }
        assert_eq!(gateway.log_line(path).await["client_ip"], client);
    }
}

/// Headers arrive in parts, and together with the request, or with the ClientHello.
#[tokio::test]
async fn the_header_ends_where_the_request_begins() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(granted(Proxy::to(upstream.endpoint()).listener(DEMANDED))).await;
    let request = Request::get("/");
    let with_header = match gateway.scheme() {
        "http" => request.to_bytes(),
        _ => Vec::new(),
    };
    for header in [v1("192.0.2.1"), v2_of_client()] {
        let whole = [&*header, &with_header].concat();
        for size in [1, 7, whole.len()] {
            let mut wire = Wire::connect(gateway.address()).await;
            for part in whole.chunks(size) {
                wire.send(part).await;
            }
            let mut wire = gateway.secure(wire).await.unwrap();
            if with_header.is_empty() {
                wire.send(request.to_bytes()).await;
            }
            let response = wire.receive("GET").await;
            assert_eq!(response.json()["headers"]["x-real-ip"], "192.0.2.1");
        }
    }
}

/// `trusted_proxies` are compared with the address that the header names.
#[tokio::test]
async fn trusted_proxies_are_those_of_the_header() {
    let upstream = Upstream::echo().await;
    let trusted = format!("{DEMANDED}\ntrusted_proxies = [\"192.0.2.1\"]");
    let gateway = Gateway::start(granted(Proxy::to(upstream.endpoint()).listener(&trusted))).await;
    let request = Request::get("/").header("X-Forwarded-For", "203.0.113.9");
    for (peer, client) in [("192.0.2.1", "203.0.113.9"), ("192.0.2.2", "192.0.2.2")] {
        let mut wire = connect(&gateway, &v1(peer)).await;
        let response = wire.exchange(&request).await;
        assert_eq!(response.json()["headers"]["x-real-ip"], client);
    }
}

#[tokio::test]
async fn a_connection_without_the_header_is_closed() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(granted(Proxy::to(upstream.endpoint()).listener(DEMANDED))).await;
    let long = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
    let wrong: [Vec<u8>; 6] = [
        Request::get("/").to_bytes(),
        b"PROXY TCP4 192.0.2.1 127.0.0.1 4096 99999\r\n".to_vec(),
        b"PROXY SCTP 192.0.2.1 127.0.0.1 4096 8080\r\n".to_vec(),
        long,
        v2(1, 0x11, &[1, 2, 3]),
        v2(7, 0x11, &[0; 12]),
    ];
    for (number, bytes) in (1_u32..).zip(&wrong) {
        let mut wire = begin(&gateway, bytes).await;
        let _ = wire.try_send(Request::get("/").to_bytes()).await;
        assert!(wire.is_closed().await, "{bytes:?}");
        let reason = [("listener", "public"), ("reason", "proxy_header")];
        let metrics = gateway.metrics().await;
        let refused = metrics.sum("janua_connections_refused_total", &reason);
        assert_eq!(refused, f64::from(number));
    }
    let told = || gateway.messages().matches("PROXY header").count();
    assert_eventually!(told() > 0);
    assert_eq!(told(), 1, "one message for many connections");
    assert_eq!(upstream.connections(), 0);
    assert_eventually!(gateway.status().await["connections"] == 0);
}

/// Load balancers look whether the port is open. That is no connection without its header, and
/// must not hide those.
#[tokio::test]
async fn a_health_check_that_only_connects_is_not_counted() {
    let config = Proxy::to("127.0.0.1:9").listener(DEMANDED);
    let gateway = Gateway::start(granted(config)).await;
    for _ in 0..2 {
        let mut wire = Wire::connect(gateway.address()).await;
        wire.finish().await;
        assert!(wire.is_closed().await);
        Wire::connect(gateway.address()).await.reset();
    }
    let mut wire = begin(&gateway, b"PROXY TCP4").await;
    wire.finish().await;
    assert!(wire.is_closed().await);
    let accepted = "janua_connections_accepted_total";
    assert_eventually!(gateway.metric(accepted, &[]).await == 5.0);
    assert_eventually!(gateway.status().await["connections"] == 0);
    let reason = [("listener", "public"), ("reason", "proxy_header")];
    let metrics = gateway.metrics().await;
    let refused = metrics.sum("janua_connections_refused_total", &reason);
    assert_eq!(refused, 1.0, "the one that has sent a part");
}

#[tokio::test]
async fn the_header_must_come_in_time() {
    let config =
        Proxy::to("127.0.0.1:9").listener(&format!("{DEMANDED}\nhead_timeout = \"300ms\""));
    let gateway = Gateway::start(granted(config)).await;
    for begin in [&b""[..], b"PROXY TCP4 192.0.2.1 ", SIGNATURE] {
        let mut wire = self::begin(&gateway, begin).await;
        assert!(wire.is_closed().await, "{begin:?}");
    }
}

/// Otherwise any client could state an address.
#[tokio::test]
async fn other_peers_may_not_send_the_header() {
    let upstream = Upstream::echo().await;
    for listener in ["", "proxy_protocol = [\"192.0.2.7\", \"10.0.0.0/8\"]"] {
        let config = Proxy::to(upstream.endpoint()).listener(listener);
        let gateway = Gateway::start(granted(config)).await;
        for header in [v1("192.0.2.1"), v2_of_client()] {
            let mut wire = begin(&gateway, &header).await;
            let _ = wire.try_send(Request::get("/").to_bytes()).await;
            let response = wire.receive("GET").await;
            assert_eq!(response.status, 400, "{listener}");
            assert!(wire.is_closed().await);
        }
        assert_eq!(gateway.get("/").await.status, 200);
        if gateway.scheme() == "https" {
            // There the header is cleartext, and not yet a request.
            let labels = [("reason", "cleartext")];
            let metrics = gateway.metrics().await;
            let failures = metrics.sum("janua_tls_handshake_failures_total", &labels);
            assert_eq!(failures, 2.0);
            continue;
        }
        assert_eventually!(gateway.log().len() == 3);
        let is_bad = |line: &&serde_json::Value| line["failure"] == "bad_request";
        let log = gateway.log();
        let bad: Vec<_> = log.iter().filter(is_bad).collect();
        assert_eq!(bad.len(), 2, "{log:?}");
        assert!(bad.iter().all(|line| line["client_ip"] == "127.0.0.1"));
    }
    assert_eq!(upstream.request_count(), 2);
}

/// The address in the header is the client whose limits apply. What the load balancer does by
/// itself, such as health checks, is not limited.
#[tokio::test]
async fn limits_are_those_of_the_client_in_the_header() {
    let upstream = Upstream::echo().await;
    let limits = format!("{DEMANDED}\nclient_limits = {{ connections = 1 }}");
    let gateway = Gateway::start(granted(Proxy::to(upstream.endpoint()).listener(&limits))).await;
    let mut held = Vec::new();
    for header in [
        v1("192.0.2.1"),
        v1("192.0.2.2"),
        v2(0, 0, &[]),
        v2(0, 0, &[]),
        b"PROXY UNKNOWN\r\n".to_vec(),
    ] {
        let mut wire = connect(&gateway, &header).await;
        assert_eq!(wire.exchange(&Request::get("/")).await.status, 200);
        held.push(wire);
    }
    let is_served = async || {
        let Some(mut wire) = try_connect(&gateway, &v2_of_client()).await else {
            return false;
        };
        let _ = wire.try_send(Request::get("/").to_bytes()).await;
        wire.try_receive("GET").await.is_ok()
    };
    assert!(!is_served().await);
    gateway.says("client=\"192.0.2.1\"").await;
    held.remove(0);
    assert_eventually!(is_served().await);
}

/// A reload changes from whom the header is demanded, for new connections.
#[tokio::test]
async fn a_reload_changes_who_must_send_it() {
    let upstream = Upstream::echo().await;
    let without = Proxy::to(upstream.endpoint());
    let with = without.clone().listener(DEMANDED);
    let mut gateway = Settings::new().workers(2).start(granted(&without)).await;
    let mut before = gateway.connect().await;
    assert_eq!(before.exchange(&Request::get("/")).await.status, 200);
    gateway.reload(granted(&with)).await;
    assert_eq!(before.exchange(&Request::get("/")).await.status, 200);
    for _ in 0..8 {
        let mut wire = connect(&gateway, &v1("192.0.2.1")).await;
        let response = wire.exchange(&Request::get("/")).await;
        assert_eq!(response.json()["headers"]["x-real-ip"], "192.0.2.1");
    }
    gateway.reload(granted(&without)).await;
    for _ in 0..8 {
        let response = gateway.get("/").await;
        assert_eq!(response.json()["headers"]["x-real-ip"], "127.0.0.1");
    }
}
