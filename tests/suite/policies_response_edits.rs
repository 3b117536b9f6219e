//! Edits of the final response that a policy decides on before there is one: made on every
//! delivery, at the policy's place in the phase `response`, and never stored.

use janua_tests::{
    Gateway, Proxy, Reply, Request, Response, Settings, Upstream, Vacant, component, granted,
};

use crate::cache::told;
use crate::files::Disk;
use crate::policies_seen::lines;

fn probe(name: &str, config: &str) -> String {
    format!(
        "[policies.{name}]\ncomponent = \"{}\"\nconfig.label = \"{name}\"\n{config}\n",
        component("probe").display()
    )
}

/// Sets a field of the final response to what the request says, a cookie, and removes what
/// the upstream says.
const LATE: &str = r#"
config.response_set = { X-Late = "{header:x-mark}", Set-Cookie = "{header:x-cookie}", X-Theirs = "{header:x-none}" }"#;

/// The named fields of a response, in this order.
fn values<const N: usize>(response: &Response, names: [&str; N]) -> [Option<String>; N] {
    names.map(|name| response.header(name).map(str::to_owned))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn they_are_made_on_every_answer() {
    let upstream = Upstream::http(|request| async move {
        match request.header("if-none-match") {
            Some("\"v1\"") => Reply::new(304),
            _ => Reply::ok("theirs"),
        }
        .header("X-Theirs", "1")
        .header("ETag", "\"v1\"")
        .header("Cache-Control", "max-age=60")
    })
    .await;
    let vacant = Vacant::refusing();
    let disk = Disk::with(&[("files/page.txt", "text")]);
    let files = disk.path("root").display().to_string();
    let proxy = Proxy::to(upstream.endpoint())
        .site("policies = [\"late\"]")
        .route("path = \"/up\"")
        .also("/cached", "cache = true")
        .also("/files/", &format!("files = \"{files}\""))
        .beside("dead", &vacant.endpoint())
        .also("/dead", "upstream = \"dead\"")
        .also("/fixed", "respond = { status = 203 }")
        .also("/moved", "redirect = { code = 308, to = \"/up\" }")
        .also("/answered", "policies = [\"answers\"]")
        .also("/failing", "policies = [\"fails\"]");
    let policies = [
        probe("late", LATE),
        probe("answers", "config.answer = 402"),
        format!(
            "[policies.fails]\ncomponent = \"{}\"\nconfig.do = \"error\"\n",
            component("misbehave").display()
        ),
    ]
    .concat();
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    let mut stored = Vec::new();
    for (place, (path, status)) in [
        ("/up", 200),
        ("/cached", 200),
        ("/cached", 200),
        ("/files/page.txt", 200),
        ("/files/none.txt", 404),
        ("/dead", 502),
        ("/fixed", 203),
        ("/moved", 308),
        ("/answered", 402),
        ("/failing", 503),
    ]
    .into_iter()
    .enumerate()
    {
        let mark = place.to_string();
        let cookie = format!("id={place}");
        let request = Request::get(path)
            .header("X-Mark", &mark)
            .header("X-Cookie", &cookie);
        let response = gateway.send(request).await;
        assert_eq!(response.status, status, "{path}");
        let names = ["x-late", "set-cookie", "x-theirs"];
        assert_eq!(
            values(&response, names),
            [Some(mark), Some(cookie), None],
            "{path}"
        );
        assert_eq!(lines(&response.fields, "x-late").len(), 1, "{path}");
        if path == "/cached" {
            stored.push(told(&response));
        }
        // The request was not edited.
        if let Some(asked) = upstream.requests().last() {
            assert_eq!(asked.header("x-late"), None, "{path}");
        }
    }
    assert_eq!(stored, ["fwd=uri-miss; stored", "hit"]);

    // Nothing of it was stored, and absent values remove fields.
    let plain = gateway.get("/cached").await;
    assert_eq!(told(&plain), "hit");
    assert_eq!(
        values(&plain, ["x-late", "set-cookie", "x-theirs"]),
        [None, None, None]
    );

    // On a 304 of the upstream, of the cache and of a file.
    let page = gateway.get("/files/page.txt").await;
    let tag = page.header("etag").unwrap();
    for (path, tag) in [
        ("/up", "\"v1\""),
        ("/cached", "\"v1\""),
        ("/files/page.txt", tag),
    ] {
        let request = Request::get(path)
            .header("If-None-Match", tag)
            .header("X-Mark", "same");
        let response = gateway.send(request).await;
        assert_eq!(response.status, 304, "{path}");
        assert_eq!(
            values(&response, ["x-late", "x-theirs"]),
            [some("same"), None],
            "{path}"
        );
    }
    // And on a HEAD and a range of what is stored.
    let head = Request::new("HEAD", "/cached").header("X-Mark", "head");
    let range = Request::get("/cached")
        .header("Range", "bytes=0-1")
        .header("X-Mark", "range");
    for (request, status, mark) in [(head, 200, "head"), (range, 206, "range")] {
        let response = gateway.send(request).await;
        assert_eq!(
            (response.status, told(&response)),
            (status, "hit".to_owned())
        );
        assert_eq!(
            values(&response, ["x-late", "x-theirs"]),
            [some(mark), None]
        );
    }
}

/// The edits of a site come after those of a route, and each before the hook of its own
/// policy. A policy's own reply has them too; what comes after a reply has none.
#[tokio::test]
async fn they_are_made_in_reverse_at_the_place_of_their_policy() {
    let upstream = Upstream::echo().await;
    let own = |name: &str, more: &str| {
        probe(
            name,
            &format!(
                "config.response_set = {{ X-Late = \"{name}\", X-{name} = \"1\" }}\nconfig.show_response = [\"response_header:x-late\"]\n{more}"
            ),
        )
    };
    let proxy = Proxy::to(upstream.endpoint())
        .site("policies = [\"outer\"]")
        .route("path = \"/\"\npolicies = [\"inner\"]")
        .also("/answered", "policies = [\"answers\", \"inner\"]");
    let policies = own("outer", "") + &own("inner", "") + &own("answers", "config.answer = 402");
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    let response = gateway.get("/").await;
    let shown = |name: &str| format!("{name} response_header:x-late={name}");
    assert_eq!(
        lines(&response.fields, "x-probe"),
        [shown("inner"), shown("outer")]
    );
    assert_eq!(
        values(&response, ["x-late", "x-inner", "x-outer"]),
        [some("outer"), some("1"), some("1")]
    );
    let response = gateway.get("/answered").await;
    assert_eq!((response.status, response.text()), (402, "answers"));
    // `inner` was not asked about the request, and only sees the response.
    assert_eq!(
        lines(&response.fields, "x-probe"),
        [
            "inner response_header:x-late".to_owned(),
            shown("answers"),
            shown("outer")
        ]
    );
    assert_eq!(
        values(&response, ["x-late", "x-inner", "x-answers"]),
        [some("outer"), None, some("1")]
    );
}

/// A response that takes the place of another one because a policy fails on the way back has
/// them too, once.
#[tokio::test]
async fn they_are_made_on_the_response_to_a_failure_on_the_way_back() {
    let upstream = Upstream::echo().await;
    let fails = format!(
        "[policies.fails]\ncomponent = \"{}\"\nconfig = {{ do = \"error\", phase = \"response\" }}\non_error = \"deny\"\n",
        component("misbehave").display()
    );
    let late = |name: &str| {
        probe(
            name,
            "config.response_set = { X-Late = \"{header:x-mark}\" }\nconfig.show_response = [\"status\"]",
        )
    };
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/\"\npolicies = [\"outer\", \"fails\", \"inner\"]");
    let policies = late("outer") + &fails + &late("inner");
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    let response = gateway.send(Request::get("/").header("X-Mark", "a")).await;
    assert_eq!(response.status, 503);
    assert_eq!(lines(&response.fields, "x-late"), ["a"]);
    assert_eq!(
        lines(&response.fields, "x-probe"),
        ["inner status=503", "outer status=503"]
    );
}

/// A status that was set in the request phase, and edits of the phase `missing`.
#[tokio::test]
async fn the_status_and_the_phase_missing() {
    let upstream = Upstream::http(|request| async move {
        let status = if request.target == "/none" { 404 } else { 200 };
        Reply::new(status).header("Cache-Control", "max-age=60")
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/teapot\"\ncache = true\npolicies = [\"teapot\"]")
        .also(
            "/none",
            "cache = true\nmissing = true\npolicies = [\"missing\"]",
        )
        .also(
            "/there",
            "cache = true\nmissing = true\npolicies = [\"missing\"]",
        );
    let policies = probe("teapot", "config.response_status = 418")
        + &probe("missing", "config.show_missing = [\"status\", \"path\"]");
    let gateway = Settings::new()
        .workers(1)
        .start(granted(format!("{policies}{proxy}")))
        .await;
    for words in ["fwd=uri-miss; stored", "hit"] {
        let response = gateway.get("/teapot").await;
        assert_eq!((response.status, &*told(&response)), (418, words));
        let missing = gateway.get("/none").await;
        assert_eq!(missing.status, 404);
        assert_eq!(
            lines(&missing.fields, "x-missing"),
            ["missing status=404 path=/none"],
            "{words}"
        );
        assert_eq!(
            lines(&gateway.get("/there").await.fields, "x-missing").len(),
            0
        );
    }
}

/// Edits that make the head too large are left out of the response that says so.
#[tokio::test]
async fn edits_that_are_too_large_end_in_a_response() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/\"\npolicies = [\"one\", \"two\", \"three\"]");
    // Each alone is within the 256 KiB of a head.
    let large = |name: &str| {
        let value = "{header:x-big}".repeat(2);
        let fields: Vec<_> = (0..8)
            .map(|n| format!("X-{name}-{n} = \"{value}\""))
            .collect();
        let config = format!("config.response_set = {{ {} }}", fields.join(", "));
        probe(name, &config)
    };
    let policies = ["one", "two", "three"].map(large).concat();
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    let request = Request::get("/large").header("X-Big", &"a".repeat(9_000));
    let response = gateway.send(request).await;
    assert_eq!(response.status, 503);
    let has = ["three", "two", "one"].map(|name| response.header(&format!("x-{name}-0")).is_some());
    assert_eq!(has, [true, false, false]);
    let line = gateway.log_line("/large").await;
    assert_eq!(line["failure"], "policy_failed");
    let words = "a head has more than 512 fields or 256 KiB";
    assert!(line["notes"].to_string().contains(words), "{line}");
    let small = Request::get("/small").header("X-Big", "a");
    assert_eq!(gateway.send(small).await.status, 200);
}
