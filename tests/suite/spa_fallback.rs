//! The bundled policy `spa-fallback`: a navigation to a missing path gets the
//! application's index.

use janua_tests::{Gateway, Request};

use crate::files::{Disk, values};
use crate::stacks::PAGE;

pub(crate) const INDEX: &str = "<!doctype html><p>the index";
pub(crate) const POLICY: &str = r#"
[policies.spa]
component = "spa-fallback"
config = { exclude = ["/api/*", "/healthz"] }
"#;
const ROUTE: &str = "policies = [\"spa\"]\nfiles = \"{root}\"";

/// Adds the fields of a navigation to a request.
type Fields = &'static [(&'static str, &'static str)];

fn disk() -> Disk {
    Disk::with(&[
        ("index.html", INDEX),
        ("about.html", "<p>about"),
        ("docs/index.html", "<p>the documents"),
        ("assets/app-1a2b.js", "let a"),
    ])
}

#[tokio::test]
async fn navigations_get_the_index_and_assets_do_not() {
    let disk = disk();
    let gateway = Gateway::start(disk.config(POLICY, ROUTE)).await;
    const NAVIGATE: (&str, &str) = ("Sec-Fetch-Mode", "navigate");
    const TAKES: (&str, &str) = ("Accept", PAGE);
    let cases: [(&str, Fields, bool); 16] = [
        ("/orders/7", &[TAKES], true),
        ("/orders/7", &[TAKES, NAVIGATE], true),
        ("/orders/7?tab=lines&x=%2F", &[TAKES, NAVIGATE], true),
        ("/orders/", &[TAKES], true),
        ("/docs/unknown", &[TAKES], true),
        ("/orders/7", &[], true),
        ("/a%20b/%C3%A9", &[TAKES], true),
        ("/apiary", &[TAKES], true),
        ("/orders/7", &[("Accept", "application/json")], false),
        (
            "/orders/7",
            &[("Accept", "*/*"), ("Sec-Fetch-Mode", "cors")],
            false,
        ),
        ("/assets/gone-9f8e.js", &[TAKES], false),
        ("/assets/gone-9f8e.js", &[TAKES, NAVIGATE], false),
        ("/favicon.ICO", &[TAKES], false),
        ("/api/orders", &[TAKES, NAVIGATE], false),
        ("/healthz", &[TAKES], false),
        ("/x/../api/orders", &[TAKES], false),
    ];
    for (target, fields, is_index) in cases {
        let request = fields
            .iter()
            .fold(Request::get(target), |r, (n, v)| r.header(n, v));
        let response = gateway.send(request).await;
        let case = format!("{target} {fields:?}");
        let got = values(&response, ["content-type", "cache-control"]);
        if is_index {
            assert_eq!((response.status, response.text()), (200, INDEX), "{case}");
            assert_eq!(got, ["text/html; charset=utf-8", "no-cache"], "{case}");
        } else {
            assert_eq!(response.status, 404, "{case}");
            assert!(!response.text().contains("index"), "{case}");
        }
    }
    // A path used only here, because the order of the workers' log lines is
    // undefined.
    let (name, value) = TAKES;
    let request = Request::get("/only/here").header(name, value);
    assert_eq!(gateway.send(request).await.status, 200);
    let line = gateway.log_line("/only/here").await;
    assert_eq!(
        (&line["answered_by"], &line["status"]),
        (&"files".into(), &200.into())
    );
    assert!(
        line["annotations"].to_string().contains("spa-fallback"),
        "{line}"
    );
}

/// Existing files are served unchanged. A page is revalidated like the index,
/// and what a page loads is not.
#[tokio::test]
async fn the_index_by_its_own_name_is_revalidated() {
    let disk = disk();
    let gateway = Gateway::start(disk.config(POLICY, ROUTE)).await;
    for (target, cache_control) in [
        ("/", "no-cache"),
        ("/index.html", "no-cache"),
        ("/index.html?v=2", "no-cache"),
        ("/docs/", "no-cache"),
        ("/about.html", "no-cache"),
        ("/assets/app-1a2b.js", ""),
    ] {
        for method in ["GET", "HEAD"] {
            let response = gateway.send(Request::new(method, target)).await;
            assert_eq!(response.status, 200, "{target}");
            assert_eq!(
                values(&response, ["cache-control"]),
                [cache_control],
                "{target}"
            );
        }
    }
    let redirect = gateway.get("/docs").await;
    assert_eq!(
        values(&redirect, ["location", "cache-control"]),
        ["/docs/", ""]
    );

    // This can be turned off, and a rule can override it.
    let quiet = "[policies.spa]\ncomponent = \"spa-fallback\"\nconfig = { pages = false }\n";
    let gateway = Gateway::start(disk.config(quiet, ROUTE)).await;
    assert_eq!(gateway.get("/").await.header("cache-control"), None);
    assert_eq!(
        gateway.get("/deep").await.header("cache-control"),
        Some("no-cache")
    );
    let rules = "[policies.rules]\ncomponent = \"cache-rules\"\n\
                 config.rules = [{ browser = \"max-age=5\" }]\n";
    for order in ["\"rules\", \"spa\"", "\"spa\", \"rules\""] {
        let lines = format!("policies = [{order}]\nfiles = \"{{root}}\"");
        let config = disk.config(&format!("{POLICY}{rules}"), &lines);
        let gateway = Gateway::start(config).await;
        let said = gateway.get("/").await;
        assert_eq!(said.header("cache-control"), Some("max-age=5"), "{order}");
    }
}

#[tokio::test]
async fn the_index_is_a_file_like_others() {
    let disk = disk();
    disk.write("index.html.br", "the sibling");
    let lines = "policies = [\"spa\"]\nfiles = { root = \"{root}\", precompressed = [\"br\"] }";
    let gateway = Gateway::start(disk.config(POLICY, lines)).await;
    let deep = gateway.get("/orders/7").await;
    let index = gateway.get("/index.html").await;
    let names = [
        "etag",
        "last-modified",
        "content-length",
        "cache-control",
        "vary",
    ];
    assert_eq!(values(&deep, names), values(&index, names));
    let tag = deep.header("etag").unwrap();
    let again = gateway
        .send(Request::get("/orders/8").header("If-None-Match", tag))
        .await;
    assert_eq!(
        (again.status, again.header("cache-control")),
        (304, Some("no-cache"))
    );
    let head = gateway.send(Request::new("HEAD", "/orders/7")).await;
    assert_eq!(values(&head, names), values(&deep, names));
    assert_eq!((head.status, head.body.len()), (200, 0));
    let coded = gateway
        .send(Request::get("/orders/7").header("Accept-Encoding", "br"))
        .await;
    assert_eq!(
        (coded.text(), coded.header("content-encoding")),
        ("the sibling", Some("br"))
    );
    for method in ["POST", "PUT", "DELETE"] {
        let response = gateway
            .send(Request::new(method, "/orders/7").body("x"))
            .await;
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some("GET, HEAD"))
        );
    }
    // Without an index there is nothing to serve instead.
    let bare = Disk::with(&[("a.txt", "a")]);
    let gateway = Gateway::start(bare.config(POLICY, ROUTE)).await;
    assert_eq!(gateway.get("/orders/7").await.status, 404);
}
