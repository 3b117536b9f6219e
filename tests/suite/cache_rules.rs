//! The rules of the component `cache-rules`.

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream};

use crate::cache::{body, counting, fresh, told};

fn ruled(upstream: &Upstream, config: &str) -> String {
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"rules\"]");
    format!(
        "[policies.rules]\ncomponent = \"cache-rules\"\n[policies.rules.config]\n{config}\n{proxy}"
    )
}

#[tokio::test]
async fn rules_by_type_path_and_status() {
    let upstream = counting(|request, _| {
        let (status, kind) = match request.target.as_str() {
            "/page" => (200, "text/html; charset=utf-8"),
            "/gone" => (404, "text/html"),
            "/broken" => (500, "text/html"),
            _ => (200, "text/plain"),
        };
        let reply = Reply::new(status).header("Content-Type", kind);
        reply
            .header("Cache-Control", "no-store, private")
            .header("Expires", "0")
    })
    .await;
    let config = r#"rules = [
  { name = "gone", status = 404, store = "1m" },
  { name = "html", type = "text/html", store = "never", browser = "no-cache" },
  { name = "assets", path = "/assets/*", store = "1y", browser = "public, max-age=60, immutable", cdn = "max-age=600" },
]"#;
    let gateway = Gateway::start(ruled(&upstream, config)).await;
    let stored = |rule: &str| {
        let words = format!("fwd=uri-miss; stored; detail=\"rule:{rule}\"");
        [words, format!("hit; detail=\"rule:{rule}\"")]
    };
    let not = |why: &str| {
        let words = format!("fwd=uri-miss; detail=\"{why}\"");
        [words.clone(), words]
    };
    let of_upstream = Some("no-store, private");
    for (path, status, expected, browser, cdn) in [
        // Negative caching.
        ("/gone", 404, stored("gone"), of_upstream, None),
        (
            "/page",
            200,
            not("rule-never rule:html"),
            Some("no-cache"),
            None,
        ),
        (
            "/broken",
            500,
            not("rule-never rule:html"),
            Some("no-cache"),
            None,
        ),
        (
            "/assets/a.js",
            200,
            stored("assets"),
            Some("public, max-age=60, immutable"),
            Some("max-age=600"),
        ),
        ("/other", 200, not("no-store"), of_upstream, None),
    ] {
        for words in &expected {
            let response = gateway.get(path).await;
            assert_eq!(response.status, status, "{path}");
            assert_eq!(told(&response), *words, "{path}");
            // One line, whatever the upstream sent.
            assert_eq!(response.header("cache-control"), browser, "{path}");
            assert_eq!(response.header("cdn-cache-control"), cdn, "{path}");
        }
    }
}

#[tokio::test]
async fn bypass_by_cookie_and_path() {
    let upstream = counting(|_, _| fresh()).await;
    let config = "bypass = [{ cookie = \"session\" }, { header = \"x-preview\", path = \"/p/*\" }]";
    let gateway = Gateway::start(ruled(&upstream, config)).await;
    assert_eq!(body(&gateway, Request::get("/")).await, "/ 1");
    let ask = |path: &str, name: &str, value: &str| Request::get(path).header(name, value);
    for (request, passes) in [
        (ask("/", "Cookie", "a=1; session=x"), true),
        (ask("/", "Cookie", "session="), true),
        (ask("/", "Cookie", "sessions=x"), false),
        (ask("/", "Cookie", "a=session"), false),
        (ask("/", "X-Preview", "1"), false),
        (ask("/p/a", "X-Preview", "1"), true),
    ] {
        let response = gateway.send(request.clone()).await;
        let words = told(&response);
        assert_eq!(
            words.starts_with("fwd=bypass; detail=\"bypass:"),
            passes,
            "{words}: {request:?}"
        );
        assert_eq!(words == "hit", !passes, "{words}: {request:?}");
    }
    // It was not stored either.
    assert_eq!(told(&gateway.get("/p/a").await), "fwd=uri-miss; stored");
    assert_eq!(body(&gateway, Request::get("/")).await, "/ 1");
}

#[tokio::test]
async fn the_part_of_the_query_that_counts() {
    for (key, told, groups) in [
        (
            "\"whole\"",
            "/?a=1",
            &[
                &["/?a=1"][..],
                &["/?a=1&utm_x=2"],
                &["/?b=2&a=1"],
                &["/?a=1&b=2"],
            ][..],
        ),
        (
            "\"sorted\"",
            "/?a=1&b=2",
            &[&["/?a=1&b=2", "/?b=2&a=1"], &["/?a=2&a=1"], &["/?a=1&a=2"]],
        ),
        ("\"ignored\"", "/", &[&["/?a=1", "/", "/?"]]),
        (
            "{ without = [\"utm_*\", \"fbclid\"] }",
            "/?a=1&b=2",
            &[
                &[
                    "/?a=1&utm_source=x&b=2",
                    "/?b=2&a=1",
                    "/?fbclid=3&a=1&b=2&utm_=1",
                ],
                &["/", "/?utm_source=x"],
                &["/?fbclid2=1"],
            ],
        ),
        (
            "{ only = [\"page\"] }",
            "/?page=1",
            &[
                &["/?x=1&page=1&page[]=2", "/?page=1"],
                &["/?page=2"],
                &["/?x=1", "/"],
            ],
        ),
    ] {
        let upstream = counting(|_, number| fresh().body(number.to_string())).await;
        let gateway = Gateway::start(ruled(&upstream, &format!("key.query = {key}"))).await;
        for (place, targets) in groups.iter().enumerate() {
            for target in *targets {
                let got = body(&gateway, Request::get(target)).await;
                assert_eq!(got, (place + 1).to_string(), "{key}: {target}");
            }
        }
        // A parameter that is not part of the key does not reach the upstream.
        let first = &upstream.requests()[0];
        assert_eq!(first.target, told, "{key}");
    }
}

#[tokio::test]
async fn of_two_cookies_of_one_name_both_count() {
    let upstream = counting(|_, number| fresh().body(number.to_string())).await;
    let gateway = Gateway::start(ruled(&upstream, "key.cookies = [\"lang\"]")).await;
    let with = |cookies| Request::get("/").header("Cookie", cookies);
    assert_eq!(body(&gateway, with("lang=de")).await, "1");
    assert_eq!(body(&gateway, with("lang=de; lang=en")).await, "2");
    assert_eq!(body(&gateway, with("lang=de; other=1")).await, "1");
}

#[tokio::test]
async fn parts_of_the_request_that_count() {
    let upstream = counting(|_, number| fresh().body(number.to_string())).await;
    let config = "key = { headers = [\"x-device\"], cookies = [\"lang\"] }";
    let gateway = Gateway::start(ruled(&upstream, config)).await;
    for (device, cookie, expected) in [
        ("phone", "lang=de", "1"),
        ("phone", "lang=en", "2"),
        ("tv", "lang=de", "3"),
        ("phone", "other=1; lang=de", "1"),
        ("phone", "other=1", "4"),
    ] {
        let request = Request::get("/")
            .header("X-Device", device)
            .header("Cookie", cookie);
        assert_eq!(body(&gateway, request).await, expected, "{device} {cookie}");
    }
}

/// The stale periods of a rule apply if the upstream states none.
#[tokio::test]
async fn a_rule_lets_stale_answers_stand_in() {
    let upstream = counting(|_, number| match number {
        1 => Reply::new(200).header("Cache-Control", "max-age=0"),
        _ => Reply::new(503),
    })
    .await;
    let config = "rules = [{ name = \"kept\", stale_if_error = \"1h\" }]";
    let gateway = Gateway::start(ruled(&upstream, config)).await;
    gateway.get("/").await;
    let response = gateway.get("/").await;
    assert_eq!((response.status, response.text()), (200, "/ 1"));
    assert_eq!(told(&response), "hit; detail=\"upstream-error rule:kept\"");
}
