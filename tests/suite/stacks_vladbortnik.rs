//! `examples/vladbortnik`: TLS 1.3 only, a wildcard certificate by DNS-01, exact security
//! headers, a static portfolio and two applications, one of which has three instances. How requests
//! are balanced over these is in `stacks_vladbortnik_balance.rs`.

use janua_tests::{
    Example, Gateway, Reply, Request, ReservedPort, Response, TlsClient, Upstream, Vacant, Wire,
};

use crate::acme::{Scene, issuer, renew, served};

const APEX: &str = "vladbortnik.dev";
pub(crate) const RECIPE: &str = "recipe.vladbortnik.dev";
const BOOKFINDER: &str = "bookfinder.vladbortnik.dev";

/// The fields of the original, to the letter.
const SECURITY: [(&str, &str); 6] = [
    ("Strict-Transport-Security", "max-age=63072000"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    (
        "Permissions-Policy",
        "camera=(), microphone=(), geolocation=(), payment=()",
    ),
    (
        "Content-Security-Policy",
        "default-src 'self' data:; img-src 'self' data: blob:; font-src 'self' data:;",
    ),
];

pub(crate) struct Stack {
    pub(crate) gateway: Gateway,
    pub(crate) client: TlsClient,
    scene: Scene,
    _portfolio: tempfile::TempDir,
}

impl Stack {
    /// The applications at these endpoints: three instances of one, one of the other. Once the
    /// domain and what is below it have their certificates.
    pub(crate) async fn boot(recipe: [&str; 3], bookfinder: &str) -> Self {
        let scene = Scene::new().await;
        let dns = ReservedPort::reserve();
        // The record of the README.
        let name = format!("_acme-challenge.{APEX}");
        scene.dns.delegate(&name, dns.address());
        let portfolio = tempfile::tempdir().unwrap();
        std::fs::write(portfolio.path().join("index.html"), "<p>portfolio\n").unwrap();
        let example = Example::of("vladbortnik")
            .listener_at("*:80", scene.http.address())
            .listener_at("*:443", scene.tls.address())
            .authority(&scene.front.directory_url(), &scene.pebble.ca_path())
            .name_server("203.0.113.7:53", dns.address(), scene.dns.address())
            .directory("/var/www/vladbortnik.dev", portfolio.path())
            .text("127.0.0.1:5002", recipe[0])
            .text("127.0.0.1:5003", recipe[1])
            .text("127.0.0.1:5004", recipe[2])
            .endpoint("127.0.0.1:5005", bookfinder);
        let gateway = Gateway::start(&example).await;
        for host in [APEX, RECIPE] {
            scene.issued(&gateway, host).await;
        }
        Self {
            gateway,
            client: scene.pebble.client().await,
            scene,
            _portfolio: portfolio,
        }
    }

    async fn send(&self, host: &str, request: Request) -> Response {
        let address = self.gateway.address_of("https");
        let mut wire = self.client.connect(address, host).await.unwrap();
        wire.exchange(&request.host(host)).await
    }
}

fn expect_security(response: &Response, what: &str) {
    for (name, value) in SECURITY {
        assert_eq!(response.header(name), Some(value), "{what}");
        let lines = response.fields.iter();
        let lines = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        assert_eq!(lines.count(), 1, "{what}: {name}");
    }
}

#[tokio::test]
async fn three_sites_with_the_same_headers() {
    let recipe = Upstream::always(Reply::ok("recipe")).await;
    let books = Upstream::always(Reply::new(500).body("books")).await;
    let one = recipe.endpoint();
    let stack = Stack::boot([&one, &one, &one], &books.endpoint()).await;
    for (host, target, status, text) in [
        (APEX, "/", 200, "<p>portfolio\n"),
        (APEX, "/none", 404, ""),
        (RECIPE, "/", 200, "recipe"),
        (BOOKFINDER, "/", 500, "books"),
    ] {
        let response = stack.send(host, Request::get(target)).await;
        assert_eq!(response.status, status, "{host}{target}");
        assert!(response.text().contains(text), "{host}{target}");
        expect_security(&response, target);
    }
}

/// Error responses of the gateway have them too.
#[tokio::test]
async fn a_dead_application() {
    let nobody = Vacant::refusing();
    let dead = nobody.endpoint();
    let stack = Stack::boot([&dead, &dead, &dead], &dead).await;
    let response = stack.send(RECIPE, Request::get("/")).await;
    assert_eq!(response.status, 502);
    expect_security(&response, "502");
}

#[tokio::test]
async fn tls_1_3_only_and_sessions_without_tickets() {
    let recipe = Upstream::always(Reply::ok("recipe")).await;
    let one = recipe.endpoint();
    let stack = Stack::boot([&one, &one, &one], &one).await;
    let address = stack.gateway.address_of("https");
    for host in [APEX, RECIPE, BOOKFINDER] {
        let old = stack.client.clone().version("1.2");
        assert!(old.connect(address, host).await.is_err(), "{host}");
        let new = stack.client.clone().version("1.3");
        for resumed in [false, true, true] {
            let mut wire = new.connect(address, host).await.unwrap();
            // What resumes a session follows the handshake.
            wire.exchange(&Request::get("/").host(host)).await;
            assert_eq!(wire.handshake().is_resumed, resumed, "{host}");
        }
    }
}

/// The request's own host, whatever it is among the site's.
#[tokio::test]
async fn http_is_redirected_to_the_same_host() {
    let recipe = Upstream::always(Reply::ok("recipe")).await;
    let one = recipe.endpoint();
    let stack = Stack::boot([&one, &one, &one], &one).await;
    for host in [APEX, RECIPE, BOOKFINDER] {
        let mut wire = Wire::connect(stack.gateway.address_of("http")).await;
        let response = wire.exchange(&Request::get("/a/b?c=d").host(host)).await;
        assert_eq!(response.status, 301);
        // Port 443, which the file has, is left out.
        let expected = format!("https://{host}:{}/a/b?c=d", stack.scene.tls.number());
        assert_eq!(response.header("location"), Some(&*expected));
    }
    assert_eq!(recipe.request_count(), 0);
}

/// One certificate for the domain, and one that all hosts below it share.
#[tokio::test]
async fn a_wildcard_certificate_by_the_record_of_the_readme() {
    let recipe = Upstream::always(Reply::ok("recipe")).await;
    let one = recipe.endpoint();
    let stack = Stack::boot([&one, &one, &one], &one).await;
    let mut ordered = stack.scene.front.ordered();
    ordered.sort();
    assert_eq!(ordered, [["*.vladbortnik.dev"], [APEX]]);
    let certificate = async |host: &str| served(&stack.gateway, &stack.client, host).await;
    let wildcard = certificate(RECIPE).await;
    assert!(issuer(&wildcard).contains("Pebble"));
    for host in [BOOKFINDER, "new.vladbortnik.dev"] {
        assert_eq!(certificate(host).await, wildcard, "{host}");
    }
    assert_ne!(certificate(APEX).await, wildcard);
    assert_eq!(stack.scene.dns.lame(), [""; 0]);
    // A host without an application leads to the portfolio.
    let response = stack.send("new.vladbortnik.dev", Request::get("/a")).await;
    assert_eq!(response.status, 301);
    assert_eq!(
        response.header("location"),
        Some("https://vladbortnik.dev/")
    );
    expect_security(&response, "new");
}

/// A renewal: new handshakes get the new certificate, and a connection that is open stays.
#[tokio::test]
async fn a_renewed_certificate() {
    let recipe = Upstream::always(Reply::ok("recipe")).await;
    let one = recipe.endpoint();
    let stack = Stack::boot([&one, &one, &one], &one).await;
    let address = stack.gateway.address_of("https");
    let mut open = stack.client.connect(address, RECIPE).await.unwrap();
    let before = served(&stack.gateway, &stack.client, RECIPE).await;
    // By a host that the wildcard covers.
    renew(&stack.gateway, BOOKFINDER).await;
    assert_ne!(served(&stack.gateway, &stack.client, RECIPE).await, before);
    let response = open.exchange(&Request::get("/").host(RECIPE)).await;
    assert_eq!(response.status, 200);
}
