//! What is not declared fails the test, with the word that is missing.

use std::cell::RefCell;
use std::panic::catch_unwind;

use crate::bindings::janua::policy::verdicts::{Edit, Variable};
use crate::testing::{Exchange, configure};
use crate::{
    Ban, Bucket, CacheLookup, CacheRule, Charge, Concurrency, Fetched, Finished, Input, Inputs,
    Missing, Policy, Purge, QueryKey, Reply, Request, Response, Split, Storage, Subscription, Take,
    Verdict, Verify,
};

thread_local! {
    /// The verdict of each phase.
    static SAYS: RefCell<Says> = RefCell::new(Says::default());
    /// The declaration.
    static DECLARES: RefCell<fn(&mut Subscription)> = RefCell::new(|_| {});
}

#[derive(Clone, Default)]
struct Says {
    request: Option<Verdict<Request>>,
    fetched: Option<Verdict<Fetched>>,
    missing: Option<Verdict<Missing>>,
    response: Option<Verdict<Response>>,
    finished: Option<Verdict<Finished>>,
}

/// Takes part in all phases, with the declaration and the verdicts of a test.
struct Told;

#[derive(serde::Deserialize)]
struct Nothing {}

impl Policy for Told {
    type Config = Nothing;

    fn new(_: Nothing, subscription: &mut Subscription) -> Result<Self, String> {
        subscription.request().sensitive(Input::Query);
        subscription.fetched();
        subscription.missing();
        subscription.response();
        subscription.finished();
        DECLARES.with_borrow(|declare| declare(subscription));
        Ok(Self)
    }

    fn on_request(&self, _: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        Ok(SAYS.with_borrow(|says| says.request.clone()).unwrap())
    }

    fn on_fetched(&self, _: &Inputs<Fetched>) -> Result<Verdict<Fetched>, String> {
        Ok(SAYS.with_borrow(|says| says.fetched.clone()).unwrap())
    }

    fn on_missing(&self, _: &Inputs<Missing>) -> Result<Verdict<Missing>, String> {
        Ok(SAYS.with_borrow(|says| says.missing.clone()).unwrap())
    }

    fn on_response(&self, _: &Inputs<Response>) -> Result<Verdict<Response>, String> {
        Ok(SAYS.with_borrow(|says| says.response.clone()).unwrap())
    }

    fn on_finished(&self, _: &Inputs<Finished>) -> Result<Verdict<Finished>, String> {
        Ok(SAYS.with_borrow(|says| says.finished.clone()).unwrap())
    }
}

/// The message with which the test of such a policy fails, or nothing.
fn refusal(declare: fn(&mut Subscription), says: Says) -> Option<String> {
    SAYS.set(says.clone());
    DECLARES.set(declare);
    let policy = configure::<Told>("{}").unwrap();
    let exchange = Exchange::get("https://a.example/?a");
    let ran = catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = says.request.is_some().then(|| policy.request(&exchange));
        let _ = says.fetched.is_some().then(|| policy.fetched(&exchange));
        let _ = says.missing.is_some().then(|| policy.missing(&exchange));
        let _ = says.response.is_some().then(|| policy.response(&exchange));
        let _ = says.finished.is_some().then(|| policy.finished(&exchange));
    }));
    let panic = ran.err()?;
    let message = panic.downcast_ref::<String>().unwrap();
    let message = message.strip_prefix("the gateway would refuse this verdict: ");
    Some(message.unwrap().to_owned())
}

fn request(verdict: Verdict<Request>) -> Says {
    Says {
        request: Some(verdict),
        ..Says::default()
    }
}

fn fetched(verdict: Verdict<Fetched>) -> Says {
    Says {
        fetched: Some(verdict),
        ..Says::default()
    }
}

fn missing(verdict: Verdict<Missing>) -> Says {
    Says {
        missing: Some(verdict),
        ..Says::default()
    }
}

fn response(verdict: Verdict<Response>) -> Says {
    Says {
        response: Some(verdict),
        ..Says::default()
    }
}

fn finished(verdict: Verdict<Finished>) -> Says {
    Says {
        finished: Some(verdict),
        ..Says::default()
    }
}

type Declare = fn(&mut Subscription);

/// Each verdict, the words that it needs, and the declaration of them.
fn verdicts() -> Vec<(Says, &'static str, Declare)> {
    let cookie = || Reply::new(401).header("Set-Cookie", "a=");
    vec![
        (request(Verdict::respond(Reply::new(401))), "respond", |s| {
            s.request().may_respond();
        }),
        (
            request(Verdict::respond(cookie())),
            "respond`, `edit:response-header:set-cookie",
            |s| {
                s.request().may_respond().may_edit_response("Set-Cookie");
            },
        ),
        (
            request(Verdict::proceed().set_header("X-A", "1")),
            "edit:header:x-a",
            |s| {
                s.request().may_edit("X-A");
            },
        ),
        (
            request(Verdict::proceed().append_header("x-a", "1")),
            "edit:header:x-a",
            |s| {
                s.request().may_edit("x-*");
            },
        ),
        (
            request(Verdict::proceed().remove_header("x-a")),
            "edit:header:x-a",
            |s| {
                s.owns("x-a");
            },
        ),
        (
            request(Verdict::proceed().set_path("/").set_query("a")),
            "edit:set-path`, `edit:set-query",
            |s| {
                s.request().may_set_path().may_set_query();
            },
        ),
        (
            request(Verdict::proceed().set_response_header("x-a", "1")),
            "edit:response-header:x-a",
            |s| {
                s.request().may_edit_response("x-a");
            },
        ),
        (
            request(Verdict::proceed().set_response_status(500)),
            "edit:set-status",
            |s| {
                s.request().may_set_response_status();
            },
        ),
        (
            request(Verdict::proceed().set_variable("user", "1")),
            "variables: user",
            |s| {
                s.variable("user");
            },
        ),
        (
            request(Verdict::proceed().take(Take::new(Bucket::new(1, 1)))),
            "effect:take",
            |s| {
                s.request().may_take();
            },
        ),
        (
            request(Verdict::proceed().take(Take::new(Bucket::new(1, 1)).otherwise(cookie()))),
            "edit:response-header:set-cookie`, `effect:take",
            |s| {
                s.request().may_take().may_edit_response("set-cookie");
            },
        ),
        (
            request(Verdict::proceed().charge(Charge::new(Bucket::new(1, 1), 1))),
            "effect:charge",
            |s| {
                s.request().may_charge();
            },
        ),
        (
            request(Verdict::proceed().concurrency(Concurrency::new(1))),
            "effect:concurrency",
            |s| {
                s.request().may_limit_concurrency();
            },
        ),
        (
            request(Verdict::proceed().verify(Verify::new("hook", "HS256", "a", "b"))),
            "secret:hook`, `effect:verify",
            |s| {
                s.request().may_verify();
                s.secret("hook");
            },
        ),
        (
            request(Verdict::proceed().choose_upstream("blue")),
            "upstream:blue`, `effect:choose-upstream",
            |s| {
                s.request().may_choose_upstream();
                s.chooses_upstream("blue");
            },
        ),
        (
            request(Verdict::proceed().split(Split::between([("blue", 1), ("green", 0)]))),
            "upstream:blue`, `upstream:green`, `effect:split",
            |s| {
                s.request().may_split();
                s.chooses_upstream("blue").chooses_upstream("green");
            },
        ),
        (
            request(Verdict::proceed().cache_lookup(CacheLookup::by(QueryKey::Whole))),
            "effect:cache-lookup",
            |s| {
                s.request().may_cache_lookup();
            },
        ),
        (fetched(Verdict::respond(Reply::new(502))), "respond", |s| {
            s.fetched().may_respond();
        }),
        (
            fetched(
                Verdict::proceed()
                    .default_header("vary", "a")
                    .set_status(203),
            ),
            "edit:response-header:vary`, `edit:set-status",
            |s| {
                s.fetched().may_edit("vary").may_set_status();
            },
        ),
        (
            fetched(
                Verdict::proceed()
                    .cache_rule(CacheRule::new("a", Storage::Never))
                    .cache_tag("a"),
            ),
            "effect:cache-rule`, `effect:cache-tag",
            |s| {
                s.fetched().may_cache_rule().may_cache_tag();
            },
        ),
        (
            missing(Verdict::serve("/").remove_response_header("etag")),
            "serve`, `edit:response-header:etag",
            |s| {
                s.missing().may_serve().may_edit_response("etag");
            },
        ),
        (
            response(
                Verdict::proceed()
                    .purge(Purge::site())
                    .ban(Ban::new("a", 60, "a")),
            ),
            "effect:purge`, `effect:ban",
            |s| {
                s.response().may_purge().may_ban();
            },
        ),
        (
            // A field that is owned is one of requests.
            response(Verdict::proceed().set_header("x-own", "1")),
            "edit:response-header:x-own",
            |s| {
                s.owns("x-own").response().may_edit("x-own");
            },
        ),
        (
            finished(Verdict::proceed().charge(Charge::new(Bucket::new(1, 1), 1))),
            "effect:charge",
            |s| {
                s.finished().may_charge();
            },
        ),
    ]
}

#[test]
fn a_verdict_must_be_declared() {
    for (says, words, declare) in verdicts() {
        let undeclared = |s: &mut Subscription| {
            s.owns("x-own");
        };
        let message = refusal(undeclared, says.clone()).expect(words);
        let expected = format!("does not declare `{words}`");
        assert!(message.ends_with(&expected), "{message}");
        assert_eq!(refusal(declare, says), None, "{words}");
    }
}

/// In each phase on its own: what the one may do, the other may not.
#[test]
fn a_permission_is_that_of_its_phase() {
    let elsewhere: Declare = |s| {
        s.fetched().may_edit("vary");
        s.response().may_edit("x-*");
    };
    let message = refusal(
        elsewhere,
        response(Verdict::proceed().set_header("vary", "a")),
    );
    let expected = "the phase response does not declare `edit:response-header:vary`";
    assert_eq!(message.as_deref(), Some(expected));
}

#[test]
fn what_no_declaration_allows() {
    let all: Declare = |_| {};
    let mut headless = Verdict::<Missing>::proceed();
    headless
        .verdict_mut()
        .edits
        .push(Edit::RemoveHeader("a".to_owned()));
    let mut variable = Verdict::<Missing>::proceed();
    let set = Edit::SetVariable(Variable {
        name: "a".to_owned(),
        value: Vec::new(),
    });
    variable.verdict_mut().response_edits.push(set);
    for (says, expected) in [
        (
            missing(headless),
            "there is no head to edit in the phase missing",
        ),
        (
            missing(variable),
            "`response-edits` change fields and the status only",
        ),
        (
            finished(Verdict::proceed().annotate("Path", "a")),
            "\"Path\" is not the name of an annotation",
        ),
        (
            finished((0..17).fold(Verdict::proceed(), |verdict, _| verdict.note("a"))),
            "it has 17 annotations, but at most 16 are possible",
        ),
    ] {
        assert_eq!(refusal(all, says).as_deref(), Some(expected));
    }
}

#[test]
fn a_secret_is_not_logged() {
    struct Leaks;
    impl Policy for Leaks {
        type Config = Nothing;

        fn new(_: Nothing, subscription: &mut Subscription) -> Result<Self, String> {
            subscription.request().sensitive(Input::Query);
            Ok(Self)
        }

        fn on_request(&self, _: &Inputs<Request>) -> Result<Verdict<Request>, String> {
            let mut subscription = Subscription::default();
            let query = subscription.request().query();
            Ok(Verdict::proceed().note(query))
        }
    }
    let policy = configure::<Leaks>("{}").unwrap();
    let exchange = Exchange::get("https://a.example/?a");
    let ran = catch_unwind(std::panic::AssertUnwindSafe(|| policy.request(&exchange)));
    let message = ran.unwrap_err();
    let message = message.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("`note` contains a sensitive input"),
        "{message}"
    );
}

#[test]
fn a_declaration_with_a_mistake_is_refused() {
    let cases: [(Declare, &str); 14] = [
        (
            |s| {
                s.request().may("efect:take");
            },
            "the phase request: there is no permission `efect:take`; did you mean `effect:take`?",
        ),
        (
            |s| {
                s.request().may("edit:headers:x-a");
            },
            "the phase request: there is no permission `edit:headers:x-a`; \
             did you mean `edit:header:x-a`?",
        ),
        (
            |s| {
                s.response().may("edit:header:x-a");
            },
            "the phase response: the permission `edit:header:x-a` is not possible here",
        ),
        (
            |s| {
                s.request().may("serve");
            },
            "the phase request: the permission `serve` is not possible here",
        ),
        (
            |s| {
                s.finished().may("everything");
            },
            "the phase finished: there is no permission `everything`; there are \
             `effect:charge`, `effect:purge`, `effect:ban`",
        ),
        (
            |s| {
                s.request().may_edit("x y");
            },
            "the phase request: `edit:header:x y`: \"x y\" is not a field name",
        ),
        (
            |s| {
                s.request().may_edit("x-*-a");
            },
            "the phase request: `edit:header:x-*-a`: \"x-*-a\": a `*` may only end it",
        ),
        (
            |s| {
                s.request().may("edit:header:X-A");
            },
            "the phase request: `edit:header:X-A`: \"X-A\" is not in lower case",
        ),
        (
            |s| {
                s.owns("Content-Length");
            },
            "`owns`: `content-length` belongs to the gateway and cannot be edited",
        ),
        (
            |s| {
                s.variable("User");
            },
            "\"User\" is not the name of a variable: it has lower-case letters, digits, `-` \
             and `_`",
        ),
        (
            |s| {
                s.secret("");
            },
            "`uses`: there is no `secret:`",
        ),
        (
            |s| {
                s.request().variable("user");
            },
            "the phase request: \"user\" is not a variable; write `policy.name`",
        ),
        (
            |s| {
                s.response().input(Input::DurationMs);
            },
            "the phase response: `duration_ms` is not known yet",
        ),
        (
            |s| {
                s.request().input(Input::Header("X-A".to_owned()));
            },
            "the phase request: \"X-A\" is not the name of a field in lower case",
        ),
    ];
    for (declare, message) in cases {
        DECLARES.set(declare);
        assert_eq!(configure::<Told>("{}").unwrap_err(), message);
    }
}
