//! Bodies that prove too large to be stored while other requests wait for them.

use janua_tests::{Proxy, Request, Settings, Upstream, Visit, filler, filler_difference};
use tokio::task::JoinSet;

const LARGE: usize = 3 * 1024 * 1024;

/// The size is not known in advance: every client gets the complete body, from
/// the shared fetch or from the upstream.
#[tokio::test]
async fn a_body_that_becomes_too_large_reaches_all_who_wait() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\
                        Transfer-Encoding: chunked\r\n\r\n";
            let mut sent = format!("{head}{LARGE:x}\r\n").into_bytes();
            sent.extend(filler(0, LARGE));
            sent.extend(b"\r\n0\r\n\r\n");
            if visit.wire.try_send(sent).await.is_err() {
                return;
            }
        }
    })
    .await;
    let config = format!(
        "[cache]\nmax_object = \"16KiB\"\n{}",
        Proxy::to(upstream.endpoint()).route("cache = true")
    );
    let gateway = Settings::new().workers(4).start(config).await;
    for round in 0..5 {
        let mut wires = Vec::new();
        for _ in 0..24 {
            wires.push(gateway.connect().await);
        }
        let target = format!("/{round}");
        for wire in &mut wires {
            wire.send(Request::get(&target).to_bytes()).await;
        }
        // At once, since they have a part of the body in common.
        let mut reading = JoinSet::new();
        for mut wire in wires {
            reading.spawn(async move { wire.receive("GET").await });
        }
        while let Some(response) = reading.join_next().await {
            let response = response.unwrap();
            assert_eq!((response.status, response.body.len()), (200, LARGE));
            assert_eq!(filler_difference(0, &response.body), None);
        }
    }
}
