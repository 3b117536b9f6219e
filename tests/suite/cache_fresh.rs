//! What is stored, for how long, and what is said of it.

use janua_tests::{Gateway, Proxy, Reply, Request, assert_eventually};

use crate::cache::{Fields, body, counting, fresh, gateway, origin, page, told, ttl, with};
use crate::policies_seen::lines;

/// Fields of a response, and what is said of the first and the second request.
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
    for (path, expected) in [
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
    ] {
        let first = gateway.get(path).await;
        let second = gateway.get(path).await;
        assert_eq!([told(&first), told(&second)], expected, "{path}");
        let is_again = first.text() == second.text();
        assert_eq!(is_again, !expected[1].starts_with("fwd=uri"), "{path}");
        let why = expected[1].split_once("detail=\"");
        let why = why.map(|(_, why)| why.trim_end_matches('"').to_owned());
        let lines = || {
            gateway
                .log()
                .into_iter()
                .filter(|line| line["path"] == path)
        };
        assert_eventually!(lines().count() == 2);
        let logged = lines().next_back().unwrap();
        let logged = logged["cache_detail"].as_str().map(str::to_owned);
        assert_eq!(logged, why, "{path}");
    }
}

#[tokio::test]
async fn the_access_log_and_the_metrics_use_the_same_words() {
    let upstream = origin(PAGES).await;
    let gateway = gateway(&upstream).await;
    // One connection is one worker, which logs in order.
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
async fn age_counts_from_what_the_upstream_says() {
    let upstream = counting(|_, _| fresh().header("Age", "20")).await;
    let gateway = gateway(&upstream).await;
    let first = gateway.get("/").await;
    assert!(matches!(ttl(&first), Some(38..=40)), "{first:?}");
    assert_eventually!({
        let hit = gateway.get("/").await;
        let age: u32 = hit.header("age").unwrap().parse().unwrap();
        assert!((20..60).contains(&age), "{hit:?}");
        let ttl = ttl(&hit).unwrap();
        assert!((59..=61).contains(&(i64::from(age) + ttl)), "{hit:?}");
        age > 20
    });
    assert_eq!(upstream.request_count(), 1);
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
    // What is meant for surrogates is nothing of the gateway's here.
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
    // Not the last one: the next knows what to do with it.
    let next = ask().header("Surrogate-Capability", "edge=\"Surrogate/1.0\"");
    let response = gateway.send(next).await;
    assert_eq!(
        response.header("surrogate-control"),
        Some("max-age=60;janua")
    );
    let response = gateway.get("/cdn").await;
    assert_eq!(response.header("cdn-cache-control"), Some("max-age=60"));
}

#[tokio::test]
async fn variants() {
    let upstream = counting(|request, _| {
        let vary = request.target.trim_start_matches('/').to_owned();
        fresh().header("Vary", &vary)
    })
    .await;
    let gateway = gateway(&upstream).await;
    // Of each path: a field's values, and which of them are the same to it.
    for (name, values) in [
        (
            "Accept-Encoding",
            &[
                ("gzip, br", 0),
                ("br;q=1.0,gzip", 0),
                ("x-foo, GZIP, br", 0),
                ("gzip", 1),
                ("br;q=0, gzip", 1),
                ("identity", 2),
                ("", 2),
            ][..],
        ),
        (
            "Accept-Language",
            &[("de, en", 0), ("DE,en", 0), ("en, de", 1)],
        ),
        (
            "X-Color",
            &[("red", 0), ("Red", 1), ("red", 0), ("a, b", 2), ("a ,b", 2)],
        ),
    ] {
        let path = format!("/{name}");
        let mut bodies: Vec<String> = Vec::new();
        for (value, variant) in values {
            let got = body(&gateway, Request::get(&path).header(name, value)).await;
            match bodies.get(*variant) {
                Some(before) => assert_eq!(*before, got, "{name}: {value}"),
                None => {
                    assert!(!bodies.contains(&got), "{name}: {value}");
                    bodies.push(got);
                }
            }
        }
    }
    let response = gateway
        .send(Request::get("/X-Color").header("X-Color", "new"))
        .await;
    assert_eq!(told(&response), "fwd=vary-miss; stored");
}

#[tokio::test]
async fn a_304_renews_the_head_and_not_the_body() {
    let upstream = counting(|request, number| {
        let reply = match request.header("if-none-match") {
            Some("\"a\"") => Reply::new(304).header("X-New", "1"),
            Some(_) => Reply::new(500),
            None => Reply::new(200).header("X-Old", "1"),
        };
        let fields = [
            ("ETag", "\"a\""),
            ("X-Number", &*number.to_string()),
            ("Cache-Control", "max-age=0"),
        ];
        with(reply, &fields)
    })
    .await;
    let gateway = gateway(&upstream).await;
    for number in 1..4 {
        let response = gateway.get("/").await;
        assert_eq!((response.status, response.text()), (200, "/ 1"));
        let number = number.to_string();
        assert_eq!(response.header("x-number"), Some(number.as_str()));
        assert_eq!(response.header("x-old"), Some("1"));
        assert_eq!(lines(&response.fields, "etag"), ["\"a\""]);
    }
    let last = gateway.get("/").await;
    assert_eq!(last.header("x-new"), Some("1"));
    assert_eq!(
        told(&last),
        "fwd=stale; fwd-status=304; stored; detail=\"expired\""
    );
}

#[tokio::test]
async fn clients_conditions_are_answered_from_what_is_stored() {
    let upstream = counting(|_, _| {
        let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
        fresh()
            .header("ETag", "\"a\"")
            .header("Last-Modified", modified)
    })
    .await;
    let gateway = gateway(&upstream).await;
    // The miss is for the whole, whatever this client asked for.
    for (name, value, status) in [
        ("If-None-Match", "\"a\"", 304),
        ("If-None-Match", "W/\"a\", \"b\"", 304),
        ("If-None-Match", "\"b\"", 200),
        ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", 200),
    ] {
        let response = gateway.send(Request::get("/").header(name, value)).await;
        assert_eq!(response.status, status, "{name}: {value}");
        assert_eq!(response.header("etag"), Some("\"a\""));
        assert_eq!(response.body.is_empty(), status == 304);
    }
    assert_eq!(upstream.only_request().header("if-none-match"), None);
    assert_eq!(page(&gateway, "/").await, (200, "/ 1".to_owned()));
}
