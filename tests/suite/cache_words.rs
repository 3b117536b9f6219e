//! The words for cache outcomes in `Cache-Status`, in the access log and in the
//! metrics.

use janua_tests::{Gateway, Proxy, Request, assert_eventually};

use crate::cache::{Fields, gateway, origin, told};

/// Fields of a response, and the cache status of the first and the second
/// request.
const PAGES: &[(&str, Fields)] = &[
    ("/silent", &[]),
    ("/fresh", &[("Cache-Control", "max-age=60")]),
    ("/shared", &[("Cache-Control", "max-age=0, s-maxage=60")]),
    ("/no-store", &[("Cache-Control", "no-store, max-age=60")]),
    ("/private", &[("Cache-Control", "private, max-age=60")]),
    ("/ended", &[("Cache-Control", "max-age=0")]),
    ("/old", &[("Cache-Control", "max-age=60"), ("Age", "60")]),
    ("/star", &[("Cache-Control", "max-age=60"), ("Vary", "*")]),
    (
        "/cookie",
        &[("Cache-Control", "max-age=60"), ("Set-Cookie", "a=b")],
    ),
    (
        "/cookie-of-all",
        &[
            ("Cache-Control", "max-age=60, public"),
            ("Set-Cookie", "a=b"),
        ],
    ),
    (
        "/asked",
        &[("Cache-Control", "no-cache"), ("ETag", "\"a\"")],
    ),
    (
        "/cdn",
        &[
            ("Cache-Control", "no-store"),
            ("CDN-Cache-Control", "max-age=60"),
        ],
    ),
    (
        "/cdn-not",
        &[
            ("Cache-Control", "max-age=60"),
            ("CDN-Cache-Control", "no-store"),
        ],
    ),
    (
        "/surrogate",
        &[
            ("Cache-Control", "no-store"),
            ("Surrogate-Control", "max-age=60;janua"),
        ],
    ),
    (
        "/surrogate-not",
        &[
            ("Cache-Control", "max-age=60"),
            ("Surrogate-Control", "no-store"),
        ],
    ),
];

#[tokio::test]
async fn words() {
    const STORED: [&str; 2] = ["fwd=uri-miss; stored", "hit"];
    let not = |why: &str| {
        let words = format!("fwd=uri-miss; detail=\"{why}\"");
        [words.clone(), words]
    };
    let stored = || STORED.map(str::to_owned);
    let upstream = origin(PAGES).await;
    let gateway = gateway(&upstream).await;
    let cases = [
        ("/silent", not("no-freshness")),
        ("/fresh", stored()),
        ("/shared", stored()),
        ("/no-store", not("no-store")),
        ("/private", not("private")),
        ("/ended", not("stale")),
        ("/old", not("stale")),
        ("/star", not("vary-star")),
        ("/cookie", not("set-cookie")),
        ("/cookie-of-all", stored()),
        ("/cdn", stored()),
        ("/cdn-not", not("no-store")),
        ("/surrogate", stored()),
        ("/surrogate-not", not("no-store")),
        ("/not-there", not("no-freshness")),
        (
            "/asked",
            [
                STORED[0].to_owned(),
                "fwd=stale; fwd-status=304; stored; detail=\"no-cache\"".to_owned(),
            ],
        ),
    ];
    // One connection belongs to one worker, which logs in order.
    let mut wire = gateway.connect().await;
    for (path, expected) in &cases {
        let first = wire.exchange(&Request::get(path)).await;
        let second = wire.exchange(&Request::get(path)).await;
        assert_eq!([told(&first), told(&second)], *expected, "{path}");
        let is_again = first.text() == second.text();
        assert_eq!(is_again, !expected[1].starts_with("fwd=uri"), "{path}");
    }
    assert_eventually!(gateway.log().len() == 2 * cases.len());
    let log = gateway.log();
    for ((path, expected), lines) in cases.iter().zip(log.chunks(2)) {
        for (words, line) in expected.iter().zip(lines) {
            assert_eq!(line["path"], *path);
            let why = words
                .split_once("detail=\"")
                .map(|(_, why)| why.trim_end_matches('"'));
            assert_eq!(line["cache_detail"].as_str(), why, "{path}");
        }
    }
}

#[tokio::test]
async fn the_access_log_and_the_metrics_use_the_same_words() {
    let upstream = origin(PAGES).await;
    let gateway = gateway(&upstream).await;
    // One connection belongs to one worker, which logs in order.
    let mut wire = gateway.connect().await;
    for path in ["/fresh", "/fresh", "/fresh", "/asked", "/asked"] {
        wire.exchange(&Request::get(path)).await;
    }
    wire.exchange(&Request::post("/fresh", "x")).await;
    gateway.settled().await;
    assert_eventually!(gateway.log().len() == 6);
    let logged: Vec<_> = gateway
        .log()
        .iter()
        .map(|line| line["cache"].clone())
        .collect();
    assert_eq!(
        logged,
        ["miss", "hit", "hit", "miss", "revalidated", "bypass"]
    );
    let metrics = gateway.metrics().await;
    for (outcome, count) in [
        ("miss", 2.0),
        ("hit", 2.0),
        ("revalidated", 1.0),
        ("bypass", 1.0),
    ] {
        let name = "janua_cache_requests_total";
        let counted = metrics.sum(name, &[("outcome", outcome)]);
        assert!((counted - count).abs() < 0.5, "{outcome}: {counted}");
    }
}

#[tokio::test]
async fn a_route_without_a_cache_asks_each_time_and_says_so() {
    let upstream = origin(PAGES).await;
    let config = format!(
        "{}[[sites.routes]]\nupstream = \"app\"\n",
        Proxy::to(upstream.endpoint()).route("cache = true\npath = \"/cached\"")
    );
    let gateway = Gateway::start(config).await;
    for _ in 0..2 {
        let response = gateway.get("/fresh").await;
        assert_eq!(told(&response), "fwd=bypass; detail=\"off\"");
    }
    assert_eq!(upstream.request_count(), 2);
    // Fields for surrogates are passed on: they are not for the gateway here.
    let response = gateway.get("/surrogate").await;
    assert!(response.header("surrogate-control").is_some());
}

#[tokio::test]
async fn a_surrogate_names_itself_and_keeps_what_was_meant_for_it() {
    let upstream = origin(PAGES).await;
    let gateway = gateway(&upstream).await;
    let ask = || Request::get("/surrogate");
    for _ in 0..2 {
        let response = gateway.send(ask()).await;
        assert_eq!(response.header("surrogate-control"), None);
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
    let capability = upstream.only_request();
    let capability = capability.header("surrogate-capability");
    assert_eq!(capability, Some("janua=\"Surrogate/1.0\""));
    // The gateway is not the last surrogate: the next one needs the field.
    let next = ask().header("Surrogate-Capability", "edge=\"Surrogate/1.0\"");
    let response = gateway.send(next).await;
    assert_eq!(
        response.header("surrogate-control"),
        Some("max-age=60;janua")
    );
    let response = gateway.get("/cdn").await;
    assert_eq!(response.header("cdn-cache-control"), Some("max-age=60"));
}
