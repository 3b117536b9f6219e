//! How long stored responses are served, to which requests, and how they are
//! revalidated.

use janua_tests::{Reply, Request, assert_eventually};

use crate::cache::{body, counting, fresh, gateway, page, told, ttl, with};
use crate::policies_seen::lines;

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
async fn variants() {
    let upstream = counting(|request, _| {
        let vary = request.target.trim_start_matches('/').to_owned();
        fresh().header("Vary", &vary)
    })
    .await;
    let gateway = gateway(&upstream).await;
    // For each path: values of a field, and which of them select the same
    // variant.
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
    // A miss fetches the complete response, whatever this client asked for.
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

#[tokio::test]
async fn a_304_may_add_fields_to_vary() {
    let upstream = counting(|request, number| {
        let language = request.header("accept-language").unwrap_or("en");
        let same = request.header("if-none-match") == Some("\"en\"") && language == "en";
        let reply = Reply::new(if same { 304 } else { 200 }).body(language);
        let reply = reply.header("ETag", &format!("\"{language}\""));
        match number {
            // Only the second and later responses have this field.
            1 => reply.header("Cache-Control", "max-age=0"),
            _ => with(
                reply,
                &[("Cache-Control", "max-age=60"), ("Vary", "Accept-Language")],
            ),
        }
    })
    .await;
    let gateway = gateway(&upstream).await;
    let ask = |language: &'static str| {
        gateway.send(Request::get("/").header("Accept-Language", language))
    };
    assert_eq!(ask("en").await.text(), "en");
    let renewed = ask("en").await;
    assert_eq!(renewed.text(), "en");
    assert!(told(&renewed).contains("fwd-status=304"), "{renewed:?}");
    let other = ask("de").await;
    assert_eq!(
        (other.text(), &*told(&other)),
        ("de", "fwd=vary-miss; stored")
    );
    for language in ["en", "de"] {
        let hit = ask(language).await;
        assert_eq!((hit.text(), &*told(&hit)), (language, "hit"));
    }
}

#[tokio::test]
async fn what_is_stored_is_in_a_coding_that_its_variant_takes() {
    // The client prefers a coding that the gateway does not know.
    let upstream = counting(|request, _| {
        let accepted = request.header("accept-encoding").unwrap_or_default();
        let coding = ["deflate", "gzip"]
            .into_iter()
            .find(|coding| accepted.contains(coding));
        let reply = fresh().header("Vary", "Accept-Encoding");
        match coding {
            Some(coding) => reply.header("Content-Encoding", coding).body(coding),
            None => reply.body("plain"),
        }
    })
    .await;
    let gateway = gateway(&upstream).await;
    for (path, first, second, expected) in [
        ("/a", "deflate", "", "plain"),
        ("/b", "gzip, deflate", "gzip", "gzip"),
    ] {
        for accepted in [first, second] {
            let request = Request::get(path).header("Accept-Encoding", accepted);
            assert_eq!(body(&gateway, request).await, expected, "{path} {accepted}");
        }
    }
    assert_eq!(upstream.request_count(), 2);
}
