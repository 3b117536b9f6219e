//! Limits of concurrency: a place is taken until the exchange has ended, however it ends.

use janua_tests::{
    Gateway, Proxy, Reply, Request, Upstream, Visit, Wire, assert_eventually, component, granted,
    is_over_http2,
};

/// One request at a time for each `X-Key`. Other fields of the policy's configuration come
/// last.
fn config(upstream: &Upstream, more: &str) -> String {
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"limit\"]");
    granted(format!(
        "[policies.limit]\ncomponent = \"{}\"\nconfig = {{ label = \"limit\", concurrency = \"{{header:x-key}}\"{more} }}\n{proxy}",
        component("probe").display()
    ))
}

fn keyed(path: &str, key: &str) -> Request {
    Request::get(path).header("X-Key", key)
}

/// A request that is being answered.
async fn begin(gateway: &Gateway, upstream: &Upstream, key: &str) -> Wire {
    let count = upstream.request_count();
    let mut wire = gateway.connect().await;
    wire.send(keyed("/held", key).to_bytes()).await;
    assert_eventually!(upstream.request_count() == count + 1);
    wire
}

/// `/held` is answered when it is released, and other paths at once.
async fn holding() -> (Upstream, tokio::sync::watch::Sender<bool>) {
    let (release, released) = tokio::sync::watch::channel(false);
    let upstream = Upstream::http(move |request| {
        let mut released = released.clone();
        async move {
            if request.target == "/held" {
                let _ = released.wait_for(|released| *released).await;
            }
            Reply::ok("done")
        }
    });
    (upstream.await, release)
}

async fn status(gateway: &Gateway, key: &str) -> u16 {
    gateway.send(keyed("/", key)).await.status
}

#[tokio::test]
async fn a_place_is_taken_while_the_exchange_lasts() {
    let (upstream, release) = holding().await;
    let gateway = Gateway::start(config(&upstream, "")).await;
    let mut held = begin(&gateway, &upstream, "a").await;
    // On whichever worker, and on connections of their own.
    for _ in 0..6 {
        let refused = gateway.send(keyed("/", "a")).await;
        assert_eq!(refused.status, 429);
        assert_eq!(refused.header("retry-after"), None);
        assert_eq!(status(&gateway, "b").await, 200);
        // An absent key takes no place, and an empty one is a key.
        assert_eq!(gateway.get("/").await.status, 200);
        assert_eq!(status(&gateway, "").await, 200);
    }
    let asked = upstream.requests();
    let of_a = asked
        .iter()
        .filter(|asked| asked.header("x-key") == Some("a"));
    assert_eq!(of_a.count(), 1, "what was refused went no further");
    release.send(true).unwrap();
    assert_eq!(held.receive("GET").await.status, 200);
    assert_eventually!(status(&gateway, "a").await == 200);
    // A request after the other on one connection finds its place.
    for _ in 0..10 {
        assert_eq!(held.exchange(&keyed("/", "a")).await.status, 200);
    }
}

/// A request that was refused has taken no place, nor has one that another policy or the
/// reply of this one has ended.
#[tokio::test]
async fn who_is_refused_or_answered_keeps_no_place() {
    let (upstream, _release) = holding().await;
    let gateway = Gateway::start(config(&upstream, ", answer = 402")).await;
    let mut wire = gateway.connect().await;
    for _ in 0..10 {
        assert_eq!(wire.exchange(&keyed("/", "a")).await.status, 402);
    }
    assert_eventually!(status(&gateway, "a").await == 402);
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_place_back() {
    let (upstream, _release) = holding().await;
    let gateway = Gateway::start(config(&upstream, "")).await;
    for reset in [false, true] {
        let wire = begin(&gateway, &upstream, "a").await;
        assert_eq!(status(&gateway, "a").await, 429);
        match reset {
            true => wire.reset(),
            false => drop(wire),
        }
        assert_eventually!(status(&gateway, "a").await == 200, "reset: {reset}");
    }
}

/// Of a response that ends before its end, and of a tunnel.
#[tokio::test]
async fn an_upstream_that_dies_gives_the_place_back() {
    let (kill, killed) = tokio::sync::watch::channel(false);
    let upstream = Upstream::raw(move |mut visit: Visit| {
        let mut killed = killed.clone();
        async move {
            let Ok(request) = visit.request().await else {
                return;
            };
            if request.target == "/" {
                let reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                visit.wire.send(reply).await;
                return;
            }
            if request.header("x-key") == Some("within") {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour";
                visit.wire.send(head).await;
            }
            let _ = killed.wait_for(|killed| *killed).await;
        }
    })
    .await;
    let gateway = Gateway::start(config(&upstream, "")).await;
    let mut before = begin(&gateway, &upstream, "before").await;
    let mut within = begin(&gateway, &upstream, "within").await;
    within.take_until(b"four").await.unwrap();
    for key in ["before", "within"] {
        assert_eq!(status(&gateway, key).await, 429, "{key}");
    }
    kill.send(true).unwrap();
    assert_eq!(before.receive("GET").await.status, 502);
    assert!(within.is_closed().await);
    for key in ["before", "within"] {
        assert_eventually!(status(&gateway, key).await == 200, "{key}");
    }
}

/// A tunnel is one exchange.
#[tokio::test]
async fn a_tunnel_keeps_its_place_until_it_is_closed() {
    // An upgrade is something else there.
    if is_over_http2() {
        return;
    }
    let upstream = Upstream::raw(async |mut visit: Visit| {
        let Ok(request) = visit.request().await else {
            return;
        };
        let reply = match request.header("upgrade") {
            Some(_) => {
                "101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
            }
            None => "200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        };
        visit.wire.send(format!("HTTP/1.1 {reply}")).await;
        visit.wire.echo().await;
    })
    .await;
    let gateway = Gateway::start(config(&upstream, "")).await;
    let mut tunnel = gateway.connect().await;
    let request = keyed("/", "a")
        .header("Connection", "upgrade")
        .header("Upgrade", "websocket");
    tunnel.send(request.to_bytes()).await;
    assert_eq!(tunnel.receive_head("GET").await.unwrap().status, 101);
    tunnel.send("ping").await;
    assert_eq!(tunnel.take(4).await.unwrap(), b"ping");
    assert_eq!(status(&gateway, "a").await, 429);
    tunnel.send("pong").await;
    assert_eq!(tunnel.take(4).await.unwrap(), b"pong");
    drop(tunnel);
    assert_eventually!(status(&gateway, "a").await == 200);
}

/// A place belongs to the exchange: neither a reload nor the end of the policy gives it back
/// before, and the same policy of a later configuration counts it.
#[tokio::test]
async fn a_place_survives_a_reload_until_its_exchange_ends() {
    let (upstream, release) = holding().await;
    let mut gateway = Gateway::start(config(&upstream, "")).await;
    let mut held = begin(&gateway, &upstream, "a").await;
    for more in ["", ", set = { X-More = \"1\" }"] {
        gateway.reload(config(&upstream, more)).await;
        assert_eq!(status(&gateway, "a").await, 429, "{more}");
        assert_eq!(status(&gateway, "b").await, 200, "{more}");
    }
    // Without the policy nothing is limited, and the place is still taken.
    gateway.reload(Proxy::to(upstream.endpoint())).await;
    assert_eq!(status(&gateway, "a").await, 200);
    gateway.reload(config(&upstream, "")).await;
    assert_eq!(status(&gateway, "a").await, 429);
    release.send(true).unwrap();
    assert_eq!(held.receive("GET").await.status, 200);
    assert_eventually!(status(&gateway, "a").await == 200);
}
