//! How a gateway ends: what is on its way is finished, within a time.

use janua_tests::{Proxy, Request, Settings, assert_eventually};
use rustix::process::Signal;

use crate::reload::held;

#[tokio::test]
async fn sigterm_finishes_what_is_on_its_way() {
    let (upstream, release) = held().await;
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
    let (upstream, _release) = held().await;
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
}

#[tokio::test]
async fn readiness_ends_when_draining_begins() {
    let (upstream, release) = held().await;
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
