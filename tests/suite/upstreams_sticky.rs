//! Sessions: a client comes back to its endpoint by a signed cookie.

use std::os::unix::fs::PermissionsExt as _;

use janua_tests::{
    Gateway, Proxy, Reply, Request, Response, Settings, Upstream, assert_eventually,
};

use crate::upstreams_balance::named;

const STICKY: &str = "sticky = { cookie = \"app_endpoint\", lifetime = \"1h\" }";

/// The cookie of a response, as a client returns it.
fn cookie(response: &Response) -> Option<String> {
    let line = response.header("set-cookie")?;
    assert!(line.starts_with("app_endpoint="), "{line}");
    line.split(';').next().map(str::to_owned)
}

fn with(cookie: &str) -> Request {
    Request::get("/").header("Cookie", cookie)
}

/// All requests with this cookie are answered by this endpoint, and get no other cookie.
async fn stays(gateway: &Gateway, cookie: &str, home: &str) {
    for _ in 0..12 {
        let response = gateway.send(with(cookie)).await;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.text(), home);
        assert_eq!(self::cookie(&response), None);
    }
}

/// A client that has come to this endpoint, by its cookie.
async fn client_of(gateway: &Gateway, home: &str) -> String {
    for _ in 0..100 {
        let response = gateway.get("/").await;
        let cookie = cookie(&response).expect("a first response has a cookie");
        if response.text() == home {
            return cookie;
        }
    }
    panic!("nobody has come to {home}");
}

#[tokio::test]
async fn a_client_comes_back_over_every_worker() {
    let (a, b, c) = (named("a").await, named("b").await, named("c").await);
    let config = Proxy::to(a.endpoint())
        .and(b.endpoint())
        .and(c.endpoint())
        .upstream(STICKY);
    let gateway = Settings::new().workers(4).start(config).await;
    for home in ["a", "b", "c"] {
        let cookie = client_of(&gateway, home).await;
        stays(&gateway, &cookie, home).await;
        // Among others, and as one of several lines.
        stays(&gateway, &format!("x=1; {cookie}; y=2"), home).await;
    }
    let response = gateway.get("/").await;
    let line = response.header("set-cookie").unwrap();
    let attributes = line.split_once("; ").unwrap().1;
    let expected = "Path=/; HttpOnly; SameSite=Lax; Max-Age=3600";
    match gateway.scheme() {
        "https" => assert_eq!(attributes, format!("{expected}; Secure")),
        _ => assert_eq!(attributes, expected),
    }
    let port = a.port().to_string();
    assert!(!line.contains(&port), "the address is not shown");
    let mode = std::fs::metadata(gateway.directory().join("state/sticky.key"));
    assert_eq!(mode.unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn over_tls_the_cookie_is_secure() {
    let a = named("a").await;
    let config = Proxy::to(a.endpoint()).upstream(STICKY);
    let gateway = Settings::new().over_tls().start(config).await;
    let response = gateway.get("/").await;
    let line = response.header("set-cookie").unwrap();
    assert!(line.ends_with("; Secure"), "{line}");
}

#[tokio::test]
async fn what_was_not_signed_here_is_replaced() {
    let (a, b) = (named("a").await, named("b").await);
    let config = Proxy::to(a.endpoint()).and(b.endpoint()).upstream(STICKY);
    let gateway = Gateway::start(config).await;
    let own = client_of(&gateway, "a").await;
    let elsewhere = {
        let config = Proxy::to(a.endpoint()).and(b.endpoint()).upstream(STICKY);
        let other = Gateway::start(config).await;
        client_of(&other, "a").await
    };
    let mut forged = own.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'B' } else { 'A' });
    for value in [
        forged.as_str(),
        &elsewhere,
        "app_endpoint=a",
        "app_endpoint=",
    ] {
        let response = gateway.send(with(value)).await;
        assert_eq!(response.status, 200);
        let new = cookie(&response).expect("it is replaced");
        assert_ne!(new, value);
        stays(&gateway, &new, response.text()).await;
    }
    // One that is left over does not hide the own one.
    stays(&gateway, &format!("app_endpoint=old; {own}"), "a").await;
}

#[tokio::test]
async fn sessions_survive_a_reload_and_a_restart() {
    let (a, b, c) = (named("a").await, named("b").await, named("c").await);
    let config = Proxy::to(a.endpoint()).and(b.endpoint()).upstream(STICKY);
    let mut gateway = Settings::new().workers(4).start(config).await;
    let cookies = [
        client_of(&gateway, "a").await,
        client_of(&gateway, "b").await,
    ];
    gateway
        .reload(
            Proxy::to(c.endpoint())
                .and(b.endpoint())
                .and(a.endpoint())
                .upstream(STICKY),
        )
        .await;
    stays(&gateway, &cookies[0], "a").await;
    stays(&gateway, &cookies[1], "b").await;
    gateway.stop().await;
    gateway.start_again().await;
    stays(&gateway, &cookies[0], "a").await;
    stays(&gateway, &cookies[1], "b").await;
    // An endpoint that is removed has no sessions any more.
    gateway
        .reload(Proxy::to(c.endpoint()).and(b.endpoint()).upstream(STICKY))
        .await;
    let response = gateway.send(with(&cookies[0])).await;
    let new = cookie(&response).expect("another cookie");
    stays(&gateway, &new, response.text()).await;
    stays(&gateway, &cookies[1], "b").await;
}

#[tokio::test]
async fn the_session_of_an_endpoint_that_dies_moves_once() {
    let (a, b, c) = (named("a").await, named("b").await, named("c").await);
    let config = Proxy::to(a.endpoint())
        .and(b.endpoint())
        .and(c.endpoint())
        .upstream(STICKY);
    let gateway = Settings::new().workers(4).start(config).await;
    let old = client_of(&gateway, "a").await;
    a.stop().await;
    let response = gateway.send(with(&old)).await;
    assert_eq!(response.status, 200, "no client sees it");
    let new = cookie(&response).expect("the cookie is rewritten");
    stays(&gateway, &new, response.text()).await;
}

/// The cookie belongs to the exchange, and not to the response that is stored.
#[tokio::test]
async fn no_stored_response_has_a_cookie() {
    let upstream = Upstream::http(async |request| {
        let kind = match request.target.as_str() {
            "/shared" => "public, max-age=60",
            _ => "private",
        };
        Reply::ok("x").header("Cache-Control", kind)
    })
    .await;
    let config = Proxy::to(upstream.endpoint())
        .upstream(STICKY)
        .route("cache = true");
    let gateway = Settings::new().workers(2).start(config).await;
    for _ in 0..4 {
        let response = gateway.get("/shared").await;
        assert_eq!(
            cookie(&response),
            None,
            "{:?}",
            response.header("cache-status")
        );
    }
    assert_eq!(upstream.request_count(), 1);
    // A response for this client alone has one, also while others wait for it.
    for _ in 0..2 {
        let response = gateway.get("/private").await;
        let cookie = cookie(&response).expect("a cookie");
        let again = gateway.send(Request::get("/private").header("Cookie", &cookie));
        assert_eq!(self::cookie(&again.await), None);
    }
    let client = gateway.get("/private").await;
    let cookie = cookie(&client).unwrap();
    let shared = gateway.send(Request::get("/shared").header("Cookie", &cookie));
    assert_eq!(shared.await.header("set-cookie"), None);
}

/// Sessions do not keep a client at an endpoint that is not to get more.
#[tokio::test]
async fn a_full_endpoint_gets_no_more_of_its_sessions() {
    let (held, release) = Upstream::held().await;
    let b = named("b").await;
    let endpoint = held.endpoint();
    let config = Proxy::to(format!(
        "{{ address = \"{endpoint}\", max_connections = 1 }}"
    ))
    .and(b.endpoint())
    .upstream(STICKY);
    let gateway = Gateway::start_one_worker(config).await;
    let mut waiting = gateway.connect().await;
    // Round robin reaches it with one of two requests.
    while held.request_count() == 0 {
        let answered = b.request_count();
        waiting = gateway.connect().await;
        waiting.send(Request::get("/").to_bytes()).await;
        assert_eventually!(held.request_count() == 1 || b.request_count() > answered);
    }
    release.send(true).unwrap();
    let first = waiting.receive("GET").await;
    assert_eq!(first.text(), "at last");
    let home = cookie(&first).unwrap();
    release.send(false).unwrap();
    let mut busy = gateway.connect().await;
    busy.send(with(&home).to_bytes()).await;
    assert_eventually!(held.request_count() == 2);
    let other = gateway.send(with(&home)).await;
    assert_eq!(other.text(), "b");
    assert!(cookie(&other).is_some());
}

/// An endpoint that is to become idle keeps its sessions, over a reload too, and gets no others.
#[tokio::test]
async fn a_draining_endpoint_keeps_its_sessions() {
    let (a, b) = (named("a").await, named("b").await);
    let config = Proxy::to(a.endpoint()).and(b.endpoint()).upstream(STICKY);
    let mut gateway = Settings::new().workers(4).start(&config).await;
    let cookies = [
        client_of(&gateway, "a").await,
        client_of(&gateway, "b").await,
    ];
    let address = a.endpoint();
    let command = async |gateway: &Gateway, word: &str| {
        gateway.done(&["upstream", word, "app", &address]).await;
    };
    command(&gateway, "drain").await;
    for _ in 0..2 {
        stays(&gateway, &cookies[0], "a").await;
        stays(&gateway, &cookies[1], "b").await;
        for _ in 0..12 {
            assert_eq!(gateway.get("/").await.text(), "b");
        }
        gateway.reload(&config).await;
    }
    // Without its sessions it would be idle; one that ends does not come back.
    let forged = gateway.send(with("app_endpoint=x")).await;
    assert_eq!(forged.text(), "b");
    command(&gateway, "undrain").await;
    client_of(&gateway, "a").await;
}
