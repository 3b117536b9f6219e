use super::*;
use crate::bindings::v0_1::janua::policy::effects as fx;
use crate::plan::{May, Plan};
use crate::verdict::{
    CacheLookup, DeclaredUpstream, Edit, Effect, ParameterName, Part, QueryKey, Share, Split,
    Storage,
};

fn parts(text: &str) -> raw::Value {
    vec![raw::Part::Literal(text.to_owned())]
}

fn empty_reply() -> raw::Reply {
    raw::Reply {
        status: 429,
        headers: Vec::new(),
        body: raw::Content::Empty,
    }
}

fn reply_with(name: &str) -> raw::Reply {
    raw::Reply {
        headers: vec![header(name)],
        ..empty_reply()
    }
}

fn header(name: &str) -> raw::Header {
    raw::Header {
        name: name.to_owned(),
        value: parts("1"),
    }
}

fn take() -> fx::Effect {
    fx::Effect::Take(fx::Take {
        bucket: fx::Bucket {
            name: String::new(),
            key: Vec::new(),
            absent: fx::AbsentKey::Share,
            tokens: 1,
            period_ms: 1,
            burst: 0,
        },
        cost: fx::Cost::Tokens(1),
        otherwise: empty_reply(),
    })
}

fn choose(name: &str) -> fx::Effect {
    fx::Effect::ChooseUpstream(name.to_owned())
}

fn split(weights: &[(&str, u32)]) -> fx::Effect {
    let weighted = |(upstream, weight): &(&str, u32)| fx::Weighted {
        upstream: (*upstream).to_owned(),
        weight: *weight,
    };
    fx::Effect::Split(fx::Split {
        weights: weights.iter().map(weighted).collect(),
        sticky: None,
    })
}

fn lookup() -> fx::CacheLookup {
    fx::CacheLookup {
        query: fx::QueryKey::Whole,
        vary_on: Vec::new(),
        bypass: None,
    }
}

fn rule() -> fx::CacheRule {
    fx::CacheRule {
        name: "assets".to_owned(),
        store: fx::Storage::Seconds(60),
        browser: None,
        cdn: None,
        stale_while_revalidate: None,
        stale_if_error: None,
        shared: false,
    }
}

fn purge(scope: fx::PurgeScope) -> fx::Effect {
    fx::Effect::Purge(fx::Purge { scope, soft: true })
}

/// A verdict that does nothing.
fn nothing() -> verdicts::Verdict {
    verdicts::Verdict {
        outcome: verdicts::Outcome::Proceed,
        edits: Vec::new(),
        response_edits: Vec::new(),
        effects: Vec::new(),
        reuse: verdicts::Reuse::Never,
        annotations: Vec::new(),
    }
}

/// Checks a verdict of a policy that declared these permissions for the phase.
fn checked(phase: Phase, may: &[&str], raw: verdicts::Verdict) -> Result<Verdict, Violation> {
    let inputs = vec![Input::Path, Input::Cookie("a".into())];
    let mut plan = Plan::new(inputs, vec![Input::ClientIp], &[]).unwrap();
    let may = may.iter().map(|word| Permission::parse(word).unwrap());
    plan.may = May::new(may.collect());
    let rules = Rules {
        phase,
        plan: &plan,
        variables: &["user".into()],
        upstreams: &["blue".into(), "green".into()],
    };
    match verdict(raw, &rules) {
        Ok((verdict, _)) => Ok(verdict),
        Err(Unusable::Violation(why) | Unusable::Effect(why)) => Err(why),
    }
}

fn outcome(raw: verdicts::Outcome) -> verdicts::Verdict {
    verdicts::Verdict {
        outcome: raw,
        ..nothing()
    }
}

fn edit(raw: verdicts::Edit) -> verdicts::Verdict {
    verdicts::Verdict {
        edits: vec![raw],
        ..nothing()
    }
}

fn response_edit(raw: verdicts::Edit) -> verdicts::Verdict {
    verdicts::Verdict {
        response_edits: vec![raw],
        ..nothing()
    }
}

fn effect(raw: fx::Effect) -> verdicts::Verdict {
    verdicts::Verdict {
        effects: vec![raw],
        ..nothing()
    }
}

fn annotation_of(name: &str, value: raw::Value) -> verdicts::Verdict {
    let name = name.to_owned();
    verdicts::Verdict {
        annotations: vec![verdicts::Annotation { name, value }],
        ..nothing()
    }
}

fn later() -> raw::Named {
    raw::Named {
        name: "later".to_owned(),
        arguments: Vec::new(),
    }
}

fn later_constant() -> raw::NamedConstant {
    raw::NamedConstant {
        name: "later".to_owned(),
        arguments: Vec::new(),
    }
}

/// Checks one effect of a policy that declared every effect.
fn effect_in(phase: Phase, raw: fx::Effect) -> Result<Verdict, Violation> {
    let all = [
        "effect:take",
        "effect:cache-lookup",
        "effect:cache-rule",
        "effect:cache-tag",
        "effect:purge",
        "effect:verify",
        "effect:choose-upstream",
        "effect:split",
        "effect:ban",
    ];
    checked(phase, &all, effect(raw))
}

fn lookup_of(change: impl FnOnce(&mut fx::CacheLookup)) -> Result<Verdict, Violation> {
    let mut lookup = lookup();
    change(&mut lookup);
    effect_in(Phase::Request, fx::Effect::CacheLookup(lookup))
}

fn rule_of(change: impl FnOnce(&mut fx::CacheRule)) -> Result<Verdict, Violation> {
    let mut rule = rule();
    change(&mut rule);
    effect_in(Phase::Fetched, fx::Effect::CacheRule(rule))
}

/// An effect's name, a function that creates one, and the phases that it belongs to.
type Belongs = (&'static str, fn() -> fx::Effect, &'static [Phase]);

const EFFECTS: [Belongs; 7] = [
    ("take", take, &[Phase::Request]),
    ("choose-upstream", || choose("blue"), &[Phase::Request]),
    ("split", || split(&[("blue", 1)]), &[Phase::Request]),
    (
        "cache-lookup",
        || fx::Effect::CacheLookup(lookup()),
        &[Phase::Request],
    ),
    (
        "cache-rule",
        || fx::Effect::CacheRule(rule()),
        &[Phase::Fetched],
    ),
    (
        "cache-tag",
        || fx::Effect::CacheTag(parts("a")),
        &[Phase::Fetched],
    ),
    (
        "purge",
        || purge(fx::PurgeScope::Site),
        &[Phase::Request, Phase::Response, Phase::Finished],
    ),
];

#[test]
fn effects_belong_to_phases_and_are_declared() {
    for (name, make, phases) in EFFECTS {
        let declared = format!("effect:{name}");
        for phase in Phase::ALL {
            let with = |may: &[&str]| checked(phase, may, effect(make()));
            if !phases.contains(&phase) {
                let words = with(&[&declared]).unwrap_err();
                assert!(
                    words.starts_with(&format!("`{name}` belongs to the phase")),
                    "{words}"
                );
                assert!(words.ends_with(&format!("`{}`", phase.name())), "{words}");
                continue;
            }
            assert_eq!(with(&[&declared]).unwrap().effects.len(), 1, "{name}");
            let other = if name == "cache-tag" {
                "effect:purge"
            } else {
                "effect:cache-tag"
            };
            let words = with(&[other]).unwrap_err();
            assert!(words.contains(&format!("declare `{declared}`")), "{words}");
        }
    }
    let words = effect_in(Phase::Missing, purge(fx::PurgeScope::Site)).unwrap_err();
    assert_eq!(
        words,
        "`purge` belongs to the phases `request` and `response` and `finished` and was given in `missing`"
    );
}

#[test]
fn what_is_younger_than_this_version_is_refused_by_its_name() {
    let reuse = verdicts::Verdict {
        reuse: verdicts::Reuse::Named(later_constant()),
        ..nothing()
    };
    let part = vec![raw::Part::Named(later_constant())];
    for verdict in [
        outcome(verdicts::Outcome::Named(later())),
        edit(verdicts::Edit::Named(later())),
        response_edit(verdicts::Edit::Named(later())),
        effect(fx::Effect::Named(later())),
        annotation_of("a", part),
        reuse,
    ] {
        let words = checked(Phase::Request, &[], verdict).unwrap_err();
        assert!(
            words.starts_with("this version does not know the "),
            "{words}"
        );
        assert!(words.ends_with("\"later\""), "{words}");
    }
}

#[test]
fn edits_are_declared() {
    let set = |name: &str| verdicts::Edit::SetHeader(header(name));
    let path = || verdicts::Edit::SetPath(parts("/a"));
    for (phase, word, verdict, is_allowed) in [
        (Phase::Request, "edit:header:x-a", edit(set("X-A")), true),
        (Phase::Request, "edit:header:x-*", edit(set("x-a")), true),
        (Phase::Request, "edit:header:x-b", edit(set("x-a")), false),
        (
            Phase::Request,
            "edit:response-header:x-a",
            edit(set("x-a")),
            false,
        ),
        (
            Phase::Request,
            "edit:response-header:x-a",
            response_edit(set("x-a")),
            true,
        ),
        (
            Phase::Request,
            "edit:header:x-a",
            response_edit(set("x-a")),
            false,
        ),
        (
            Phase::Missing,
            "edit:response-header:x-a",
            response_edit(set("x-a")),
            true,
        ),
        (
            Phase::Missing,
            "edit:response-header:x-a",
            edit(set("x-a")),
            false,
        ),
        (
            Phase::Response,
            "edit:response-header:x-a",
            edit(set("x-a")),
            true,
        ),
        (
            Phase::Response,
            "edit:response-header:x-a",
            response_edit(set("x-a")),
            false,
        ),
        (Phase::Request, "edit:set-path", edit(path()), true),
        (Phase::Request, "edit:set-query", edit(path()), false),
        (
            Phase::Request,
            "edit:set-path",
            response_edit(path()),
            false,
        ),
        (
            Phase::Request,
            "edit:header:*",
            edit(set("connection")),
            false,
        ),
    ] {
        let words = format!("{phase:?} {word} {verdict:?}");
        assert_eq!(
            checked(phase, &[word], verdict).is_ok(),
            is_allowed,
            "{words}"
        );
    }
}

#[test]
fn replies_are_declared_and_so_are_their_cookies() {
    let respond = |name| outcome(verdicts::Outcome::Respond(reply_with(name)));
    let cookie = "edit:response-header:set-cookie";
    for (may, name, is_allowed) in [
        (&["respond"][..], "x-a", true),
        (&["effect:take"], "x-a", false),
        (&["respond"], "Set-Cookie", false),
        (&["respond", cookie], "Set-Cookie", true),
    ] {
        let found = checked(Phase::Request, may, respond(name));
        assert_eq!(found.is_ok(), is_allowed, "{may:?} {name}");
    }
}

#[test]
fn variables_are_declared() {
    let set = |name: &str| {
        verdicts::Edit::SetVariable(verdicts::Variable {
            name: name.to_owned(),
            value: vec![raw::Part::Input(1)],
        })
    };
    let found = checked(Phase::Request, &[], edit(set("user"))).unwrap();
    let Edit::SetVariable { is_secret, .. } = &found.edits[0] else {
        panic!("another edit");
    };
    assert!(is_secret, "it contains a cookie");
    assert!(checked(Phase::Missing, &[], edit(set("user"))).is_ok());
    assert!(checked(Phase::Request, &[], edit(set("other"))).is_err());
    assert!(checked(Phase::Finished, &[], edit(set("user"))).is_err());
    assert!(checked(Phase::Request, &[], response_edit(set("user"))).is_err());
}

#[test]
fn annotations_have_names_and_no_secrets() {
    for (name, value, is_allowed) in [
        ("note", parts("anything\nat all"), true),
        ("a.b-c_1", vec![raw::Part::Reference(0)], true),
        ("note", vec![raw::Part::Input(1)], false),
        ("Note", parts("a"), false),
        ("", parts("a"), false),
        (&"a".repeat(65), parts("a"), false),
    ] {
        let found = checked(Phase::Finished, &[], annotation_of(name, value));
        assert_eq!(found.is_ok(), is_allowed, "{name}");
    }
    let many = |count| verdicts::Verdict {
        annotations: vec![
            verdicts::Annotation {
                name: "a".to_owned(),
                value: Vec::new(),
            };
            count
        ],
        ..nothing()
    };
    assert!(checked(Phase::Request, &[], many(16)).is_ok());
    assert!(checked(Phase::Request, &[], many(17)).is_err());
}

#[test]
fn unsupported_effects_are_refused() {
    let ban = fx::Ban {
        subject: Vec::new(),
        after: 1,
        within_seconds: 1,
        for_seconds: 1,
        reason: String::new(),
    };
    let verify = fx::Verify {
        secret: "s".to_owned(),
        algorithm: "HS256".to_owned(),
        message: Vec::new(),
        signature: Vec::new(),
        encoding: fx::Encoding::Hex,
        prefix: String::new(),
        otherwise: empty_reply(),
    };
    for (name, effect) in [
        ("ban", fx::Effect::Ban(ban)),
        ("verify", fx::Effect::Verify(verify)),
    ] {
        let words = effect_in(Phase::Request, effect).unwrap_err();
        assert!(
            words.starts_with(&format!("`{name}` is not supported")),
            "{words}"
        );
    }
}

fn declared(name: &str, place: usize) -> DeclaredUpstream {
    let name = name.into();
    DeclaredUpstream { name, place }
}

#[test]
fn upstreams_are_found_among_those_that_are_declared() {
    let chosen = effect_in(Phase::Request, choose("green")).unwrap();
    let green = Effect::ChooseUpstream(Box::new(declared("green", 1)));
    assert_eq!(*chosen.effects, [green]);

    let mut raw = split(&[("green", 5), ("blue", 0)]);
    if let fx::Effect::Split(split) = &mut raw {
        split.sticky = Some(vec![raw::Part::Reference(0)]);
    }
    let divided = effect_in(Phase::Request, raw).unwrap();
    let share = |upstream, weight| Share { upstream, weight };
    let expected = Split {
        shares: [
            share(declared("green", 1), 5),
            share(declared("blue", 0), 0),
        ]
        .into(),
        sticky: Some(Value::Parts([Part::Reference(0)].into())),
    };
    assert_eq!(*divided.effects, [Effect::Split(Box::new(expected))]);
}

/// What was not declared is never skipped, and a wrong split is as any other verdict that is not
/// valid.
#[test]
fn upstreams_that_cannot_be_chosen() {
    let many: Vec<(&str, u32)> = vec![("blue", 1); 65];
    for (raw, words, is_of_effect) in [
        (choose("red"), "did not declare `upstream:red`", true),
        (choose(""), "did not declare `upstream:`", true),
        (
            split(&[("blue", 1), ("red", 0)]),
            "did not declare `upstream:red`",
            true,
        ),
        (split(&[]), "no weight of a split is above 0", false),
        (
            split(&[("blue", 0), ("green", 0)]),
            "no weight of a split is above 0",
            false,
        ),
        (
            split(&[("blue", 1), ("blue", 2)]),
            "\"blue\" is twice in a split",
            false,
        ),
        (split(&many), "64 is the most", false),
    ] {
        let mut plan = Plan::new(Vec::new(), Vec::new(), &[]).unwrap();
        let may = ["effect:choose-upstream", "effect:split"];
        plan.may = May::new(may.map(|word| Permission::parse(word).unwrap()).into());
        let rules = Rules {
            phase: Phase::Request,
            plan: &plan,
            variables: &[],
            upstreams: &["blue".into(), "green".into()],
        };
        match verdict(effect(raw), &rules) {
            Err(Unusable::Effect(why)) if is_of_effect => assert!(why.contains(words), "{why}"),
            Err(Unusable::Violation(why)) if !is_of_effect => {
                assert!(why.contains(words), "{why}");
            }
            other => panic!("{words}: {:?}", other.is_ok()),
        }
    }
}

#[test]
fn serve_is_for_the_phase_missing() {
    let with = |phase, path| {
        let served = outcome(verdicts::Outcome::Serve(path));
        checked(phase, &["serve"], served)
    };
    for phase in Phase::ALL {
        let served = with(phase, parts("/index.html"));
        assert_eq!(served.is_ok(), phase == Phase::Missing, "{phase:?}");
    }
    assert_eq!(
        with(Phase::Missing, parts("/index.html")).unwrap().outcome,
        Outcome::Serve(Value::Literal(Box::from(&b"/index.html"[..])))
    );
    for bad in ["/a b", "/a#b", "/a\r\nb"] {
        assert!(with(Phase::Missing, parts(bad)).is_err(), "{bad:?}");
    }
    assert!(with(Phase::Missing, vec![raw::Part::Input(2)]).is_err());
}

#[test]
fn edits_and_replies_belong_to_phases() {
    let may = ["respond", "edit:set-status", "edit:set-path"];
    for phase in Phase::ALL {
        let edit = |raw| checked(phase, &may, edit(raw));
        assert_eq!(
            edit(verdicts::Edit::SetStatus(404)).is_ok(),
            [Phase::Fetched, Phase::Response].contains(&phase),
            "{phase:?}"
        );
        assert_eq!(
            edit(verdicts::Edit::SetPath(parts("/a"))).is_ok(),
            phase == Phase::Request,
            "{phase:?}"
        );
        let reply = outcome(verdicts::Outcome::Respond(empty_reply()));
        assert_eq!(
            checked(phase, &may, reply).is_ok(),
            phase != Phase::Finished,
            "{phase:?}"
        );
    }
}

#[test]
fn cache_lookups_are_converted_within_their_limits() {
    let names = |count: usize| (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>();
    let found = lookup_of(|lookup| {
        lookup.query = fx::QueryKey::Without(vec!["utm_*".into(), "fbclid".into(), "*".into()]);
        lookup.vary_on = vec![parts("a"), vec![raw::Part::Reference(0)]];
    })
    .unwrap();
    let expected = CacheLookup {
        query: QueryKey::Without(Box::from([
            ParameterName::StartsWith("utm_".into()),
            ParameterName::Exact("fbclid".into()),
            ParameterName::StartsWith("".into()),
        ])),
        vary_on: Box::from([
            Value::Literal(Box::from(&b"a"[..])),
            Value::Parts(Box::from([crate::verdict::Part::Reference(0)])),
        ]),
        bypass: None,
    };
    assert_eq!(*found.effects, [Effect::CacheLookup(Box::new(expected))]);

    for (count, good) in [(64, true), (65, false)] {
        let query = fx::QueryKey::Only(names(count));
        assert_eq!(lookup_of(|l| l.query = query).is_ok(), good, "{count}");
    }
    for (name, good) in [
        ("a", true),
        ("", false),
        ("*a", false),
        ("a**", false),
        ("a\nb", false),
        (&"a".repeat(128), true),
        (&"a".repeat(129), false),
    ] {
        let query = fx::QueryKey::Only(vec![name.to_owned()]);
        assert_eq!(lookup_of(|l| l.query = query).is_ok(), good, "{name:?}");
    }
    for (count, good) in [(16, true), (17, false)] {
        let values = vec![parts("a"); count];
        assert_eq!(lookup_of(|l| l.vary_on = values).is_ok(), good, "{count}");
    }
    for (reason, good) in [
        ("cookie", true),
        ("", false),
        ("a\nb", false),
        (&"a".repeat(65), false),
    ] {
        let bypass = Some(reason.to_owned());
        assert_eq!(lookup_of(|l| l.bypass = bypass).is_ok(), good, "{reason:?}");
    }
}

#[test]
fn cache_rules_are_converted_within_their_limits() {
    let longest = (1_u32 << 31) - 1;
    let lines = [
        ("public, max-age=604800", true),
        ("", true),
        ("a\r\nSet-Cookie: b", false),
        ("nul\0", false),
        (&"a".repeat(1024), true),
        (&"a".repeat(1025), false),
    ];
    for (line, good) in lines {
        let set = || Some(line.to_owned());
        assert_eq!(rule_of(|r| r.browser = set()).is_ok(), good, "{line:?}");
        assert_eq!(rule_of(|r| r.cdn = set()).is_ok(), good, "{line:?}");
    }
    for (seconds, good) in [
        (0, true),
        (longest, true),
        (longest + 1, false),
        (u32::MAX, false),
    ] {
        let store = fx::Storage::Seconds(seconds);
        assert_eq!(rule_of(|r| r.store = store).is_ok(), good, "{seconds}");
        let span = Some(seconds);
        assert_eq!(
            rule_of(|r| r.stale_while_revalidate = span).is_ok(),
            good,
            "{seconds}"
        );
        assert_eq!(
            rule_of(|r| r.stale_if_error = span).is_ok(),
            good,
            "{seconds}"
        );
    }
    for (name, good) in [
        ("images", true),
        ("", false),
        ("é", false),
        (&"a".repeat(65), false),
    ] {
        let name = || name.to_owned();
        assert_eq!(rule_of(|r| r.name = name()).is_ok(), good, "{}", name());
    }
    let kept = rule_of(|r| {
        r.store = fx::Storage::ByFieldsOrHeuristic;
        r.cdn = Some("max-age=60".into());
        r.shared = true;
    })
    .unwrap();
    let Effect::CacheRule(kept) = &kept.effects[0] else {
        panic!("another effect");
    };
    assert_eq!(kept.store, Storage::ByFieldsOrHeuristic);
    assert_eq!(kept.cdn.as_deref(), Some("max-age=60"));
    assert!(kept.shared && kept.browser.is_none());
}

#[test]
fn purges_and_tags_are_checked_as_values() {
    use fx::PurgeScope::{Prefix, Tagged, Url};
    for (scope, good) in [
        (Url(parts("/a?b=c")), true),
        (Url(parts("/a b")), false),
        (Url(vec![raw::Part::Input(0)]), true),
        (Url(vec![raw::Part::Input(2)]), false),
        (Prefix(parts("/a/")), true),
        (Prefix(parts("/#")), false),
        (Tagged(parts("a b, c")), true),
        (Tagged(parts("a\nb")), false),
    ] {
        let words = format!("{scope:?}");
        assert_eq!(
            effect_in(Phase::Response, purge(scope)).is_ok(),
            good,
            "{words}"
        );
    }
    for (tag, good) in [("a b, c", true), ("a\nb", false)] {
        let tag = fx::Effect::CacheTag(parts(tag));
        assert_eq!(effect_in(Phase::Fetched, tag).is_ok(), good);
    }
}
