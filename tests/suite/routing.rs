//! Routing, and the responses that the gateway itself makes.

use janua_tests::{Gateway, Reply, Request, Upstream};

const LISTENER: &str = "[listeners.public]\naddress = \"127.0.0.1:0\"\n";

/// A route that responds with its own name.
fn says(path: &str, name: &str) -> String {
    format!("[[sites.routes]]\npath = {path}\nrespond = {{ body = \"{name}\" }}\n")
}

#[tokio::test]
async fn sites_by_host() {
    let hosts = [
        ("chitfund.deepteklabs.com", "exact"),
        ("*.dhanman.com", "below"),
        ("*.qa.dhanman.com", "below qa"),
        ("app.dhanman.com", "exact below"),
        ("*", "default"),
    ];
    let sites = hosts
        .map(|(host, name)| format!("[[sites]]\nhosts = [\"{host}\"]\n{}", says("\"/\"", name)));
    let gateway = Gateway::start(LISTENER.to_owned() + &sites.concat()).await;
    for (host, name) in [
        ("chitfund.deepteklabs.com", "exact"),
        ("ChitFund.DeepTekLabs.COM:8080", "exact"),
        ("chitfund.deepteklabs.com.", "exact"),
        ("x.chitfund.deepteklabs.com", "default"),
        ("app.dhanman.com", "exact below"),
        ("sales.dhanman.com", "below"),
        ("a.b.dhanman.com", "below"),
        ("app.qa.dhanman.com", "below qa"),
        ("dhanman.com", "default"),
        ("evildhanman.com", "default"),
        ("127.0.0.1", "default"),
        ("[::1]:80", "default"),
    ] {
        let response = gateway.send(Request::get("/").host(host)).await;
        assert_eq!(response.text(), name, "{host}");
    }
}

#[tokio::test]
async fn without_a_default_site_an_unknown_host_is_404() {
    let config = LISTENER.to_owned() + "headers = { x-default = \"yes\" }\n";
    let site = format!(
        "[[sites]]\nhosts = [\"a.example\"]\n{}",
        says("\"/in/\"", "in")
    );
    let gateway = Gateway::start(config + &site).await;
    let unknown = gateway.send(Request::get("/in/b").host("b.example")).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.proxy_error(), Some("destination_not_found"));
    assert_eq!(
        unknown.header("x-default"),
        Some("yes"),
        "the listener's fields apply"
    );
    let unrouted = gateway.get("/out").await;
    assert_eq!(unrouted.status, 404);
    assert_eq!(unrouted.header("x-default"), Some("yes"));
    let routed = gateway.get("/in/").await;
    assert_eq!((routed.text(), routed.header("x-default")), ("in", None));
    assert_eq!(gateway.log_line("/out").await["failure"], "no_route");
    assert_eq!(gateway.log_line("/in/b").await["failure"], "no_site");
}

/// Exact paths, expressions, suffixes and prefixes, and the order among them.
#[tokio::test]
async fn routes_by_path() {
    let routes = [
        ("\"/\"", "root"),
        ("\"/api\"", "api segment"),
        ("\"/api/\"", "below api"),
        ("\"/api/v1/tracking/ws\"", "ws"),
        ("\"/static/\"", "static"),
        ("\"/hangfire\"", "hangfire"),
        ("{ exact = \"/health\" }", "health"),
        ("{ prefix = \"/raw\" }", "raw"),
        ("{ suffix = [\".js\", \".css\", \".PNG\"] }", "asset"),
        ("{ regex = \"^/users/[0-9]+$\" }", "user"),
    ];
    let routes = routes.map(|(path, name)| says(path, name)).concat();
    let gateway = Gateway::start(format!("{LISTENER}[[sites]]\nhosts = [\"*\"]\n{routes}")).await;
    for (target, name) in [
        ("/", "root"),
        ("/anything/else", "root"),
        ("/api", "api segment"),
        ("/api/", "below api"),
        ("/api/x", "below api"),
        ("/apifoo", "root"),
        ("/api/v1/tracking/ws", "ws"),
        ("/api/v1/tracking/ws/1", "ws"),
        ("/api/v1/tracking/wsx", "below api"),
        ("/static/x", "static"),
        ("/static", "root"),
        ("/hangfire/jobs", "hangfire"),
        ("/health", "health"),
        ("/health/", "root"),
        ("/raw", "raw"),
        ("/rawfoo", "raw"),
        ("/main.js", "asset"),
        ("/static/main.JS", "asset"),
        ("/a/b.png", "asset"),
        ("/a.js/b", "root"),
        ("/main.js?x=.css", "asset"),
        ("/x?y=main.js", "root"),
        ("/users/42", "user"),
        ("/users/42/", "root"),
        ("/users/x", "root"),
        // The path that is matched is the normalised one.
        ("/x/../api/y", "below api"),
        ("//api//y", "below api"),
        ("/%61pi/y", "below api"),
        ("/main.%6as", "asset"),
        ("/API/y", "root"),
    ] {
        assert_eq!(gateway.get(target).await.text(), name, "{target}");
    }
}

/// Reads go to the replicas, writes to the primary.
#[tokio::test]
async fn routes_by_method() {
    let primary = Upstream::always(Reply::ok("primary")).await;
    let replica = Upstream::always(Reply::ok("replica")).await;
    let (primary_at, replica_at) = (primary.endpoint(), replica.endpoint());
    let gateway = Gateway::start(format!(
        r#"{LISTENER}
[upstreams]
primary = {{ endpoints = ["{primary_at}"] }}
replica = {{ endpoints = ["{replica_at}"] }}
[[sites]]
hosts = ["*"]
routes = [
  {{ path = "/", methods = ["GET"], upstream = "replica" }},
  {{ path = "/", upstream = "primary" }},
  {{ path = "/few", methods = ["GET", "PUT"], respond = {{ body = "few" }} }},
  {{ path = {{ exact = "/few/one" }}, methods = ["DELETE"], respond = {{ body = "one" }} }},
]
"#
    ))
    .await;
    for (method, name) in [
        ("GET", "replica"),
        ("POST", "primary"),
        ("PUT", "primary"),
        ("PURGE", "primary"),
        ("get", "primary"),
    ] {
        let response = gateway.send(Request::new(method, "/x")).await;
        assert_eq!(response.text(), name, "{method}");
    }
    gateway.send(Request::new("HEAD", "/x")).await;
    assert_eq!(replica.requests().last().unwrap().method, "HEAD");
    // Another route accepts the method that this one does not.
    assert_eq!(
        gateway.send(Request::new("DELETE", "/few/x")).await.text(),
        "primary"
    );
}

#[tokio::test]
async fn a_method_that_no_route_takes_is_405() {
    let gateway = Gateway::start(format!(
        r#"{LISTENER}
[[sites]]
hosts = ["*"]
routes = [
  {{ path = "/few", methods = ["GET", "PUT"], respond = {{ body = "few" }} }},
  {{ path = {{ exact = "/few/one" }}, methods = ["DELETE"], respond = {{ body = "one" }} }},
]
"#
    ))
    .await;
    let refused = gateway.send(Request::new("POST", "/few/one")).await;
    assert_eq!(refused.status, 405);
    assert_eq!(refused.proxy_error(), Some("http_request_denied"));
    let mut allowed: Vec<_> = refused.header("allow").unwrap().split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PUT"]);
    assert_eq!(
        gateway.send(Request::new("POST", "/none")).await.status,
        404
    );
    assert_eq!(
        gateway.log_line("/few/one").await["failure"],
        "method_not_allowed"
    );
}

#[tokio::test]
async fn routes_by_header() {
    let gateway = Gateway::start(format!(
        r#"{LISTENER}
[[sites]]
hosts = ["*"]
routes = [
  {{ headers = {{ x-canary = "1" }}, respond = {{ body = "canary" }} }},
  {{ headers = {{ x-canary = {{ regex = "^[0-9]+$" }} }}, respond = {{ body = "number" }} }},
  {{ headers = {{ x-canary = {{ present = true }} }}, respond = {{ body = "present" }} }},
  {{ respond = {{ body = "plain" }} }},
]
"#
    ))
    .await;
    for (value, name) in [
        (Some("1"), "canary"),
        (Some("17"), "number"),
        (Some("x"), "present"),
        (None, "plain"),
    ] {
        let request = Request::get("/");
        let request = value
            .iter()
            .fold(request, |request, value| request.header("X-CANARY", value));
        assert_eq!(gateway.send(request).await.text(), name, "{value:?}");
    }
}

/// Redirects to another host, to https, and to another path.
#[tokio::test]
async fn redirects() {
    let gateway = Gateway::start(format!(
        r#"{LISTENER}
[[sites]]
hosts = ["www.first.example", "first.example"]
[[sites.routes]]
redirect = {{ to = "https://first.example{{path}}{{query}}", code = 301 }}

[[sites]]
hosts = ["*.own.example"]
[[sites.routes]]
redirect = {{ to = "https://{{host}}{{path}}{{query}}", code = 308 }}

[[sites]]
hosts = ["*"]
[[sites.routes]]
redirect = {{ to = "{{scheme}}://elsewhere.example/" }}
"#
    ))
    .await;
    for (host, target, status, location) in [
        (
            "www.first.example",
            "/a?b=c",
            301,
            "https://first.example/a?b=c",
        ),
        ("first.example", "/", 301, "https://first.example/"),
        (
            "x.own.example:8080",
            "/a%20b?c",
            308,
            "https://x.own.example/a%20b?c",
        ),
        ("X.Own.Example", "//a/../b", 308, "https://x.own.example/b"),
        ("other.example", "/a?b", 302, "http://elsewhere.example/"),
    ] {
        let response = gateway.send(Request::get(target).host(host)).await;
        assert_eq!(
            (response.status, response.header("location")),
            (status, Some(location))
        );
        assert_eq!(response.body, b"");
    }
    // The connection can be used again, even after a body that nothing read.
    let mut wire = gateway.connect().await;
    for _ in 0..2 {
        let response = wire
            .exchange(&Request::post("/x", "ignored").host("first.example"))
            .await;
        assert_eq!(response.header("location"), Some("https://first.example/x"));
    }
}

/// Without a host, a redirect must not lead to `https:///a`.
#[tokio::test]
async fn a_redirect_to_the_host_of_a_request_without_one_is_400() {
    let gateway = Gateway::start(format!(
        "{LISTENER}[[sites]]\nhosts = [\"*\"]\n[[sites.routes]]\npath = \"/here\"\n\
         redirect = {{ to = \"/there\" }}\n[[sites.routes]]\n\
         redirect = {{ to = \"https://{{host}}{{path}}\" }}\n"
    ))
    .await;
    for (head, status, location) in [
        ("GET /a HTTP/1.0\r\n\r\n", 400, None),
        ("GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400, None),
        ("GET /here HTTP/1.0\r\n\r\n", 302, Some("/there")),
        (
            "GET /b HTTP/1.0\r\nHost: a.example\r\n\r\n",
            302,
            Some("https://a.example/b"),
        ),
    ] {
        let mut wire = gateway.connect().await;
        wire.send(head).await;
        let response = wire.receive("GET").await;
        assert_eq!(response.status, status, "{head}");
        assert_eq!(response.header("location"), location, "{head}");
    }
    // The order of the workers' lines is undefined; only refused requests have
    // this path.
    let line = gateway.log_line("/a").await;
    assert_eq!(line["status"], 400, "{line}");
    assert!(line.to_string().contains("names no host"), "{line}");
}

/// A target such as `//evil.example` must not become another site's URL.
#[tokio::test]
async fn a_redirect_to_a_path_stays_here() {
    let gateway = Gateway::start(format!(
        "{LISTENER}[[sites]]\nhosts = [\"*\"]\n[[sites.routes]]\n\
         redirect = {{ to = \"{{path}}{{query}}\" }}\n"
    ))
    .await;
    for target in [
        "//evil.example/",
        "/%2f/evil.example",
        "/\\evil.example",
        "/.//evil.example",
    ] {
        let response = gateway.get(target).await;
        let location = response.header("location").unwrap();
        assert!(
            location.starts_with('/') && !location.starts_with("//"),
            "{target}: {location}"
        );
        assert!(!location.contains('\\'), "{target}: {location}");
    }
}

#[tokio::test]
async fn answers_of_the_configuration() {
    let gateway = Gateway::start(format!(
        r#"{LISTENER}
[[sites]]
hosts = ["*"]
routes = [
  {{ path = {{ exact = "/health" }}, respond = {{ status = 200, body = "ok\n", headers = {{ content-type = "text/plain", x-a = "b" }} }} }},
  {{ path = "/gone", respond = {{ status = 410 }} }},
  {{ path = "/none", respond = {{ status = 204 }} }},
]
"#
    ))
    .await;
    let mut wire = gateway.connect().await;
    let health = wire.exchange(&Request::get("/health")).await;
    assert_eq!(
        (health.status, health.text(), health.header("x-a")),
        (200, "ok\n", Some("b"))
    );
    assert_eq!(health.header("content-type"), Some("text/plain"));
    let head = wire.exchange(&Request::new("HEAD", "/health")).await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("3"))
    );
    let gone = wire.exchange(&Request::get("/gone/x")).await;
    assert_eq!(
        (gone.status, gone.reason.as_str(), gone.text()),
        (410, "Gone", "")
    );
    assert_eq!(wire.exchange(&Request::get("/none")).await.status, 204);
    assert_eq!(wire.exchange(&Request::get("/health")).await.text(), "ok\n");
}

#[tokio::test]
async fn sites_of_a_listener() {
    let gateway = Gateway::start(
        r#"
[listeners.one]
address = "127.0.0.1:0"
[listeners.two]
address = ["127.0.0.1:0", "[::1]:0"]

[[sites]]
hosts = ["*"]
listeners = ["one"]
routes = [{ respond = { body = "one" } }]

[[sites]]
hosts = ["*"]
listeners = ["two"]
routes = [{ respond = { body = "two" } }]
"#,
    )
    .await;
    for name in ["one", "two"] {
        let mut wire = janua_tests::Wire::connect(gateway.address_of(name)).await;
        assert_eq!(wire.exchange(&Request::get("/")).await.text(), name);
    }
}

/// nginx redirects `/api` if a location `/api/` proxies.
#[tokio::test]
async fn a_bare_path_is_sent_to_the_one_with_its_slash() {
    let upstream = Upstream::echo().await;
    let endpoint = upstream.endpoint();
    let gateway = Gateway::start(format!(
        r#"
[listeners.public]
address = "127.0.0.1:0"
trusted_proxies = ["127.0.0.0/8"]

[upstreams.app]
endpoints = ["{endpoint}"]

[[sites]]
hosts = ["*"]
routes = [
  {{ path = "/api/", bare = "redirect", strip_prefix = "/api", upstream = "app" }},
  {{ path = "/plain/", upstream = "app" }},
  {{ path = "/taken/", bare = "redirect", upstream = "app" }},
  {{ path = {{ exact = "/taken" }}, respond = {{ body = "taken" }} }},
  {{ path = "/read/", bare = "redirect", methods = ["GET"], upstream = "app" }},
]
"#
    ))
    .await;
    for (request, location) in [
        (Request::get("/api"), "/api/"),
        (Request::get("/api?a=1&b=/%20"), "/api/?a=1&b=/%20"),
        (Request::get("//x/..//%61pi?"), "/api/?"),
        (Request::new("HEAD", "/api"), "/api/"),
        (Request::post("/api", "body"), "/api/"),
        // The URL is relative, so that it is correct behind a proxy that
        // terminates TLS.
        (
            Request::get("/api")
                .host("shop.example:8443")
                .header("X-Forwarded-Proto", "https"),
            "/api/",
        ),
        (Request::get("/read"), "/read/"),
    ] {
        let response = gateway.send(request.clone()).await;
        assert_eq!(response.status, 301, "{request:?}");
        assert_eq!(response.header("location"), Some(location), "{request:?}");
    }
    assert_eq!(upstream.request_count(), 0);
    assert_eq!(gateway.get("/api/x").await.json()["target"], "/x");
    assert_eq!(gateway.get("/plain").await.status, 404);
    assert_eq!(gateway.get("/apix").await.status, 404);
    assert_eq!(gateway.get("/taken").await.text(), "taken");
    let refused = gateway.send(Request::post("/read", "x")).await;
    assert_eq!(refused.status, 405);
}

/// The text between two lines.
fn between<'a>(page: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(begin).expect(begin);
    rest.split_once(end).expect(end).0
}

/// The gateway behaves as docs/routing.md describes for its example, and prints
/// the documented warning.
#[tokio::test]
async fn the_documented_order() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/routing.md");
    let page = std::fs::read_to_string(page).unwrap();
    let sites = between(&page, "```toml\n", "```");
    let config = format!("{LISTENER}\n{sites}");
    let gateway = Gateway::start(&config).await;
    let mut rows = 0;
    let methods = ["| `GET ", "| `HEAD ", "| `POST "];
    let is_request = |line: &&str| methods.iter().any(|method| line.starts_with(method));
    for line in page.lines().filter(is_request) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let mut words = cells[1].trim_matches('`').splitn(3, ' ');
        let (method, address) = (words.next().unwrap(), words.next().unwrap());
        let (host, _) = address.split_once('/').unwrap();
        let mut request = Request::new(method, &address[host.len()..]).host(host);
        if let Some((name, value)) = words.next().and_then(|field| field.split_once(": ")) {
            request = request.header(name, value);
        }
        let response = gateway.send(request).await;
        let (status, body) = match cells[2].parse() {
            Ok(status) => (status, None),
            Err(_) => (200, Some(cells[2])),
        };
        assert_eq!(response.status, status, "{line}");
        match body {
            Some(body) if method == "HEAD" => {
                let length = body.len().to_string();
                assert_eq!(response.header("content-length"), Some(&*length), "{line}");
            }
            Some(body) => assert_eq!(response.text(), body, "{line}"),
            None => {}
        }
        rows += 1;
    }
    assert!(rows > 20, "{rows} rows");
    // The output of `check` is in the page word for word.
    std::fs::write(gateway.directory().join("other.toml"), &config).unwrap();
    let check = ["check", "--config", "other.toml"];
    let ran = janua_tests::run(gateway.directory(), &check).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let warning = between(&page, "```console\n", "```").replace("janua.toml", "other.toml");
    let warning = warning.trim_end();
    assert!(ran.stdout.contains(warning), "{}\n{warning}", ran.stdout);
    assert_eq!(ran.stdout.matches("warning:").count(), 1, "{}", ran.stdout);
    // The log and the status have the warning on one line, with both positions.
    let line = |file: &str| {
        format!(
            "{file}:10:12: no request reaches this route; of routes with one path the first in \
             the file is tried first: move it up, or leave it out ({file}:8:12: this one takes \
             all of its requests)"
        )
    };
    gateway.says(&line("janua.toml")).await;
    let status = gateway.status().await;
    assert_eq!(status["warnings"][0], line("janua.toml"), "{status:#}");
    let mut gateway = gateway;
    let summary = gateway.reload(&config).await;
    assert_eq!(summary["warnings"][0], line("janua.toml"), "{summary:#}");
}
