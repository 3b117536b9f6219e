//! Stopping the gateway: requests in progress are finished within a time limit.

use janua_tests::{Proxy, Request, Settings, Upstream, assert_eventually};
use rustix::process::Signal;

use crate::reload::says;

#[tokio::test]
async fn sigterm_finishes_what_is_on_its_way() {
    let (upstream, release) = Upstream::held().await;
    let config = Proxy::to(upstream.endpoint());
    let mut gateway = Settings::new().drain_timeout("20s").start(config).await;
    let mut idle = gateway.connect().await;
    let mut busy = gateway.connect().await;
    busy.send(Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.signal(Signal::TERM);
    assert!(
        idle.is_closed().await,
        "an idle connection is closed at once"
    );
    let address = gateway.address();
    assert_eventually!(tokio::net::TcpStream::connect(address).await.is_err());
    release.send(true).unwrap();
    let response = busy.receive("GET").await;
    assert_eq!(response.text(), "at last");
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(gateway.ended().await, Some(0));
    assert_eq!(gateway.log().len(), 1, "the log is written to its end");
}

#[tokio::test]
async fn draining_has_an_end() {
    let (upstream, _release) = Upstream::held().await;
    let config = Proxy::to(upstream.endpoint());
    let mut gateway = Settings::new().drain_timeout("300ms").start(config).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/cut").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.signal(Signal::INT);
    assert_eq!(gateway.ended().await, Some(0));
    assert!(wire.try_receive("GET").await.is_err());
    assert_eq!(
        gateway.log_line("/cut").await["path"],
        "/cut",
        "also this one has its line"
    );
    let said = gateway.messages();
    let cut_off = "requests were cut off requests=1 drain_timeout=300ms";
    assert!(said.contains(cut_off), "{said}");
}

/// A connection that waits to be accepted when draining begins is already
/// established for its client.
#[tokio::test]
async fn connections_waiting_to_be_accepted_are_served() {
    let mut gateway = Settings::new()
        .workers(1)
        .drain_timeout("20s")
        .start(says("served"))
        .await;
    gateway.signal(Signal::STOP);
    let mut waiting = Vec::new();
    for _ in 0..300 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        waiting.push(wire);
    }
    gateway.signal(Signal::TERM);
    gateway.signal(Signal::CONT);
    for (n, wire) in waiting.iter_mut().enumerate() {
        let response = wire.receive("GET").await;
        assert_eq!(response.text(), "served", "{n}");
    }
    assert_eq!(gateway.ended().await, Some(0));
    let said = gateway.messages();
    assert!(!said.contains("cut off"), "{said}");
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_says_what_it_cut_off() {
    let (upstream, _release) = Upstream::held().await;
    let config = Proxy::to(upstream.endpoint());
    let mut gateway = Settings::new().drain_timeout("1h").start(config).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.signal(Signal::TERM);
    gateway.says("draining").await;
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await, Some(0));
    assert!(wire.try_receive("GET").await.is_err());
    let said = gateway.messages();
    let cut_off = "a second signal: requests were cut off requests=1";
    assert!(said.contains(cut_off), "{said}");
}

/// Without requests in progress no warning is logged, however many signals
/// come.
#[tokio::test]
async fn signals_to_an_idle_gateway_cut_nothing_off() {
    let mut gateway = Settings::new().start(says("x")).await;
    let idle = gateway.connect().await;
    assert_eventually!({
        gateway.signal(Signal::TERM);
        gateway.messages().contains("draining")
    });
    assert_eventually!({
        let is_over = gateway.has_ended();
        if !is_over {
            gateway.signal(Signal::TERM);
        }
        is_over
    });
    drop(idle);
    assert_eq!(gateway.ended().await, Some(0));
    let said = gateway.messages();
    assert!(!said.contains("WARN"), "{said}");
}

#[tokio::test]
async fn readiness_ends_when_draining_begins() {
    let (upstream, release) = Upstream::held().await;
    let config = Proxy::to(upstream.endpoint());
    let mut gateway = Settings::new().drain_timeout("20s").start(config).await;
    assert_eq!(gateway.ask("GET", "/healthz").await.status, 200);
    assert!(gateway.is_ready().await);
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.signal(Signal::TERM);
    assert_eventually!(!gateway.is_ready().await);
    release.send(true).unwrap();
    wire.receive("GET").await;
    assert_eq!(gateway.ended().await, Some(0));
}
