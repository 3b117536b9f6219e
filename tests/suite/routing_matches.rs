//! Which route a request gets by its query, and `janua routes`.

use janua_tests::{Gateway, Request, run};

const LISTENER: &str = "[listeners.public]\naddress = \"127.0.0.1:0\"\n";

#[tokio::test]
async fn routes_by_query() {
    let gateway = Gateway::start(format!(
        r#"{LISTENER}
[[sites]]
hosts = ["*"]
routes = [
  {{ query = {{ v = "2", "caf\u00e9 x" = {{ present = true }} }}, respond = {{ body = "both" }} }},
  {{ query = {{ v = "2" }}, headers = {{ x-canary = "1" }}, respond = {{ body = "canary 2" }} }},
  {{ query = {{ v = "2" }}, respond = {{ body = "two" }} }},
  {{ query = {{ v = "a b&c" }}, respond = {{ body = "decoded" }} }},
  {{ query = {{ v = {{ regex = "^[0-9]+$" }} }}, respond = {{ body = "number" }} }},
  {{ query = {{ v = {{ present = true }} }}, respond = {{ body = "present" }} }},
  {{ path = "/get", methods = ["GET"], query = {{ old = {{ absent = true }} }}, respond = {{ body = "new" }} }},
  {{ path = "/", query = {{ old = {{ present = true }} }}, respond = {{ body = "old" }} }},
  {{ path = {{ exact = "/plain" }}, respond = {{ body = "plain" }} }},
]
"#
    ))
    .await;
    for (target, name) in [
        ("/?v=2", "two"),
        ("/?v=2&caf%C3%A9+x", "both"),
        ("/?caf%c3%a9%20x=&v=%32", "both"),
        ("/?%76=2", "two"),
        // Of several parameters with one name the first counts.
        ("/?v=2&v=17", "two"),
        ("/?v=17&v=2", "number"),
        ("/?v=a+b%26c", "decoded"),
        ("/?v=", "present"),
        ("/?a=1&v", "present"),
        ("/?v=2%00", "present"),
        ("/?old=1", "old"),
        ("/get?x=1", "new"),
        ("/get", "new"),
        ("/get?old", "old"),
        ("/plain?v=2", "plain"),
    ] {
        let response = gateway.get(target).await;
        assert_eq!(response.text(), name, "{target}");
    }
    let canary = Request::get("/?v=2").header("X-Canary", "1");
    assert_eq!(gateway.send(canary).await.text(), "canary 2");
    // Names are case-sensitive, and a fragment of a path is not a query.
    for target in ["/?V=2", "/v=2", "/%3Fv=2"] {
        assert_eq!(gateway.get(target).await.status, 404, "{target}");
    }
    // Another method would do, but not if the query does not match either.
    assert_eq!(gateway.send(Request::post("/get", "")).await.status, 405);
    let refused = gateway.send(Request::post("/get?old=", "")).await;
    assert_eq!(refused.text(), "old");
}

/// Over HTTP/2 the query is a part of `:path`.
#[tokio::test]
async fn routes_by_query_over_http2() {
    let gateway = Gateway::start(
        "[listeners.public]\naddress = \"127.0.0.1:0\"\nhttp2 = true\n[[sites]]\nhosts = [\"*\"]\n\
         routes = [{ query = { v = \"2\" }, respond = { body = \"two\" } }, { respond = { body = \"plain\" } }]\n"
            .to_owned(),
    )
    .await;
    let mut wire = gateway.connect_http2().await;
    for (target, name) in [("/?v=2", "two"), ("/?v=3", "plain"), ("/", "plain")] {
        let response = wire.exchange(&Request::get(target)).await;
        assert_eq!(response.text(), name, "{target}");
    }
}

const TABLE: &str = r#"[listeners.public]
address = "127.0.0.1:0"

[upstreams.app]
endpoints = ["127.0.0.1:1"]

[policies.named]
component = "headers"
config = { response = { set = { X-A = "1" } } }

[[sites]]
hosts = ["*"]
routes = [{ respond = { status = 404 } }]

[[sites]]
hosts = ["*.shop.example"]
[[sites.routes]]
upstream = "app"

[[sites]]
hosts = ["*.eu.shop.example", "shop.example"]
name = "shop"
policies = ["named"]
[[sites.routes]]
path = "/"
upstream = "app"
rewrite = { prefix = "/v2" }
[[sites.routes]]
path = "/api"
methods = ["GET"]
headers = { x-key = "s3cret", x-any = { present = true } }
query = { v = { regex = "^s3cret$" } }
upstream = "app"
[[sites.routes]]
path = { exact = "/old" }
redirect = { prefix = "/", host = "new.example" }
[[sites.routes]]
path = "/"
methods = ["POST"]
respond = {}
[[sites.routes]]
path = { suffix = ".js" }
redirect = { to = "https://cdn.example{path}", status = 308 }
"#;

#[tokio::test]
async fn the_table_of_routes() {
    let folder = tempfile::tempdir().unwrap();
    let text = TABLE.replace(
        "redirect = { prefix = \"/\", host = \"new.example\" }",
        "redirect = { path = \"/new\", host = \"new.example\" }",
    );
    std::fs::write(folder.path().join("janua.toml"), &text).unwrap();
    let ran = run(folder.path(), &["routes", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains("s3cret"), "{}", ran.stdout);
    let table: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let sites = table["sites"].as_array().unwrap();
    let hosts: Vec<_> = sites.iter().map(|site| site["hosts"].clone()).collect();
    let expected = serde_json::json!([
        ["shop.example", "*.eu.shop.example"],
        ["*.shop.example"],
        ["*"],
    ]);
    assert_eq!(serde_json::json!(hosts), expected);
    let shop = sites[0]["routes"].as_array().unwrap();
    let paths: Vec<_> = shop.iter().map(|route| route["path"].as_str()).collect();
    let expected = [
        Some("= /old"),
        Some("*.js"),
        Some("/api"),
        Some("/"),
        Some("/"),
    ];
    assert_eq!(paths, expected);
    // Each place is the line of the route in the file.
    let line = |needle: &str| {
        let at = text.find(needle).unwrap();
        let header = text[..at].rfind("[[sites.routes]]").unwrap();
        format!("janua.toml:{}", text[..header].matches('\n').count() + 1)
    };
    assert_eq!(shop[2]["where"], line("path = \"/api\""));
    assert_eq!(shop[2]["conditions"].as_array().unwrap().len(), 3);
    assert_eq!(shop[2]["policies"], serde_json::json!(["named"]));
    assert_eq!(shop[4]["where"], line("methods = [\"POST\"]"));
    assert_eq!(shop[4]["shadowed_by"], line("rewrite"));
    for (place, kind, to) in [
        (0, "redirect", "302 host new.example, path /new"),
        (2, "upstream", "app"),
        (4, "respond", "200"),
    ] {
        let expected = serde_json::json!({ "kind": kind, "to": to });
        assert_eq!(shop[place]["target"], expected);
    }

    let ran = run(folder.path(), &["routes"]).await;
    let page = &ran.stdout;
    assert!(!page.contains("s3cret"), "{page}");
    for part in [
        "shop.example, *.eu.shop.example  (site shop)",
        "header x-any present, header x-key=***, query v~***",
        "upstream app, prefix /v2",
        "redirect 308 https://cdn.example{path}",
        "never reached: janua.toml:",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let ran = run(folder.path(), &["routes", "--show-values"]).await;
    assert!(ran.stdout.contains("header x-key=s3cret"), "{}", ran.stdout);
    assert!(ran.stdout.contains("query v~^s3cret$"), "{}", ran.stdout);

    // What `check` refuses has no table.
    std::fs::write(folder.path().join("janua.toml"), TABLE).unwrap();
    let ran = run(folder.path(), &["routes"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("which is no prefix"), "{}", ran.stderr);
}

/// Both lines of a route that is never reached because of another condition.
#[tokio::test]
async fn check_warns_of_routes_behind_wider_conditions() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{LISTENER}[[sites]]\nhosts = [\"*\"]\nroutes = [\n\
         {{ path = \"/a\", query = {{ v = {{ present = true }} }}, respond = {{}} }},\n\
         {{ path = \"/a\", query = {{ v = \"2\" }}, respond = {{}} }},\n\
         {{ path = \"/b\", headers = {{ x-a = {{ regex = \"^[0-9]\" }} }}, respond = {{}} }},\n\
         {{ path = \"/b\", headers = {{ x-a = \"1\" }}, respond = {{}} }},\n\
         {{ path = \"/\", respond = {{}} }},\n\
         {{ respond = {{}} }},\n]\n"
    );
    std::fs::write(folder.path().join("janua.toml"), &text).unwrap();
    let ran = run(folder.path(), &["check", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let warnings = report["warnings"].as_array().unwrap();
    let lines: Vec<_> = warnings.iter().map(|it| it["line"].as_u64()).collect();
    assert_eq!(lines, [Some(7), Some(9), Some(11)], "{report:#}");
    let ran = run(folder.path(), &["check"]).await;
    for other in ["janua.toml:6:", "janua.toml:8:", "janua.toml:10:"] {
        assert!(ran.stdout.contains(other), "{}", ran.stdout);
    }
}

/// An expression that does not compile is shown where it stands, and not where its route begins.
#[tokio::test]
async fn check_shows_a_bad_expression_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{LISTENER}[[sites]]\nhosts = [\"*\"]\n[[sites.routes]]\npath = \"/a\"\n\
         headers = {{ x-a = {{ regex = \"[\" }} }}\nquery = {{ v = {{ regex = \"(?=a)\" }} }}\n\
         respond = {{}}\n"
    );
    std::fs::write(folder.path().join("janua.toml"), &text).unwrap();
    let ran = run(folder.path(), &["check", "--json"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let errors = report["errors"].as_array().unwrap();
    let lines: Vec<_> = errors.iter().map(|it| it["line"].as_u64()).collect();
    assert_eq!(lines, [Some(7), Some(8)], "{report:#}");
}
