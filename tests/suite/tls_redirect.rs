//! `redirect_http`: requests over `http` are redirected to `https`.

use janua_tests::{Gateway, Request, Response, Vacant, Wire};

use crate::tls::Stage;

/// The host that requests are sent to, and a second one of the same site.
const FIRST: &str = "shop.example";
const SECOND: &str = "www.shop.example";

/// A site with these lines, and listeners without and with TLS; the lines of the one without.
async fn gateway(redirect: &str, http: &str, https: &str) -> Gateway {
    let stage = Stage::new().with("a", &[FIRST, SECOND]);
    stage
        .start(format!(
            "[listeners.http]
address = \"127.0.0.1:0\"
{http}

[listeners.https]
address = \"{https}\"
tls = true

[[sites]]
hosts = [\"{FIRST}\", \"{SECOND}\"]
certificate = {{ cert = \"a.crt\", key = \"a.key\" }}
{redirect}
routes = [{{ path = \"/known\", respond = {{ body = \"served\" }} }}]
"
        ))
        .await
}

async fn send(gateway: &Gateway, request: &Request) -> Response {
    let mut wire = Wire::connect(gateway.address_of("http")).await;
    wire.exchange(request).await
}

/// A port that nobody else has: it is taken at another loopback address.
fn port() -> (Vacant, u16) {
    let taken = Vacant::refusing();
    let port = taken.address().port();
    (taken, port)
}

#[tokio::test]
async fn the_forms_of_a_redirect() {
    let (_taken, port) = port();
    for (redirect, status, host) in [
        ("redirect_http = 301", 301, SECOND),
        ("redirect_http = 308", 308, SECOND),
        ("redirect_http = true", 308, SECOND),
        ("redirect_http = { code = 302 }", 302, SECOND),
        ("redirect_http = { code = 301, to = \"first\" }", 301, FIRST),
        ("redirect_http = { to = \"first\" }", 308, FIRST),
    ] {
        let gateway = gateway(redirect, "", &format!("127.0.0.2:{port}")).await;
        // Path and query are kept as they came, whether there is a route or not.
        for (method, target) in [
            ("GET", "/a%20b/?x=%26&y=1"),
            ("HEAD", "/"),
            ("POST", "/known?"),
        ] {
            let request = Request::new(method, target).host(&format!("{SECOND}:80"));
            let response = send(&gateway, &request).await;
            assert_eq!(response.status, status, "{redirect}, {target}");
            let expected = format!("https://{host}:{port}{target}");
            assert_eq!(response.header("location"), Some(&*expected), "{redirect}");
        }
        let unknown = send(&gateway, &Request::get("/").host("other.example")).await;
        assert_eq!(unknown.status, 404, "a host of no site is not redirected");
    }
}

#[tokio::test]
async fn without_it_nothing_is_redirected() {
    for redirect in ["", "redirect_http = false"] {
        let gateway = gateway(redirect, "", "127.0.0.1:0").await;
        let response = send(&gateway, &Request::get("/known").host(FIRST)).await;
        assert_eq!(response.text(), "served");
    }
}

/// Nobody can smuggle another host into the address.
#[tokio::test]
async fn the_host_is_the_one_of_the_request() {
    let gateway = gateway("redirect_http = 301", "", "127.0.0.1:0").await;
    let spoofed = Request::get("//evil.example/%0d%0aSet-Cookie:%20a")
        .host(FIRST)
        .header("X-Forwarded-Host", "evil.example")
        .header("X-Forwarded-Proto", "https");
    let response = send(&gateway, &spoofed).await;
    assert_eq!(response.status, 301);
    let location = response.header("location").unwrap();
    assert!(location.starts_with("https://shop.example/"), "{location}");
    assert_eq!(response.header("set-cookie"), None);
}

/// Behind a proxy that ends TLS, what counts is the scheme that the client used.
#[tokio::test]
async fn a_trusted_proxy_causes_no_loop() {
    let trusted = "trusted_proxies = [\"127.0.0.0/8\"]";
    let gateway = gateway("redirect_http = 301", trusted, "127.0.0.1:0").await;
    let request = Request::get("/known").host(FIRST);
    let https = request.clone().header("X-Forwarded-Proto", "https");
    assert_eq!(send(&gateway, &https).await.text(), "served");
    let http = request.clone().header("X-Forwarded-Proto", "http");
    assert_eq!(send(&gateway, &http).await.status, 301);
    assert_eq!(send(&gateway, &request).await.status, 301);
}

/// From anybody else, the scheme is that of the connection.
#[tokio::test]
async fn the_scheme_of_a_stranger_is_not_believed() {
    let trusted = "trusted_proxies = [\"192.0.2.0/24\"]";
    let gateway = gateway("redirect_http = 301", trusted, "127.0.0.1:0").await;
    let spoofed = Request::get("/known")
        .host(FIRST)
        .header("X-Forwarded-Proto", "https");
    assert_eq!(send(&gateway, &spoofed).await.status, 301);
}

/// The origin of a proxy that ends TLS may have no listener with TLS at all: the address is then
/// the one of the proxy, on the default port.
#[tokio::test]
async fn behind_a_proxy_there_need_be_no_certificate() {
    let config = format!(
        "[listeners.http]
address = \"127.0.0.1:0\"
trusted_proxies = [\"127.0.0.0/8\"]

[[sites]]
hosts = [\"{FIRST}\"]
redirect_http = 301
routes = [{{ respond = {{ body = \"served\" }} }}]
"
    );
    let gateway = Gateway::start(config).await;
    let request = Request::get("/a?b").host(FIRST);
    let response = send(&gateway, &request).await;
    assert_eq!(
        response.header("location"),
        Some("https://shop.example/a?b")
    );
    let https = request.header("X-Forwarded-Proto", "https");
    assert_eq!(send(&gateway, &https).await.text(), "served");
}

/// Over TLS nothing is redirected, also if a trusted proxy in front speaks TLS to here and says
/// that its client does not: then it is.
#[tokio::test]
async fn over_tls_the_request_is_served() {
    let stage = Stage::new().with("a", &[FIRST]);
    let client = stage.client();
    let config = format!(
        "[listeners.https]
address = \"127.0.0.1:0\"
tls = true
trusted_proxies = [\"127.0.0.0/8\"]

[[sites]]
hosts = [\"{FIRST}\"]
certificate = {{ cert = \"a.crt\", key = \"a.key\" }}
redirect_http = 301
routes = [{{ respond = {{ body = \"served\" }} }}]
"
    );
    let gateway = stage.start(config).await;
    let mut wire = gateway.connect_tls(&client, FIRST).await;
    let request = Request::get("/").host(FIRST);
    assert_eq!(wire.exchange(&request).await.text(), "served");
    let http = request.clone().header("X-Forwarded-Proto", "http");
    assert_eq!(wire.exchange(&http).await.status, 301);
    let https = request.header("X-Forwarded-Proto", "https");
    assert_eq!(wire.exchange(&https).await.text(), "served");
}
