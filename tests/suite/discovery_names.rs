//! Names that stand for several endpoints: each address of a host, and each target of SRV records.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};

use janua_tests::{
    Authority, Gateway, Proxy, Reply, ReservedPort, Settings, StubDns, TlsServer, Upstream,
    assert_eventually,
};
use serde_json::Value;

use crate::discovery_files::{endpoints, source};
use crate::upstreams_balance::named;

/// Servers at these addresses with one port, each of which answers with its address.
async fn servers(port: &ReservedPort, addresses: &[&str]) -> Vec<Upstream> {
    let mut servers = Vec::new();
    for address in addresses {
        let at = SocketAddr::new(address.parse().unwrap(), port.number());
        servers.push(Upstream::always_at(at, Reply::ok(*address)).await);
    }
    servers
}

/// The endpoint of a name that stands for all of its addresses.
fn all(port: &ReservedPort) -> String {
    format!(
        "{{ address = \"pods.test:{}\", resolve = \"all\" }}",
        port.number()
    )
}

fn asking(dns: &StubDns) -> Settings {
    Settings::new().server(&format!("name_servers = [\"{}\"]", dns.address()))
}

fn ips(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|it| it.parse().unwrap()).collect()
}

/// The answers to forty requests.
async fn answers(gateway: &Gateway) -> Vec<String> {
    let mut answers = BTreeSet::new();
    for _ in 0..40 {
        let response = gateway.get("/").await;
        assert_eq!(response.status, 200, "{}", response.text());
        answers.insert(response.text().to_owned());
    }
    answers.into_iter().collect()
}

#[tokio::test]
async fn each_address_of_a_name_is_an_endpoint_of_its_own() {
    let port = ReservedPort::reserve();
    let addresses = ["127.0.0.1", "127.0.0.2", "::1"];
    let _servers = servers(&port, &addresses).await;
    let dns = StubDns::start().await;
    dns.set_addresses("pods.test", &ips(&addresses));
    let gateway = asking(&dns).start(Proxy::to(all(&port))).await;
    // From the first request on.
    assert_eq!(answers(&gateway).await, addresses);
    let status = gateway.status().await;
    let shown = &status["upstreams"][0]["endpoints"];
    assert_eq!(shown[0]["name"], "pods.test");
    assert_eq!(shown[0]["address"], format!("127.0.0.1:{}", port.number()));
    assert!(
        shown[1]["requests"].as_u64().unwrap() > 0,
        "each is counted"
    );
    assert_eq!(shown[2]["address"], format!("[::1]:{}", port.number()));
    let metrics = gateway.metrics().await;
    let endpoint = format!("127.0.0.2:{}", port.number());
    let labels = [("endpoint", endpoint.as_str())];
    assert!(metrics.sum("janua_upstream_requests_total", &labels) > 0.0);
}

#[tokio::test]
async fn the_family_of_the_addresses_can_be_chosen() {
    let port = ReservedPort::reserve();
    let _servers = servers(&port, &["127.0.0.1", "::1"]).await;
    let dns = StubDns::start().await;
    dns.set_addresses("pods.test", &ips(&["127.0.0.1", "::1"]));
    for (family, expected) in [("ipv4", "127.0.0.1"), ("ipv6", "::1")] {
        let endpoint = all(&port).replace(" }", &format!(", family = \"{family}\" }}"));
        let gateway = asking(&dns).start(Proxy::to(endpoint)).await;
        assert_eq!(answers(&gateway).await, [expected]);
    }
}

#[tokio::test]
async fn addresses_come_and_go_with_the_answers_of_the_dns() {
    let port = ReservedPort::reserve();
    let _servers = servers(&port, &["127.0.0.1", "127.0.0.2", "127.0.0.3"]).await;
    let dns = StubDns::start().await;
    dns.set_addresses("pods.test", &ips(&["127.0.0.1", "127.0.0.2"]));
    let gateway = asking(&dns).start(Proxy::to(all(&port))).await;
    assert_eq!(answers(&gateway).await, ["127.0.0.1", "127.0.0.2"]);
    dns.set_addresses("pods.test", &ips(&["127.0.0.3", "127.0.0.2"]));
    assert_eventually!(answers(&gateway).await == ["127.0.0.2", "127.0.0.3"]);
    let status = gateway.status().await;
    assert_eq!(status["generation"], 1);
    let kept = &status["upstreams"][0]["endpoints"][0];
    assert!(
        kept["requests"].as_u64().unwrap() > 40,
        "it is the same as before: {kept}"
    );

    // The server fails, and its last answer stays; then it says that there is nothing, which is
    // not believed at once.
    dns.set_broken("pods.test");
    assert_eventually!(source(&gateway).await["error"] != Value::Null);
    assert_eq!(answers(&gateway).await, ["127.0.0.2", "127.0.0.3"]);
    dns.forget("pods.test");
    dns.set_absent("pods.test");
    let asked = dns.count("pods.test", "A");
    assert_eventually!(dns.count("pods.test", "A") > asked);
    assert_eq!(answers(&gateway).await, ["127.0.0.2", "127.0.0.3"]);
    dns.forget("pods.test");
    dns.set_addresses("pods.test", &ips(&["127.0.0.1"]));
    assert_eventually!(answers(&gateway).await == ["127.0.0.1"]);
    assert_eq!(source(&gateway).await["error"], Value::Null);
}

#[tokio::test]
async fn a_name_that_is_not_there_yet_is_found_later() {
    let port = ReservedPort::reserve();
    let _servers = servers(&port, &["127.0.0.2"]).await;
    let dns = StubDns::start().await;
    dns.set_absent("pods.test");
    let gateway = asking(&dns).start(Proxy::to(all(&port))).await;
    assert_eq!(gateway.get("/").await.status, 503);
    dns.forget("pods.test");
    dns.set_addresses("pods.test", &ips(&["127.0.0.2"]));
    assert_eventually!(gateway.get("/").await.text() == "127.0.0.2");
}

/// One of the addresses is dead: it alone is ejected, and nobody sees an error.
#[tokio::test]
async fn each_address_has_a_health_of_its_own() {
    let port = ReservedPort::reserve();
    let _servers = servers(&port, &["127.0.0.1", "127.0.0.3"]).await;
    let dns = StubDns::start().await;
    dns.set_addresses("pods.test", &ips(&["127.0.0.1", "127.0.0.2", "127.0.0.3"]));
    let gateway = asking(&dns).start(Proxy::to(all(&port))).await;
    assert_eq!(answers(&gateway).await, ["127.0.0.1", "127.0.0.3"]);
    let status = gateway.status().await;
    let health = |at: usize| status["upstreams"][0]["endpoints"][at]["health"].clone();
    assert_eq!([health(0), health(1), health(2)], ["up", "down", "up"]);
}

/// The hosts file is noticed too.
#[tokio::test]
async fn addresses_come_and_go_with_the_hosts_file() {
    let port = ReservedPort::reserve();
    let _servers = servers(&port, &["127.0.0.1", "127.0.0.2"]).await;
    let hosts = "127.0.0.1 pods.test\n127.0.0.2 pods.test\n";
    let gateway = Settings::new()
        .hosts(hosts)
        .start(Proxy::to(all(&port)))
        .await;
    assert_eq!(answers(&gateway).await, ["127.0.0.1", "127.0.0.2"]);
    fs::write(gateway.directory().join("hosts"), "127.0.0.2 pods.test\n").unwrap();
    assert_eventually!(answers(&gateway).await == ["127.0.0.2"]);
}

#[tokio::test]
async fn services_have_ports_weights_and_priorities() {
    let (a, b, c) = (named("a").await, named("b").await, named("c").await);
    let dns = StubDns::start().await;
    for target in ["one.test", "two.test", "three.test"] {
        dns.set_addresses(target, &ips(&["127.0.0.1"]));
    }
    let records = [
        (10, 3, a.port(), "one.test"),
        (10, 1, b.port(), "two.test"),
        (20, 9, c.port(), "three.test"),
    ];
    dns.set_services("_http._tcp.app.test", &records);
    let gateway = asking(&dns)
        .start(Proxy::to("srv:_http._tcp.app.test"))
        .await;
    assert_eq!(answers(&gateway).await, ["a", "b"], "the third is a backup");
    let expected = [
        format!("one.test:{}", a.port()),
        format!("three.test:{}", c.port()),
        format!("two.test:{}", b.port()),
    ];
    assert_eq!(endpoints(&gateway).await, expected);
    let status = gateway.status().await;
    let weight = |at: usize| status["upstreams"][0]["endpoints"][at]["weight"].clone();
    assert_eq!([weight(0), weight(1), weight(2)], [3, 9, 1]);
    assert_eq!(source(&gateway).await["source"], "srv:_http._tcp.app.test");

    // All targets are replaced at once, by one whose name was never looked up: no request finds
    // it unresolved.
    dns.set_addresses("four.test", &ips(&["127.0.0.1"]));
    dns.set_services("_http._tcp.app.test", &[(0, 0, c.port(), "four.test")]);
    assert_eventually!(answers(&gateway).await == ["c"]);
}

/// A backup gets requests when none of the better ones is left.
#[tokio::test]
async fn services_of_a_worse_priority_stand_in() {
    let (a, b) = (named("a").await, named("b").await);
    let dns = StubDns::start().await;
    dns.set_addresses("one.test", &ips(&["127.0.0.1"]));
    let records = [(1, 0, a.port(), "one.test"), (2, 0, b.port(), "one.test")];
    dns.set_services("_http._tcp.app.test", &records);
    let gateway = asking(&dns)
        .start(Proxy::to("srv:_http._tcp.app.test"))
        .await;
    assert_eq!(answers(&gateway).await, ["a"]);
    a.stop().await;
    assert_eq!(answers(&gateway).await, ["b"]);
}

/// The name is what an endpoint is told as its host, and what its certificate must have.
#[tokio::test]
async fn an_address_is_told_and_verified_by_its_name() {
    let authority = Authority::new("own");
    let tls = TlsServer::with(&authority.issue(&["pods.test"]));
    let upstream = Upstream::tls_echo(tls).await;
    let dns = StubDns::start().await;
    dns.set_addresses("pods.test", &ips(&["127.0.0.1"]));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
    let endpoint = |name: &str| {
        format!(
            "{{ address = \"{name}:{}\", resolve = \"all\" }}",
            upstream.port()
        )
    };
    let config = |name: &str| {
        Proxy::to(endpoint(name))
            .upstream("tls = { ca = \"ca.pem\" }")
            .route("host = \"upstream\"")
    };
    let mut gateway = asking(&dns).start_in(directory, config("pods.test")).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status, 200, "{}", response.text());
    let echo: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(
        echo["headers"]["host"],
        format!("pods.test:{}", upstream.port())
    );
    assert_eq!(
        upstream.handshakes()[0].server_name.as_deref(),
        Some("pods.test")
    );
    // The same address under another name, which its certificate does not have.
    dns.set_addresses("other.test", &ips(&["127.0.0.1"]));
    gateway.reload(config("other.test")).await;
    assert_eq!(gateway.get("/").await.status, 502);
}
