//! Verdicts that violate the contract, or state a wrong reuse.

use janua_tests::{
    Gateway, Proxy, Reply, Request, Settings, Upstream, assert_eventually, component, granted,
};

use crate::policies_beside::{beside, healthy, marked, misbehaving};
use crate::policies_seen::{failures, lines, state_of};

/// The verdict, the error message, and the phase.
const BROKEN: [(&str, &str, &str, &str); 21] = [
    ("name-crlf", "", "request", "is no field name"),
    ("name-nul", "", "request", "is no field name"),
    ("name-empty", "", "request", "is no field name"),
    ("value-crlf", "", "request", "control character"),
    ("value-crlf", "", "response", "control character"),
    ("value-nul", "", "request", "control character"),
    ("value-nul", "", "response", "control character"),
    ("reply-crlf", "", "request", "control character"),
    ("reply-crlf", "", "response", "control character"),
    (
        "owned-field",
        "",
        "request",
        "`content-length` belongs to the gateway",
    ),
    (
        "owned-field",
        "",
        "response",
        "`content-length` belongs to the gateway",
    ),
    ("bad-input", "", "request", "input 99"),
    ("bad-reference", "", "response", "reference 99"),
    ("bad-reply", "", "request", "status 99"),
    ("bad-reply", ", amount = 600", "response", "status 600"),
    ("bad-status", "", "response", "status 99"),
    (
        "set-path",
        "",
        "response",
        "`edit:set-path` is not possible for a response",
    ),
    (
        "serve",
        "",
        "request",
        "`serve` belongs to the phase `missing`",
    ),
    ("edits", ", amount = 257", "request", "257 edits"),
    ("long-value", ", amount = 8193", "request", "8193 bytes"),
    ("body", ", amount = 262145", "request", "262145 bytes"),
];

#[tokio::test]
async fn a_verdict_that_violates_the_contract_is_a_failure() {
    let upstream = Upstream::echo().await;
    let mut policies = misbehaving("quiet", "do = \"nothing\"", "");
    let name = |place: usize| format!("{}-{place}", BROKEN[place].0);
    for (place, (what, more, phase, _)) in BROKEN.iter().enumerate() {
        let config = format!("do = \"{what}\", phase = \"{phase}\", marked = true{more}");
        let strict = "deadline = \"1s\"\non_error = \"deny\"";
        policies += &misbehaving(&name(place), &config, strict);
        policies += &misbehaving(
            &format!("lax-{place}"),
            &config,
            "deadline = \"1s\"\non_error = \"skip\"",
        );
    }
    let gateway = Gateway::start(granted(beside(&upstream, &policies))).await;
    let traffic = healthy(&gateway, "/quiet/known").await;
    for (place, (what, _, phase, words)) in BROKEN.iter().enumerate() {
        let name = name(place);
        assert_eq!(gateway.get(&format!("/{name}/healthy")).await.status, 200);
        // More often than the circuit breaker tolerates: these cost no
        // instance.
        for _ in 0..7 {
            let denied = gateway.send(marked(&format!("/{name}/x"))).await;
            assert_eq!(denied.status, 503, "{name}");
            assert_eq!(denied.proxy_error(), Some("proxy_internal_error"), "{name}");
            assert!(lines(&denied.fields, "x-split").is_empty(), "{name}");
            assert!(lines(&denied.fields, "x-value").is_empty(), "{name}");
        }
        let state = state_of(&gateway, &name).await;
        assert_eq!(state["state"], "ok", "{state}");
        assert!(
            state["last_error"].as_str().unwrap().contains(words),
            "{what}: {state}"
        );
        assert!(
            failures(&gateway, &name, "bad_verdict").await >= 7.0,
            "{name}"
        );

        let before = upstream.request_count();
        let passed = gateway.send(marked(&format!("/lax-{place}/x"))).await;
        if ["reply-crlf", "bad-reply", "serve", "body"].contains(what) {
            // What is not valid is a refusal, and it is not skipped.
            assert_eq!(passed.status, 503, "{name} in {phase}");
            continue;
        }
        assert_eq!(passed.status, 200, "{name} in {phase}, skipped");
        assert!(upstream.request_count() > before);
        assert!(lines(&passed.fields, "x-split").is_empty(), "{name}");
        let seen = passed.json();
        assert_eq!(seen["target"], format!("/lax-{place}/x"), "{name}");
        for field in ["x-split", "x-value", "x-long", "x-0"] {
            assert_eq!(seen["headers"].get(field), None, "{name}");
        }
    }
    traffic.finish().await;
}

/// Effects that are not supported yet are refused when the policy is configured, and those
/// outside of the declaration or in the wrong phase deny the request, whatever `on_error`
/// says: ignoring a check would let every request pass. An effect that has a wrong number is
/// as any other verdict that is not valid.
#[tokio::test]
async fn effects_that_cannot_be_carried_out() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let what = "undeclared-secret";
    let policy = misbehaving(what, &format!("do = \"{what}\""), "");
    let found = crate::policies_load::errors(folder.path(), &beside(&upstream, &policy)).await;
    let message = found[0]["message"].as_str().unwrap();
    let words = "the policy asks for the permission `effect:verify`, which is not supported by \
                 this version";
    assert!(message.ends_with(words), "{message}");

    const SKIP: &str = "on_error = \"skip\"";
    let policies = misbehaving("cache-rule", "do = \"cache-rule\"", SKIP)
        + &misbehaving("undeclared-effect", "do = \"undeclared-effect\"", SKIP)
        + &misbehaving("empty-take", "do = \"empty-take\"", "")
        + &misbehaving("lax", "do = \"empty-take\"", SKIP);
    let gateway = Gateway::start(granted(beside(&upstream, &policies))).await;
    for (name, status, words) in [
        (
            "cache-rule",
            503,
            "`cache-rule` belongs to the phase `fetched`",
        ),
        (
            "undeclared-effect",
            503,
            "it did not declare `effect:charge` for the phase `request`",
        ),
        ("empty-take", 503, "must be at least 1"),
        // The policy may refuse, so that what it says may be a refusal.
        ("lax", 503, "must be at least 1"),
    ] {
        let response = gateway.get(&format!("/{name}/")).await;
        assert_eq!(response.status, status, "{name}");
        let state = state_of(&gateway, name).await;
        let error = state["last_error"].as_str().unwrap();
        assert!(error.contains(words), "{name}: {error}");
    }
}

/// A verdict that declares itself reusable, but differs on a fresh instance.
#[tokio::test]
async fn a_wrong_reuse_is_detected() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving("liar", "do = \"lie\"", "memo_sample = 1")
        + &misbehaving("quiet", "do = \"nothing\"", "memo_sample = 1");
    let gateway = Settings::new()
        .workers(1)
        .start(granted(beside(&upstream, &policies)))
        .await;
    let told = async |path: &str| gateway.get(path).await.json()["headers"]["x-lie"].clone();
    assert_eq!(told("/liar/a").await, "0");
    assert_eq!(told("/liar/b").await, "1");
    assert_eq!(state_of(&gateway, "liar").await["reuse"]["mode"], "on");
    // Reused, and recomputed for comparison on another thread.
    assert_eq!(told("/liar/b").await, "1");
    assert_eventually!(state_of(&gateway, "liar").await["reuse"]["mode"] == "off");
    let is_told = |state: &serde_json::Value| {
        let error = state["last_error"].as_str();
        error.is_some_and(|error| error.contains("wrongly allows reuse"))
    };
    assert_eventually!(is_told(&state_of(&gateway, "liar").await));
    gateway.says("wrongly allows reuse").await;
    // From now on the policy is called for every request.
    assert_eq!(
        (told("/liar/b").await, told("/liar/b").await),
        ("2".into(), "3".into())
    );

    for _ in 0..20 {
        gateway.get("/quiet/x").await;
    }
    let state = state_of(&gateway, "quiet").await;
    assert_eq!(
        (&state["reuse"]["mode"], &state["hits"]),
        (&"on".into(), &19.into()),
        "{state}"
    );
}

/// A verdict that depends on the time or on secure random numbers may differ next time. What
/// languages read for their schedulers and hash maps says nothing about a verdict.
#[tokio::test]
async fn the_clock_and_random_numbers_are_not_reused() {
    let upstream = Upstream::echo().await;
    let table = [
        ("clock", 10, 0),
        ("secure-random", 10, 0),
        ("monotonic-clock", 1, 9),
        ("random", 1, 9),
        ("nothing", 1, 9),
    ];
    let policies: String = table
        .iter()
        .map(|(what, ..)| misbehaving(what, &format!("do = \"{what}\""), ""))
        .collect();
    let gateway = Settings::new()
        .workers(1)
        .start(granted(beside(&upstream, &policies)))
        .await;
    for (name, calls, hits) in table {
        for _ in 0..10 {
            assert_eq!(gateway.get(&format!("/{name}/x")).await.status, 200);
        }
        let state = state_of(&gateway, name).await;
        assert_eq!(
            (&state["calls"], &state["hits"]),
            (&calls.into(), &hits.into()),
            "{state}"
        );
    }
}

/// A reply of the maximum size is valid; one byte more is in the table above.
#[tokio::test]
async fn the_largest_verdicts_are_carried_out() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving(
        "body",
        "do = \"body\", amount = 262144",
        "deadline = \"1s\"",
    ) + &misbehaving("edits", "do = \"edits\", amount = 90", "deadline = \"1s\"")
        + &misbehaving("path", "do = \"set-path\"", "");
    let gateway = Gateway::start(granted(beside(&upstream, &policies))).await;
    assert_eq!(gateway.get("/body/").await.body.len(), 262_144);
    let fields = gateway.get("/edits/").await.json()["headers"].clone();
    assert_eq!(
        (&fields["x-0"], &fields["x-89"]),
        (&"x".into(), &"x".into())
    );
    assert_eq!(gateway.get("/path/").await.json()["target"], "/elsewhere");
}

/// A request becomes no more than 64 KiB in a value, and no more than 512 fields in a head,
/// whatever policies make of it.
#[tokio::test]
async fn policies_make_no_large_heads_of_small_requests() {
    let upstream = Upstream::echo().await;
    let lines = |n: usize| vec!["\"x\""; n].join(", ");
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/many\"\npolicies = [\"one\", \"two\", \"three\"]")
        .also(
            "/back",
            "policies = [\"back\", \"back-too\", \"back-three\"]",
        )
        .also("/long", "policies = [\"long\"]");
    let headers = |name: &str, config: String| {
        format!("[policies.{name}]\ncomponent = \"headers\"\nconfig.{config}\n")
    };
    let append = |phase: &str, n| format!("{phase}.append = {{ x-many = [{}] }}", lines(n));
    let gateway = Gateway::start(granted(
        ["one", "two", "three"]
            .map(|name| headers(name, append("request", 200)))
            .concat()
            + &["back", "back-too", "back-three"]
                .map(|name| headers(name, append("response", 200)))
                .concat()
            + &headers(
                "long",
                format!(
                    "request.set = {{ x-long = \"{}\" }}",
                    "{header:x-big}".repeat(60)
                ),
            )
            + &proxy.to_string(),
    ))
    .await;
    for (path, words) in [
        (
            "/many",
            "with the fields of the policy `three`, a head has more than 512 fields or 256 KiB",
        ),
        (
            "/long",
            "the policy `long` makes a value of more than 64 KiB of it",
        ),
    ] {
        let request = Request::get(path).header("X-Big", &"a".repeat(20_000));
        let response = gateway.send(request).await;
        assert_eq!(response.status, 400, "{path}");
        let status = response.header("proxy-status").unwrap();
        assert!(status.contains(words), "{status}");
    }
    assert_eq!(gateway.get("/long").await.status, 200);
    // The client is not to blame for the size of a response.
    assert_eq!(gateway.get("/back").await.status, 503);
    let line = gateway.log_line("/back").await;
    assert_eq!(line["failure"], "policy_failed");
    let words = "with the fields of the policy `back`, a head has more than 512 fields or 256 KiB";
    assert!(line["notes"].to_string().contains(words), "{line}");
}

/// All values of a verdict are computed before its first edit: a policy can
/// remove a field and still use it for a bucket, a tag and a reply.
#[tokio::test]
async fn edits_do_not_change_what_the_verdict_points_at() {
    let upstream = Upstream::http(|_| async {
        Reply::new(200)
            .header("X-Group", "list")
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let probe = component("probe");
    let policy = |name: &str, grants: &str, config: &str| {
        format!(
            "[policies.{name}]\ncomponent = \"{}\"\ngrants = [{grants}]\nconfig = {{ label = \"{name}\", {config} }}\n",
            probe.display()
        )
    };
    let route = |name: &str| {
        format!(
            "[[sites.routes]]\npath = \"/{name}\"\npolicies = [\"{name}\"]\ncache = true\nupstream = \"app\"\n"
        )
    };
    let proxy = Proxy::to(upstream.endpoint()).route("path = \"/none\"");
    let gateway = Gateway::start(granted(
        policy(
            "take",
            "\"effect:take\"",
            "remove = [\"x-key\"], take = \"{header:x-key}\"",
        ) + &policy(
            "answer",
            "",
            "remove = [\"x-key\"], reply = \"{header:x-key}\", answer = 200",
        ) + &policy(
            "tag",
            "\"effect:cache-tag\"",
            "remove = [\"x-group\"], tag = \"{response_header:x-group}\", show_fetched = []",
        ) + &policy(
            "replace",
            "",
            "remove = [\"x-group\"], reply_response = \"{response_header:x-group}\", replace = 200",
        ) + &proxy.to_string()
            + &["take", "answer", "tag", "replace"].map(route).concat(),
    ))
    .await;
    let keyed = |path, key| Request::get(path).header("X-Key", key);
    for (key, status) in [("a", 200), ("a", 429), ("b", 200), ("b", 429)] {
        assert_eq!(
            gateway.send(keyed("/take", key)).await.status,
            status,
            "{key}"
        );
    }
    let taken = upstream.requests();
    assert!(
        taken
            .iter()
            .all(|request| request.header("x-key").is_none())
    );
    let answer = gateway.send(keyed("/answer", "a")).await;
    assert_eq!(answer.header("x-reply"), Some("a"));
    let replaced = gateway.get("/replace").await;
    assert_eq!(replaced.header("x-reply"), Some("list"));
    for words in ["fwd=uri-miss; stored", "hit"] {
        let tagged = gateway.get("/tag").await;
        assert_eq!(tagged.header("x-group"), None);
        assert_eq!(crate::cache::told(&tagged), words);
    }
    let purge = serde_json::json!({"tag": "list"});
    crate::cache_purge::purge(&gateway, &purge).await;
    let again = gateway.get("/tag").await;
    assert_eq!(crate::cache::told(&again), "fwd=uri-miss; stored");
}
