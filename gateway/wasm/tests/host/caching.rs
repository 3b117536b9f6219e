//! The bundled policies whose effects concern the cache, and how often they are called.

use janua_wasm::{QueryKey, Storage};

use super::*;

fn cache_rules(config: &str) -> PolicySpec {
    let mut spec = PolicySpec::new("caching", component("janua_policy_cache_rules"));
    spec.config = config.to_owned();
    spec.bundled = true;
    spec
}

fn given(asker: &mut Asker, phase: Phase, facts: &Request) -> Rc<Verdict> {
    match asker.decide(phase, facts) {
        Decision::Verdict { verdict, .. } => verdict,
        other => panic!("{other:?}"),
    }
}

fn fetched(extension: &str, status: &str) -> Request {
    Request::default()
        .with(Input::Extension, extension)
        .with(Input::Status, status)
}

#[test]
fn a_steady_state_is_a_memo_hit() {
    let config = r#"{"rules": [
            {"name": "images", "extension": ["js", "css"], "store": "7d", "browser": "public"},
            {"name": "not-found", "status": 404, "store": "10s"}
        ], "tags_from": "cache-tag", "key": {"query": {"without": "utm_*"}}}"#;
    let mut asker = Asker::new(cache_rules(config));
    for _ in 0..10 {
        for (extension, status, name) in [
            ("js", "200", "images"),
            ("css", "200", "images"),
            ("js", "404", "not-found"),
        ] {
            let facts = fetched(extension, status).with(Input::Path, name);
            let verdict = given(&mut asker, Phase::Fetched, &facts);
            let [Effect::CacheRule(rule), Effect::CacheTag(tag)] = &*verdict.effects else {
                panic!("{verdict:?}");
            };
            assert_eq!(&*rule.name, name);
            assert_eq!(*tag, Value::Parts(Box::from([Part::Reference(0)])));
        }
        let lookup = given(&mut asker, Phase::Request, &Request::path("/"));
        let [Effect::CacheLookup(lookup)] = &*lookup.effects else {
            panic!("{lookup:?}");
        };
        assert!(matches!(&lookup.query, QueryKey::Without(names) if names.len() == 1));
    }
    assert_eq!((asker.counts().calls, asker.counts().hits), (4, 36));
    let verdict = given(&mut asker, Phase::Fetched, &fetched("js", "200"));
    let Effect::CacheRule(images) = &verdict.effects[0] else {
        panic!("{verdict:?}");
    };
    assert_eq!(images.store, Storage::Seconds(604_800));
    assert_eq!(images.browser.as_deref(), Some("public"));
}

#[test]
fn rules_need_grants_where_they_are_not_bundled() {
    let mut spec = cache_rules(r#"{"rules": [{"store": "never"}]}"#);
    spec.bundled = false;
    let words = refusal(spec).to_string();
    assert!(
        words.ends_with(r#"grants = ["effect:cache-rule"]"#),
        "{words}"
    );
    let mut spec = cache_rules(r#"{"rules": [{"extension": ["js"], "store": "never"}]}"#);
    spec.bundled = false;
    let facts = fetched("js", "200");
    assert!(matches!(refusal(spec.clone()), ConfigureError::Grant(_)));
    spec.grants = vec!["effect:cache-rule".to_owned()];
    given(&mut Asker::new(spec), Phase::Fetched, &facts);
}

#[test]
fn the_verdict_that_serves_the_index_is_reused_for_all_paths() {
    let mut spec = PolicySpec::new("spa", component("janua_policy_spa_fallback"));
    spec.bundled = true;
    let mut asker = Asker::new(spec);
    let navigation = |path: &str| {
        Request::path(path)
            .with(Input::Method, "GET")
            .with(Input::Header("sec-fetch-mode".into()), "navigate")
    };
    for path in ["/", "/orders", "/orders/7"] {
        let verdict = given(&mut asker, Phase::Missing, &navigation(path));
        let index = Value::Literal(Box::from(&b"/index.html"[..]));
        assert_eq!(verdict.outcome, Outcome::Serve(index));
        assert!(
            matches!(&verdict.response_edits[0], Edit::SetHeader { name, .. } if &**name == "cache-control")
        );
    }
    assert_eq!(asker.counts().calls, 1);
    let asset = navigation("/a.js").with(Input::Extension, "js");
    let verdict = given(&mut asker, Phase::Missing, &asset);
    assert_eq!(*verdict, Verdict::proceed());
}

/// Without memory for memos, keyed verdicts are not kept and small constant ones are.
#[test]
fn what_memos_hold_is_bounded_over_all_policies() {
    let runtime = |memos| {
        let options = RuntimeOptions {
            memos,
            ..RuntimeOptions::default()
        };
        Runtime::new(options).unwrap()
    };
    let asker = |runtime: &Runtime, name: &str, mut spec: PolicySpec| {
        spec.component = runtime.load(&bytes(name)).unwrap();
        Asker::on(runtime.configure(spec).unwrap(), &WorkerHost::new(runtime))
    };
    for (memos, calls) in [(0, 10), (1 << 20, 1)] {
        let runtime = runtime(memos);
        let mut keys = asker(&runtime, "janua_policy_api_key", api_key());
        let mut spec = rate_limit();
        spec.bundled = true;
        let mut limit = asker(&runtime, "janua_policy_rate_limit", spec);
        for _ in 0..10 {
            keys.verdict(&Request::default().with(Input::Header("x-api-key".into()), "key-000001"));
            limit.verdict(&Request::path("/"));
        }
        assert_eq!(keys.counts().calls, calls, "{memos}");
        assert_eq!(limit.counts().calls, 1, "{memos}");
        let held = runtime.memos().bytes;
        assert_eq!(held > 0, memos > 0);
        let status = keys.policy.policy().status(keys.now_ms);
        assert!(status.memo_bytes <= held);
        assert_eq!(status.memo_bytes > 0, memos > 0, "the verdict counts too");
        drop((keys, limit));
        assert_eq!(runtime.memos().bytes, 0);
    }
}
