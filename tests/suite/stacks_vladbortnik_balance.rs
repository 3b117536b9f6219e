//! `examples/vladbortnik`: the three instances of one application. Each client gets the one that
//! nginx would choose, three failures within 30 s take an instance out for 30 s, and one or two of
//! the three may be dead.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use janua_tests::{
    PATIENCE, Port, Request, Response, TlsClient, Upstream, Wire, assert_eventually,
};
use tokio::net::TcpSocket;

use crate::chaos::endpoint::{NAMES, three};
use crate::stacks_vladbortnik::{RECIPE, Stack};
use crate::upstreams_balance::{named, named_at};

/// `fail_timeout` of the file.
const FAIL_TIMEOUT: Duration = Duration::from_secs(30);
/// How much earlier than that it may seem: the clocks of both processes are cut to milliseconds.
const ROUNDING: Duration = Duration::from_millis(10);

/// The instances that nginx tries for a client, by its `ip_hash`
/// (`ngx_http_upstream_ip_hash_module.c`): a hash of the first three octets, which is hashed again
/// for each further try.
fn order_of_nginx(client: Ipv4Addr) -> Vec<usize> {
    let mut hash = 89;
    let mut order = Vec::new();
    for _ in 0..20 {
        for octet in &client.octets()[..3] {
            hash = (hash * 113 + usize::from(*octet)) % 6271;
        }
        let instance = hash % 3;
        if !order.contains(&instance) {
            order.push(instance);
        }
    }
    order
}

/// A client whose instances are tried in this order.
fn client_of(order: [usize; 3]) -> Ipv4Addr {
    let mut networks = (1..=255).map(|octet| Ipv4Addr::new(127, 0, octet, 7));
    let found = networks.find(|client| order_of_nginx(*client) == order);
    found.expect("some network has this order")
}

async fn connect_from(client: Ipv4Addr, gateway: SocketAddr, tls: &TlsClient) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((client, 0))).unwrap();
    let stream = socket.connect(gateway).await.unwrap();
    tls.connect_over(stream, RECIPE).await.unwrap()
}

/// Sends a request from this address.
async fn send_from(stack: &Stack, client: Ipv4Addr, request: Request) -> Response {
    let address = stack.gateway.address_of("https");
    let mut wire = connect_from(client, address, &stack.client).await;
    wire.exchange(&request.host(RECIPE)).await
}

async fn get_from(stack: &Stack, client: Ipv4Addr) -> Response {
    send_from(stack, client, Request::get("/")).await
}

/// How many requests an instance was tried with in vain.
async fn refused(stack: &Stack, endpoint: &str) -> f64 {
    let labels = [("endpoint", endpoint), ("kind", "refused")];
    let gateway = &stack.gateway;
    gateway
        .metric("janua_upstream_failures_total", &labels)
        .await
}

/// L1: nginx hashes the first three octets of an IPv4 address.
#[tokio::test]
async fn a_client_gets_the_instance_that_nginx_would_choose() {
    let instances = [named("0").await, named("1").await, named("2").await];
    let [a, b, c] = instances.each_ref().map(Upstream::endpoint);
    let stack = Stack::boot([&a, &b, &c], &a).await;
    for third in 1..=40 {
        for last in [1, 200] {
            let client = Ipv4Addr::new(127, 3, third, last);
            let response = get_from(&stack, client).await;
            let expected = order_of_nginx(client)[0].to_string();
            assert_eq!(
                (response.status, response.text()),
                (200, &*expected),
                "{client}"
            );
        }
    }
    assert!(
        instances
            .iter()
            .all(|instance| instance.request_count() > 0)
    );
}

/// If its instance is dead, a client always gets the same other one, and its own again once that is
/// back.
#[tokio::test]
async fn a_client_of_a_dead_instance_gets_the_next_one_of_nginx() {
    let port = Port::reserve();
    let instances = [named("1").await, named("2").await];
    let [b, c] = instances.each_ref().map(Upstream::endpoint);
    let stack = Stack::boot([&port.endpoint(), &b, &c], &b).await;
    let clients = [client_of([0, 1, 2]), client_of([0, 2, 1])];
    for _ in 0..6 {
        for (client, next) in clients.iter().zip(["1", "2"]) {
            assert_eq!(get_from(&stack, *client).await.text(), next, "{client}");
        }
    }
    assert_eq!(refused(&stack, &port.endpoint()).await, 3.0);
}

/// L3: the same 30 s count the failures and keep the instance out.
#[tokio::test]
async fn three_failures_within_thirty_seconds_keep_an_instance_out_for_thirty() {
    let (out, seldom) = (Port::reserve(), Port::reserve());
    let alive = named("2").await;
    let endpoints = [out.endpoint(), seldom.endpoint(), alive.endpoint()];
    let [a, b, c] = endpoints.each_ref().map(String::as_str);
    let stack = Stack::boot([a, b, c], c).await;
    // The other instance of both is the living one.
    let (of_out, of_seldom) = (client_of([0, 2, 1]), client_of([1, 2, 0]));
    let health = async |instance: usize| {
        let status = stack.gateway.status().await;
        let upstreams = status["upstreams"].as_array().unwrap().clone();
        let recipe = upstreams.into_iter().find(|it| it["name"] == "recipe");
        recipe.unwrap()["endpoints"][instance]["health"].clone()
    };

    // Two failures of one, and three of the other.
    for _ in 0..2 {
        assert_eq!(get_from(&stack, of_seldom).await.text(), "2");
    }
    let seldom_since = Instant::now();
    let mut before_failure = Instant::now();
    for expected in ["up", "up", "down"] {
        before_failure = Instant::now();
        assert_eq!(get_from(&stack, of_out).await.text(), "2");
        assert_eq!(health(0).await, expected);
    }
    let back = named_at(&out, "0").await;
    while before_failure.elapsed() < FAIL_TIMEOUT / 2 {
        assert_eq!(get_from(&stack, of_out).await.text(), "2", "it is out");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(refused(&stack, a).await, 3.0);
    while back.request_count() == 0 {
        assert_eq!(get_from(&stack, of_out).await.status, 200);
        assert!(
            before_failure.elapsed() < FAIL_TIMEOUT + PATIENCE,
            "it stays out"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let out_for = before_failure.elapsed();
    assert!(
        out_for + ROUNDING >= FAIL_TIMEOUT,
        "it was out for {out_for:?}"
    );
    assert_eventually!(get_from(&stack, of_out).await.text() == "0");
    assert_eq!(health(0).await, "up");

    // The two failures of the other one are forgotten: it takes three further ones, and not one, to
    // take it out.
    assert_eq!(refused(&stack, b).await, 2.0);
    assert!(seldom_since.elapsed() >= FAIL_TIMEOUT);
    for failures in [3.0, 4.0, 5.0, 5.0] {
        assert_eq!(get_from(&stack, of_seldom).await.text(), "2");
        assert_eq!(refused(&stack, b).await, failures);
    }
}

/// L4: one instance is killed under load, and then another one. No client sees an error of a
/// request that may be repeated.
#[tokio::test]
async fn one_and_two_of_three_instances_are_killed() {
    let journals = tempfile::tempdir().unwrap();
    let mut instances = three(journals.path(), "1.1");
    let addresses = instances.each_ref().map(|instance| instance.address());
    let [a, b, c] = addresses.each_ref().map(String::as_str);
    let stack = Stack::boot([a, b, c], a).await;
    let address = stack.gateway.address_of("https");
    let going = Arc::new(AtomicBool::new(true));
    let answered = Arc::new(AtomicUsize::new(0));
    let wrong = Arc::<Mutex<Vec<String>>>::default();
    let mut clients = Vec::new();
    // Clients of each of them.
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let (client, tls) = (client_of(order), stack.client.clone());
        let (going, answered, wrong) = (going.clone(), answered.clone(), wrong.clone());
        clients.push(tokio::spawn(async move {
            let mut wire = connect_from(client, address, &tls).await;
            while going.load(SeqCst) {
                let response = wire.exchange(&Request::get("/").host(RECIPE)).await;
                if response.status != 200 {
                    wrong
                        .lock()
                        .unwrap()
                        .push(format!("{order:?}: {response:?}"));
                    return;
                }
                answered.fetch_add(1, SeqCst);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }));
    }
    for number in [None, Some(0), Some(2)] {
        if let Some(number) = number {
            instances[number].kill();
        }
        let before = answered.load(SeqCst);
        assert_eventually!(
            answered.load(SeqCst) > before + 100 || !wrong.lock().unwrap().is_empty()
        );
    }
    going.store(false, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    assert!(wrong.lock().unwrap().is_empty(), "{wrong:?}");
    let last = get_from(&stack, client_of([0, 2, 1])).await;
    assert_eq!(last.header("x-endpoint"), Some(NAMES[1]));
}
