//! `examples/vladbortnik`: TLS 1.3 only, exact security headers, a static portfolio and two
//! applications, one of which has three instances.

use janua_tests::{
    Authority, Example, Gateway, Issue, Reply, Request, Response, TlsClient, Upstream, Vacant, Wire,
};

const APEX: &str = "vladbortnik.dev";
const RECIPE: &str = "recipe.vladbortnik.dev";
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

struct Stack {
    gateway: Gateway,
    client: TlsClient,
    example: Example,
    directory: tempfile::TempDir,
    authority: Authority,
}

impl Stack {
    /// The applications at these endpoints: three instances of one, one of the other.
    async fn boot(recipe: [&str; 3], bookfinder: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("an authority");
        let site = directory.path().join("site");
        std::fs::create_dir(&site).unwrap();
        std::fs::write(site.join("index.html"), "<p>portfolio\n").unwrap();
        renew(&authority, directory.path());
        let at = |name: &str| directory.path().join(name);
        let live = "/etc/letsencrypt/live/vladbortnik.dev";
        let example = Example::of("vladbortnik")
            .listener("*:80")
            .listener("*:443")
            .directory("/var/www/vladbortnik.dev", &site)
            .text("127.0.0.1:5002", recipe[0])
            .text("127.0.0.1:5003", recipe[1])
            .text("127.0.0.1:5004", recipe[2])
            .endpoint("127.0.0.1:5005", bookfinder)
            .certificate(
                (&format!("{live}/fullchain.pem"), &at("live.crt")),
                (&format!("{live}/privkey.pem"), &at("live.key")),
            );
        Self {
            gateway: Gateway::start(&example).await,
            example,
            client: TlsClient::trusting(&authority),
            directory,
            authority,
        }
    }

    async fn send(&self, host: &str, request: Request) -> Response {
        let address = self.gateway.address_of("https");
        let mut wire = self.client.connect(address, host).await.unwrap();
        wire.exchange(&request.host(host)).await
    }
}

/// A new certificate for the domain and what is below it, as certbot writes it.
fn renew(authority: &Authority, directory: &std::path::Path) {
    let issue = Issue::new(&[APEX, "*.vladbortnik.dev"]);
    authority.sign(&issue).write(directory, "live");
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

/// One or two dead instances of three: no client sees an error.
#[tokio::test]
async fn two_of_three_instances_are_dead() {
    let recipe = Upstream::always(Reply::ok("recipe")).await;
    let nobody = Vacant::refusing();
    let (one, dead) = (recipe.endpoint(), nobody.endpoint());
    let stack = Stack::boot([&dead, &one, &dead], &one).await;
    for _ in 0..30 {
        let response = stack.send(RECIPE, Request::get("/")).await;
        assert_eq!((response.status, response.text()), (200, "recipe"));
    }
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
        let expected = format!("https://{host}/a/b?c=d");
        assert_eq!(response.header("location"), Some(&*expected));
    }
    assert_eq!(recipe.request_count(), 0);
}

/// `certbot renew`: new handshakes get the new certificate, and a connection that is open
/// stays.
#[tokio::test]
async fn a_renewed_certificate() {
    let recipe = Upstream::always(Reply::ok("recipe")).await;
    let one = recipe.endpoint();
    let stack = Stack::boot([&one, &one, &one], &one).await;
    let address = stack.gateway.address_of("https");
    let connect = async || {
        let client = TlsClient::trusting(&stack.authority);
        client.connect(address, RECIPE).await.unwrap()
    };
    let mut open = connect().await;
    let before = open.handshake().certificate.clone();
    renew(&stack.authority, stack.directory.path());
    stack.gateway.try_reload(&stack.example).await.unwrap();
    assert_ne!(connect().await.handshake().certificate, before);
    let response = open.exchange(&Request::get("/").host(RECIPE)).await;
    assert_eq!(response.status, 200);
}
