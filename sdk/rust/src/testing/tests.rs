mod declared;
mod later;

use serde::Deserialize;

use super::{Exchange, configure};
use crate::bindings::janua::policy::verdicts::Reuse;
use crate::{
    AbsentKey, Bucket, Inputs, Missing, Number, Policy, Reference, Reply, Request, Response, Slot,
    Subscription, Take, Verdict, value,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    header: String,
    #[serde(default)]
    limit: u32,
}

struct Everything {
    header: String,
    key: Slot<Request>,
    client: Reference<Request>,
    host: Slot<Request, crate::Text>,
    status: Slot<Response, Number>,
    path: Slot<Missing, crate::Text>,
}

impl Policy for Everything {
    type Config = Config;

    fn new(config: Config, subscription: &mut Subscription) -> Result<Self, String> {
        if config.limit > 9 {
            return Err("`limit`: at most 9".to_owned());
        }
        let request = subscription.request();
        let host = request.host();
        let key = request.header(&config.header);
        let client = request.reference(crate::Input::ClientIp);
        request.may_edit("x*").may_set_path();
        request.may_take().may_respond();
        let response = subscription.response();
        response.may_set_status().may_edit("x-powered-by");
        response.may_edit("vary").may_edit("server");
        let status = response.status();
        let missing = subscription.missing();
        Ok(Self {
            host,
            key,
            client,
            header: config.header,
            status,
            path: missing.may_serve().path(),
        })
    }

    fn on_request(&self, inputs: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        match inputs.get(self.key) {
            Some("error") => Err("as asked".to_owned()),
            Some("split") => Ok(Verdict::proceed().set_header("x", "a\r\nb: c")),
            Some(_) => Ok(Verdict::proceed()
                .set_header("x-from", value![self.client, "@", self.host])
                .set_header("x-copy", self.key)
                .set_path(value!["/v2", inputs.get(self.host)])
                .take(Take::new(
                    Bucket::new(1, 1000).key(self.client, AbsentKey::Refuse),
                ))
                .for_seconds(5)),
            None => Ok(Verdict::respond(Reply::new(401).text(&self.header))
                .set_header("x-refused", "1")
                .note("no key")
                .until_reload()),
        }
    }

    fn on_missing(&self, inputs: &Inputs<Missing>) -> Result<Verdict<Missing>, String> {
        assert_eq!(inputs.get(self.path), "/deep/link");
        Ok(Verdict::serve("/index.html"))
    }

    fn on_response(&self, inputs: &Inputs<Response>) -> Result<Verdict<Response>, String> {
        let status = inputs.get(self.status);
        Ok(Verdict::proceed()
            .append_header("vary", "x")
            .default_header("server", "never")
            .remove_header("x-powered-by")
            .set_status(if status == 500 { 502 } else { 200 }))
    }
}

const CONFIG: &str = r#"{"header": "X-Key"}"#;

#[test]
fn a_verdict_is_carried_out() {
    let policy = configure::<Everything>(CONFIG).unwrap();
    let asked = Exchange::get("https://shop.example/a?b=1").header("x-key", "k");
    let got = policy.request(&asked);
    assert_eq!(
        got.exchange.request_header("x-from"),
        Some("192.0.2.1@shop.example")
    );
    assert_eq!(got.exchange.request_header("x-copy"), Some("k"));
    assert_eq!(got.exchange.target(), "/v2shop.example?b=1");
    let takes = got.takes();
    assert_eq!(takes[0].1.as_deref(), Some("192.0.2.1"));
    assert_eq!(got.verdict.unwrap().reuse, Reuse::Seconds(5));
}

#[test]
fn a_reply_is_made() {
    let policy = configure::<Everything>(CONFIG).unwrap();
    let got = policy.request(&Exchange::get("https://shop.example/"));
    let answer = got.answer.clone().unwrap();
    assert_eq!((got.status(), answer.text().as_str()), (401, "X-Key"));
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(got.note(), Some("no key"));
    // Edits are of the request's head, also beside a reply.
    assert_eq!(got.exchange.request_header("x-refused"), Some("1"));
    assert_eq!(answer.header("x-refused"), None);
}

#[test]
fn a_response_is_edited() {
    let policy = configure::<Everything>(CONFIG).unwrap();
    let exchange = Exchange::get("https://shop.example/")
        .answered(500, "upstream")
        .response_header("Vary", "accept")
        .response_header("Server", "n")
        .response_header("X-Powered-By", "p");
    let got = policy.response(&exchange).exchange;
    assert_eq!(got.response_lines("vary"), ["accept", "x"]);
    assert_eq!(got.response_lines("server"), ["n"]);
    assert!(got.response_lines("x-powered-by").is_empty());
    assert_eq!(got.status(), 502);
}

#[test]
fn another_path_is_served() {
    let policy = configure::<Everything>(CONFIG).unwrap();
    let got = policy.missing(&Exchange::get("https://shop.example/deep/link"));
    assert_eq!(got.serve.as_deref(), Some("/index.html"));
}

#[test]
fn a_phase_that_was_not_asked_for_is_not_run() {
    let policy = configure::<Everything>(CONFIG).unwrap();
    assert_eq!(
        policy
            .fetched(&Exchange::get("https://shop.example/"))
            .verdict,
        None
    );
}

#[test]
#[should_panic(expected = "as asked")]
fn an_error_fails_the_test() {
    let policy = configure::<Everything>(CONFIG).unwrap();
    let _ = policy.request(&Exchange::get("https://a.example/").header("x-key", "error"));
}

#[test]
#[should_panic(expected = "no line break")]
fn a_split_field_fails_the_test() {
    let policy = configure::<Everything>(CONFIG).unwrap();
    let _ = policy.request(&Exchange::get("https://a.example/").header("x-key", "split"));
}

#[test]
fn a_configuration_is_refused_with_its_path() {
    let cases = [
        ("{}", "missing field `header`"),
        (
            r#"{"header": 1}"#,
            "`header`: expected a string, found a whole number",
        ),
        (
            r#"{"header": "x", "limits": 1}"#,
            "unknown field `limits`; did you mean `limit`?",
        ),
        (r#"{"header": "x", "limit": 10}"#, "`limit`: at most 9"),
        (
            r#"{"header": "x", "limit": -1}"#,
            "`limit`: expected a whole number from 0 to 4294967295, found -1",
        ),
    ];
    for (json, message) in cases {
        let error = configure::<Everything>(json).unwrap_err();
        assert_eq!(error, message, "{json}");
    }
}

/// Says everything that there is to say to the cache.
struct Caching {
    tenant: Reference<Request>,
    tags: Reference<crate::Fetched>,
    purged: Reference<Response>,
}

#[derive(Deserialize)]
struct Nothing {}

impl Policy for Caching {
    type Config = Nothing;

    fn new(_: Nothing, subscription: &mut Subscription) -> Result<Self, String> {
        let header = |name: &str| crate::Input::Header(name.to_owned());
        let tags = crate::Input::ResponseHeader("cache-tag".to_owned());
        let request = subscription.request().may_cache_lookup().may_purge();
        let tenant = request.reference(header("x-tenant"));
        let fetched = subscription.fetched().may_cache_rule().may_cache_tag();
        let tags = fetched.reference(tags);
        let response = subscription.response().may_purge();
        Ok(Self {
            tenant,
            tags,
            purged: response.reference(header("x-purge")),
        })
    }

    fn on_request(&self, _: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        let lookup = crate::CacheLookup::by(crate::QueryKey::Sorted).vary_on(self.tenant);
        Ok(Verdict::proceed()
            .cache_lookup(lookup)
            .purge(crate::Purge::prefix("/old/").soft()))
    }

    fn on_fetched(&self, _: &Inputs<crate::Fetched>) -> Result<Verdict<crate::Fetched>, String> {
        let rule = crate::CacheRule::new("all", crate::Storage::Seconds(60))
            .browser("no-cache")
            .cdn("max-age=60")
            .stale_while_revalidate(1)
            .stale_if_error(2)
            .shared();
        Ok(Verdict::proceed()
            .cache_rule(rule)
            .cache_tag("all")
            .cache_tag(self.tags))
    }

    fn on_response(&self, _: &Inputs<Response>) -> Result<Verdict<Response>, String> {
        Ok(Verdict::proceed()
            .purge(crate::Purge::tag(self.purged))
            .purge(crate::Purge::site()))
    }
}

#[test]
fn what_is_said_to_the_cache() {
    let policy = configure::<Caching>("{}").unwrap();
    let exchange = Exchange::get("https://a.example/").header("x-tenant", "t");
    let got = policy.request(&exchange);
    let (lookup, values) = got.cache_lookup().unwrap();
    assert!(matches!(lookup.query, crate::QueryKey::Sorted));
    assert_eq!(lookup.bypass, None);
    assert_eq!(values, [Some("t".to_owned())]);
    assert_eq!(got.purges(), [("prefix /old/".to_owned(), true)]);

    let got = policy.fetched(&exchange.response_header("cache-tag", "a, b c"));
    assert_eq!(got.tags(), ["all", "a", "b", "c"]);
    let rule = got.cache_rule().unwrap();
    assert_eq!(rule.browser.as_deref(), Some("no-cache"));
    assert_eq!(rule.cdn.as_deref(), Some("max-age=60"));
    let stale = (rule.stale_while_revalidate, rule.stale_if_error);
    assert_eq!(stale, (Some(1), Some(2)));
    assert!(rule.shared);

    let bare = Exchange::get("https://a.example/");
    assert_eq!(policy.fetched(&bare).tags(), ["all"]);
    let got = policy.response(&bare);
    assert_eq!(
        got.purges(),
        [("site".to_owned(), false)],
        "an absent tag is none"
    );
    let bypass = crate::CacheLookup::bypass("cookie").into_contract();
    assert_eq!(bypass.bypass.as_deref(), Some("cookie"));
}
