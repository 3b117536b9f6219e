//! Many clients with TLS: one that opens connections as fast as it can takes nothing from
//! others, and connections without a request take little memory.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use janua_tests::{Gateway, Settings, TlsClient, Wire, assert_eventually};
use tokio::net::TcpSocket;

use crate::tls::{LISTENER, Stage, get, site};

const HOST: &str = "a.shop.example";
/// An address of this machine that is not the one by which tests usually connect.
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A gateway whose listener has these lines, and a client that trusts it.
async fn gateway(lines: &str, settings: Settings) -> (Gateway, TlsClient) {
    let stage = Stage::new().with("a", &[HOST]);
    let client = stage.client();
    let config = format!("{LISTENER}{lines}\n{}", site("a", &[HOST], ""));
    (stage.start_with(settings, config).await, client)
}

/// Handshakes from the other address, one after another, until it is told to stop. Counts those
/// that succeed.
async fn flood(
    client: TlsClient,
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
) {
    while !ends.load(SeqCst) {
        let socket = TcpSocket::new_v4().unwrap();
        // A port is free again at once.
        socket.set_zero_linger().unwrap();
        socket.bind(SocketAddr::from((OTHER, 0))).unwrap();
        let Ok(stream) = socket.connect(address).await else {
            continue;
        };
        if client.anew().connect_over(stream, HOST).await.is_ok() {
            done.fetch_add(1, SeqCst);
        }
    }
}

/// Runs a flood of handshakes while a client of another address is served over connections that
/// are old and new. Returns how many of the flood succeeded.
async fn served_during_a_flood(gateway: &Gateway, client: &TlsClient) -> usize {
    let mut old = gateway.connect_tls(client, HOST).await;
    let (ends, done) = (Arc::default(), Arc::default());
    let flooding: Vec<_> = (0..8)
        .map(|_| {
            let (ends, done) = (Arc::clone(&ends), Arc::clone(&done));
            tokio::spawn(flood(client.clone(), gateway.address(), ends, done))
        })
        .collect();
    assert_eventually!(done.load(SeqCst) > 0);
    for _ in 0..10 {
        let mut new = gateway.connect_tls(&client.anew(), HOST).await;
        for _ in 0..5 {
            assert_eq!(get(&mut new, HOST).await.status, 200);
            assert_eq!(get(&mut old, HOST).await.status, 200);
        }
    }
    ends.store(true, SeqCst);
    for task in flooding {
        task.await.unwrap();
    }
    done.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_handshakes_is_limited_to_its_client() {
    let lines = "client_limits = { connections_per_second = 20 }";
    let (gateway, client) = gateway(lines, Settings::new().workers(1)).await;
    let done = served_during_a_flood(&gateway, &client).await;
    let labels = [("listener", "https"), ("reason", "client_rate")];
    let metrics = gateway.metrics().await;
    let refused = metrics.sum("janua_connections_refused_total", &labels);
    assert!(refused > done as f64, "{refused} refused, {done} accepted");
    gateway.says("client=\"127.0.0.2\"").await;
    assert!(!gateway.messages().contains("client=\"127.0.0.1\""));
}

/// Without a limit the flood costs others time, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_handshakes_without_a_limit() {
    let (gateway, client) = gateway("", Settings::new().workers(1)).await;
    served_during_a_flood(&gateway, &client).await;
}

/// A connection without a request holds no buffers: with those of a record in each direction,
/// or with a buffer for a head, it would take more than twice the bound.
#[tokio::test]
async fn idle_connections_take_little_memory() {
    const WARM: usize = 100;
    const COUNT: usize = 1_000;
    const BOUND_KIB: usize = 24;
    let lines = "idle_timeout = \"0s\"";
    let settings = Settings::new().workers(1).open_files(4_000);
    let (gateway, client) = gateway(lines, settings).await;
    let mut idle: Vec<Wire> = Vec::new();
    let mut before = 0;
    for number in 0..WARM + COUNT {
        if number == WARM {
            gateway.settled().await;
            before = gateway.rss_kib();
        }
        let mut wire = gateway.connect_tls(&client, HOST).await;
        assert_eq!(get(&mut wire, HOST).await.status, 200);
        idle.push(wire);
    }
    gateway.settled().await;
    let each = (gateway.rss_kib().saturating_sub(before)) as f64 / COUNT as f64;
    eprintln!("{each:.1} KiB for each idle connection");
    assert!(each < BOUND_KIB as f64, "{each:.1} KiB for each");
    // And they are all still served.
    for wire in idle.iter_mut().step_by(100) {
        assert_eq!(get(wire, HOST).await.status, 200);
    }
}
