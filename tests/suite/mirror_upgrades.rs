//! Requests for another protocol, of which a mirror gets no copy.

use janua_tests::{Gateway, Reply, Upstream, Visit, assert_eventually};

use crate::mirror;
use crate::websocket::{ACCEPT, upgrade};

#[tokio::test]
async fn requests_for_another_protocol_are_not_copied() {
    let app = Upstream::raw(|mut visit: Visit| async move {
        while let Ok(request) = visit.request().await {
            if request.header("upgrade").is_some() {
                visit.wire.send(ACCEPT).await;
                return visit.wire.echo().await;
            }
            visit.wire.send(Reply::ok("app").to_bytes("GET")).await;
        }
    })
    .await;
    let shadow = Upstream::always(Reply::ok("x")).await;
    let gateway = Gateway::start_one_worker(mirror::config(&app, &shadow.endpoint(), "")).await;
    let mut wire = gateway.connect().await;
    wire.send(upgrade("/ws").to_bytes()).await;
    assert_eq!(wire.receive("GET").await.status, 101);
    wire.send("ping").await;
    assert_eq!(wire.take(4).await.unwrap(), b"ping");
    assert_eq!(gateway.get("/plain").await.text(), "app");
    assert_eventually!(shadow.request_count() == 1);
    assert_eq!(shadow.only_request().target, "/plain");
    // A copy is counted when it has ended.
    assert_eventually!(mirror::all(&gateway).await == 1.0);
}
