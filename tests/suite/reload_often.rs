//! A thousand reloads leak nothing.

use std::collections::VecDeque;

use janua_tests::{Proxy, Request, Settings, Upstream, Visit, assert_eventually};

/// A WebSocket is opened in each generation and must not keep it alive.
#[tokio::test]
async fn a_thousand_reloads_leave_nothing_behind() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        if visit.wire.receive_request_head().await.is_ok() {
            let accept = "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n";
            let _ = visit.wire.try_send(accept).await;
            let _ = visit.wire.take_rest().await;
        }
    })
    .await;
    // Large enough that a leaked generation is noticeable.
    let routes: String = (0..200)
        .map(|n| format!("[[sites.routes]]\npath = \"/{n}\"\nrespond = {{ body = \"{n}\" }}\n"))
        .collect();
    let config = |n: usize| {
        format!(
            "{}{routes}",
            Proxy::to(upstream.endpoint()).site(&format!("max_body = {n}"))
        )
    };
    let gateway = Settings::new()
        .open_files(8192)
        .level("warn")
        .start(config(1))
        .await;
    // One is opened in each generation; those of the last fifty stay open.
    let mut wires = VecDeque::new();
    let (mut before, mut after) = (0, u64::MAX);
    for n in 1..=1000 {
        let mut wire = gateway.connect().await;
        let ask = Request::get("/ws")
            .header("Connection", "upgrade")
            .header("Upgrade", "w");
        assert_eq!(wire.exchange(&ask).await.status, 101);
        wires.push_back(wire);
        if wires.len() > 50 {
            wires.pop_front();
        }
        // Requests meanwhile start threads; reloads stay on their own thread.
        let (reloaded, _, _) = tokio::join!(
            gateway.try_reload(config(n)),
            gateway.status(),
            gateway.metrics()
        );
        reloaded.unwrap_or_else(|refused| panic!("refused: {refused}"));
        // The allocator's memory varies by some MiB, so the maximum over a
        // period at the start is compared with the minimum over a period at the
        // end.
        match n {
            100..=300 => before = before.max(gateway.rss_kib()),
            900.. => after = after.min(gateway.rss_kib()),
            _ => {}
        }
    }
    // This must hold exactly: fifty tunnels keep no generation alive.
    assert_eventually!(
        gateway.metric("janua_config_live_generations", &[]).await <= 1.0,
        "an old generation is held"
    );
    // Six hundred leaked generations of a hundred KiB would take 60 MiB. Beside
    // busy neighbours the allocator alone has kept 5 MiB more, and gives it back.
    assert!(
        after <= before + 12 * 1024,
        "{before} KiB, and {after} KiB after"
    );
    assert_eventually!(gateway.status().await["in_flight"] == 50);
    assert_eq!(gateway.status().await["generation"], 1001);
}
