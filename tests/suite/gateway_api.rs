//! What the `HTTPRoute` of the Kubernetes Gateway API can say, one feature after the other, by the
//! names of its list (`pkg/features/httproute.go`). Where Janua differs on purpose is in
//! docs/routing.md.

use std::collections::BTreeMap;
use std::time::Duration;

use janua_tests::{
    Gateway, Http2Upstream, Proxy, Reply, Request, Settings, Upstream, Visit, Wire,
    assert_eventually,
};

use crate::upstreams_balance::named;
use crate::websocket::{ACCEPT, upgrade};

const LISTENER: &str = "[listeners.public]\naddress = \"127.0.0.1:0\"\n";

/// A site of these hosts whose routes answer with their names.
fn site(hosts: &str, routes: &[(&str, &str)]) -> String {
    let route = |(matches, name): &(&str, &str)| {
        format!("[[sites.routes]]\n{matches}\nrespond = {{ body = \"{name}\" }}\n")
    };
    let routes: String = routes.iter().map(route).collect();
    format!("[[sites]]\nhosts = {hosts}\n{routes}")
}

/// The name of the route that answers, or the status if none does.
async fn route(gateway: &Gateway, request: &Request) -> String {
    let response = gateway.send(request.clone()).await;
    match response.status {
        200 => response.text().to_owned(),
        status => status.to_string(),
    }
}

/// `HTTPRoute`: hosts with their precedence.
#[tokio::test]
async fn hostnames() {
    let names = ["exact, two", "wildcard", "longer wildcard"];
    let [exact, wildcard, longer] = names.map(|name| [("", name)]);
    let gateway = Gateway::start(
        [
            LISTENER,
            &site("[\"*.shop.example\"]", &wildcard),
            &site("[\"first.shop.example\", \"second.example\"]", &exact),
            &site("[\"*.eu.shop.example\"]", &longer),
        ]
        .concat(),
    )
    .await;
    for (host, expected) in [
        ("first.shop.example", "exact, two"),
        ("second.example", "exact, two"),
        ("SECOND.example:8080", "exact, two"),
        ("other.shop.example", "wildcard"),
        ("two.labels.shop.example", "wildcard"),
        ("a.eu.shop.example", "longer wildcard"),
        ("eu.shop.example", "wildcard"),
        ("shop.example", "404"),
        ("otherfirst.shop.example.org", "404"),
        ("second.example.org", "404"),
    ] {
        let request = Request::get("/").host(host);
        assert_eq!(route(&gateway, &request).await, expected, "{host}");
    }
}

/// `HTTPRouteParentRefPort`, `HTTPRouteDestinationPortMatching`: routes of one listener only.
#[tokio::test]
async fn routes_of_one_port() {
    let site = |listener: &str, name: &str| {
        site("[\"*\"]", &[("", name)]).replacen(
            "[[sites.routes]]",
            &format!("listeners = [\"{listener}\"]\n[[sites.routes]]"),
            1,
        )
    };
    let one = site("one", "of one");
    let two = site("two", "of two");
    let listeners = "[listeners.one]\naddress = \"127.0.0.1:0\"\n\
                     [listeners.two]\naddress = \"127.0.0.1:0\"\n";
    let gateway = Gateway::start(format!("{listeners}{one}{two}")).await;
    for listener in ["one", "two"] {
        let mut wire = Wire::connect(gateway.address_of(listener)).await;
        let response = wire.exchange(&Request::get("/")).await;
        assert_eq!(response.text(), format!("of {listener}"));
    }
}

/// `HTTPRoute`, `HTTPRouteMethodMatching`, `HTTPRouteQueryParamMatching`: matches, and which of
/// several counts.
#[tokio::test]
async fn matches_and_their_precedence() {
    let routes = [
        // An exact path comes before all prefixes, and the longest of these first.
        ("path = \"/\"", "root"),
        ("path = \"/shop\"", "shop"),
        ("path = \"/shop/cart\"", "cart"),
        ("path = { exact = \"/shop/cart\" }", "the cart itself"),
        // With one path: the method, then the number of header fields, then that of parameters.
        ("path = \"/m\"\nmethods = [\"PATCH\"]", "method"),
        (
            "path = \"/m\"\nheaders = { x-a = \"1\", x-b = \"2\" }",
            "two fields",
        ),
        ("path = \"/m\"\nheaders = { x-a = \"1\" }", "one field"),
        (
            "path = \"/m\"\nquery = { v = \"1\", w = \"2\" }",
            "two parameters",
        ),
        ("path = \"/m\"\nquery = { v = \"1\" }", "one parameter"),
        ("path = \"/m\"", "path alone"),
        // Conditions of one route must all hold.
        (
            "path = \"/all\"\nmethods = [\"PUT\"]\nheaders = { x-a = \"1\" }\nquery = { v = \"1\" }",
            "all of them",
        ),
        (
            "path = \"/re\"\nheaders = { x-a = { regex = \"^v[0-9]+$\" } }",
            "field expression",
        ),
        (
            "path = \"/re\"\nquery = { v = { regex = \"^v[0-9]+$\" } }",
            "parameter expression",
        ),
        ("path = { regex = \"^/item/[0-9]+$\" }", "path expression"),
        ("path = { exact = \"/only\" }\nmethods = [\"GET\"]", "reads"),
    ];
    let gateway = Gateway::start(format!("{LISTENER}{}", site("[\"*\"]", &routes))).await;
    let get = Request::get;
    for (request, expected) in [
        (get("/"), "root"),
        (get("/shop"), "shop"),
        (get("/shop/"), "shop"),
        (get("/shop/x"), "shop"),
        (get("/shopping"), "root"),
        (get("/Shop"), "root"),
        (get("/shop/cart"), "the cart itself"),
        (get("/shop/cart/"), "cart"),
        (get("/shop/cart/1"), "cart"),
        (get("/shop/cart?x"), "the cart itself"),
        (Request::new("PATCH", "/m"), "method"),
        (
            Request::new("PATCH", "/m")
                .header("X-A", "1")
                .header("X-B", "2"),
            "method",
        ),
        (
            get("/m?v=1&w=2").header("X-A", "1").header("X-B", "2"),
            "two fields",
        ),
        (get("/m?v=1&w=2").header("x-a", "1"), "one field"),
        (get("/m?w=2&v=1"), "two parameters"),
        (get("/m?v=1&w=3"), "one parameter"),
        (get("/m?v=1&v=2"), "one parameter"),
        (get("/m?V=1"), "path alone"),
        (get("/m?v=11").header("X-A", "one"), "path alone"),
        (
            Request::new("PUT", "/all?v=1").header("X-A", "1"),
            "all of them",
        ),
        (Request::new("PUT", "/all?v=1"), "root"),
        (Request::new("PUT", "/all").header("X-A", "1"), "root"),
        (get("/all?v=1").header("X-A", "1"), "root"),
        (get("/re").header("X-A", "v17"), "field expression"),
        (get("/re").header("X-A", "v"), "root"),
        (get("/re?v=v17"), "parameter expression"),
        (get("/re?v=17"), "root"),
        (get("/item/17"), "path expression"),
        (get("/item/17/x"), "root"),
        (get("/only"), "reads"),
        (Request::new("DELETE", "/only"), "root"),
    ] {
        assert_eq!(route(&gateway, &request).await, expected, "{request:?}");
    }
}

/// `HTTPRoute`, `HTTPRouteSchemeRedirect`, `HTTPRoutePortRedirect`, `HTTPRoutePathRedirect`,
/// `HTTPRoute303RedirectStatusCode`, and the same for 307 and 308.
#[tokio::test]
async fn redirects() {
    let routes = [
        ("/host", "host = \"b.example\""),
        ("/status", "host = \"b.example\", status = 301"),
        ("/see", "host = \"b.example\", status = 303"),
        ("/kept", "host = \"b.example\", status = 307"),
        ("/moved", "host = \"b.example\", status = 308"),
        ("/scheme", "scheme = \"https\""),
        ("/port", "port = 8083"),
        ("/both", "scheme = \"https\", port = 8443"),
        ("/full", "path = \"/elsewhere\""),
        ("/prefix", "prefix = \"/replaced\""),
        ("/cut", "prefix = \"/\""),
        (
            "/everything",
            "scheme = \"https\", host = \"b.example\", port = 8443, prefix = \"/v2\", status = 301",
        ),
    ];
    let routes = routes.map(|(path, redirect)| {
        format!("[[sites.routes]]\npath = \"{path}\"\nredirect = {{ {redirect} }}\n")
    });
    let routes = routes.concat();
    let gateway = Gateway::start(format!("{LISTENER}[[sites]]\nhosts = [\"*\"]\n{routes}")).await;
    for (target, status, location) in [
        ("/host/x?y", 302, "http://b.example/host/x?y"),
        ("/status", 301, "http://b.example/status"),
        ("/see", 303, "http://b.example/see"),
        ("/kept", 307, "http://b.example/kept"),
        ("/moved", 308, "http://b.example/moved"),
        ("/scheme", 302, "https://a.example/scheme"),
        ("/port", 302, "http://a.example:8083/port"),
        ("/both", 302, "https://a.example:8443/both"),
        ("/full/x?y", 302, "/elsewhere?y"),
        ("/prefix/x?y", 302, "/replaced/x?y"),
        ("/prefix", 302, "/replaced"),
        ("/prefix/", 302, "/replaced/"),
        ("/cut/x", 302, "/x"),
        ("/cut", 302, "/"),
        ("/everything/x", 301, "https://b.example:8443/v2/x"),
    ] {
        let response = gateway.get(target).await;
        let found = (response.status, response.header("location"));
        assert_eq!(found, (status, Some(location)), "{target}");
    }
}

/// `HTTPRoutePathRewrite`, `HTTPRouteHostRewrite`.
#[tokio::test]
async fn rewrites() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint())
        .route("path = \"/prefix\"\nrewrite = { prefix = \"/replaced\" }")
        .also("/cut", "rewrite = { prefix = \"/\" }")
        .also("/full", "rewrite = { path = \"/one/place\" }")
        .also("/host", "rewrite = { host = \"b.example\" }")
        .also(
            "/both",
            "rewrite = { host = \"b.example\", prefix = \"/v2\" }",
        );
    let gateway = Gateway::start(config).await;
    for (target, path, host) in [
        ("/prefix/x?y", "/replaced/x?y", "a.example"),
        ("/prefix", "/replaced", "a.example"),
        ("/prefix/", "/replaced/", "a.example"),
        ("/cut/x", "/x", "a.example"),
        ("/cut", "/", "a.example"),
        ("/full/x?y", "/one/place?y", "a.example"),
        ("/host/x", "/host/x", "b.example"),
        ("/both/x", "/v2/x", "b.example"),
    ] {
        let seen = gateway.get(target).await.json();
        assert_eq!(seen["target"], path, "{target}");
        assert_eq!(seen["headers"]["host"], host, "{target}");
    }
}

/// `HTTPRoute` (`RequestHeaderModifier`), `HTTPRouteResponseHeaderModification`,
/// `HTTPRouteBackendRequestHeaderModification`.
#[tokio::test]
async fn header_modifiers() {
    let reply = Reply::ok("app").header("X-Set", "upstream");
    let reply = reply
        .header("X-Add", "upstream")
        .header("X-Remove", "upstream");
    let upstream = Upstream::always(reply).await;
    let edits = |of: &str| {
        format!(
            "request_headers = {{ set = {{ x-set = \"{of}\" }}, add = {{ x-add = \"{of}\" }}, \
             remove = [\"x-remove\"] }}"
        )
    };
    let member = format!("{{ upstream = \"app\", {} }}", edits("member"));
    let response = edits("route").replace("request_headers", "response_headers");
    let config = Proxy::to(upstream.endpoint())
        .route(&format!(
            "path = \"/route\"\n{}\n{response}",
            edits("route")
        ))
        .also(
            "/member",
            &format!("upstream = {{ split = [{member}] }}\n{}", edits("route")),
        );
    let gateway = Gateway::start(config).await;
    let request = |target: &str| {
        let request = Request::get(target).header("X-Set", "client");
        request
            .header("X-Add", "client")
            .header("X-Remove", "client")
    };
    let values = |fields: &[(String, String)]| {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in fields {
            let name = name.to_ascii_lowercase();
            if ["x-set", "x-add", "x-remove"].contains(&&*name) {
                values.entry(name).or_default().push(value.clone());
            }
        }
        values
    };
    let expected = |set: &str, add: &[&str]| {
        let add = add.iter().map(|&value| value.to_owned()).collect();
        BTreeMap::from([
            ("x-add".to_owned(), add),
            ("x-set".to_owned(), vec![set.to_owned()]),
        ])
    };
    let response = gateway.send(request("/route")).await;
    let sent = values(&upstream.requests()[0].fields);
    assert_eq!(sent, expected("route", &["client", "route"]));
    let got = values(&response.fields);
    assert_eq!(got, expected("route", &["upstream", "route"]));
    // Those of a backend come after those of the route.
    gateway.send(request("/member")).await;
    let sent = values(&upstream.requests()[1].fields);
    assert_eq!(sent, expected("member", &["client", "route", "member"]));
}

/// `HTTPRoute`: weights of backends, of which one has none at all.
#[tokio::test]
async fn weights() {
    let backends = [named("app").await, named("v2").await, named("v3").await];
    let [app, v2, v3] = backends.each_ref().map(Upstream::endpoint);
    let split = "upstream = { split = [{ upstream = \"app\", weight = 70 }, \
                 { upstream = \"v2\", weight = 30 }, { upstream = \"v3\", weight = 0 }] }";
    let config = Proxy::to(app)
        .beside("v2", &v2)
        .beside("v3", &v3)
        .route("path = \"/unused\"")
        .also("/", split);
    let gateway = Settings::new().workers(4).start(config).await;
    let mut shares: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..10 {
        let mut wire = gateway.connect().await;
        for _ in 0..50 {
            let response = wire.exchange(&Request::get("/")).await;
            *shares.entry(response.text().to_owned()).or_default() += 1;
        }
    }
    // Six standard deviations around 150 of 500.
    assert!((88..=212).contains(&shares["v2"]), "{shares:?}");
    assert_eq!(shares["app"] + shares["v2"], 500, "{shares:?}");
}

/// `HTTPRouteRequestMirror`, `HTTPRouteRequestMultipleMirrors`,
/// `HTTPRouteRequestPercentageMirror`.
#[tokio::test]
async fn mirrors() {
    let app = named("app").await;
    let shadows = [named("x").await, named("x").await, named("x").await];
    let [one, two, never] = shadows.each_ref().map(Upstream::endpoint);
    let config = Proxy::to(app.endpoint())
        .beside("one", &one)
        .beside("two", &two)
        .beside("never", &never)
        .route(
            "mirror = [\"one\", { upstream = \"two\", percent = 100 }, \
             { upstream = \"never\", percent = 0 }]",
        );
    let gateway = Gateway::start(config).await;
    let response = gateway.send(Request::post("/x?y", "body")).await;
    assert_eq!(response.text(), "app");
    assert_eventually!(shadows[0].request_count() == 1 && shadows[1].request_count() == 1);
    for shadow in &shadows[..2] {
        let copy = shadow.only_request();
        let seen = (&*copy.method, &*copy.target, copy.text());
        assert_eq!(seen, ("POST", "/x?y", "body"));
    }
    assert_eq!(shadows[2].connections(), 0);
}

/// `HTTPRouteRequestTimeout`, `HTTPRouteBackendTimeout`.
#[tokio::test]
async fn timeouts() {
    let silent = Upstream::silent().await;
    let config = Proxy::to(silent.endpoint())
        .route("path = \"/request\"\nrequest_timeout = \"500ms\"")
        .also("/backend", "upstream_timeout = \"500ms\"\nretries = 0");
    let gateway = Gateway::start(config).await;
    for target in ["/request", "/backend"] {
        let begin = std::time::Instant::now();
        assert_eq!(gateway.get(target).await.status, 504, "{target}");
        assert!(begin.elapsed() >= Duration::from_millis(500), "{target}");
    }
    // In time it makes no difference.
    let app = named("app").await;
    let config =
        Proxy::to(app.endpoint()).route("request_timeout = \"60s\"\nupstream_timeout = \"60s\"");
    let gateway = Gateway::start(config).await;
    assert_eq!(gateway.get("/").await.text(), "app");
}

/// `HTTPRouteBackendProtocolH2C`, `HTTPRouteBackendProtocolWebSocket`.
#[tokio::test]
async fn protocols_of_backends() {
    let upstream = Http2Upstream::http(async |_| Reply::ok("h2c")).await;
    let config = Proxy::to(upstream.endpoint()).upstream("http = \"2\"");
    let gateway = Gateway::start(config).await;
    assert_eq!(gateway.get("/").await.text(), "h2c");

    let upstream = Upstream::raw(|mut visit: Visit| async move {
        if visit.request().await.is_ok() {
            visit.wire.send(ACCEPT).await;
            visit.wire.echo().await;
        }
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send(upgrade("/").to_bytes()).await;
    assert_eq!(wire.receive_head("GET").await.unwrap().status, 101);
    wire.send("hello").await;
    assert_eq!(wire.take(5).await.unwrap(), b"hello");
}

/// `HTTPRouteNamedRouteRule`: the name of a rule tells its requests apart.
#[tokio::test]
async fn named_rules() {
    let app = named("app").await;
    let config = Proxy::to(app.endpoint()).route("path = \"/named\"\nname = \"my-rule\"");
    let gateway = Gateway::start(config).await;
    assert_eq!(gateway.get("/named").await.text(), "app");
    assert_eq!(gateway.log_line("/named").await["route"], "my-rule");
    let labels = [("route", "my-rule")];
    assert_eventually!(gateway.metric("janua_requests_total", &labels).await == 1.0);
}
