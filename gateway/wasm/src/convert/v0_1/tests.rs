use super::*;
use crate::grants::Grants;
use crate::plan::Plan;
use crate::verdict::{CacheLookup, Effect, ParameterName, QueryKey, Storage};

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

fn take() -> raw::Effect {
    raw::Effect::Take(raw::Take {
        bucket: String::new(),
        key: Vec::new(),
        absent: raw::AbsentKey::Share,
        tokens: 1,
        period_ms: 1,
        burst: 0,
        cost: 1,
        otherwise: empty_reply(),
    })
}

fn lookup() -> raw::CacheLookup {
    raw::CacheLookup {
        query: raw::QueryKey::Whole,
        vary_on: Vec::new(),
        bypass: None,
    }
}

fn rule() -> raw::CacheRule {
    raw::CacheRule {
        name: "assets".to_owned(),
        store: raw::Storage::Seconds(60),
        browser: None,
        cdn: None,
        stale_while_revalidate: None,
        stale_if_error: None,
        shared: false,
    }
}

fn purge(scope: raw::PurgeScope) -> raw::Effect {
    raw::Effect::Purge(raw::Purge { scope, soft: true })
}

fn checked(
    phase: Phase,
    grants: &[&str],
    outcome: raw::Outcome,
    edits: Vec<raw::Edit>,
    effects: Vec<raw::Effect>,
) -> Result<Verdict, Violation> {
    let plan = Plan::new(vec![Input::Path], vec![Input::ClientIp], &[]).unwrap();
    let given: Vec<String> = grants.iter().map(ToString::to_string).collect();
    let grants = Grants::new(false, &given);
    let rules = Rules {
        phase,
        plan: &plan,
        grants: &grants,
    };
    let raw = raw::Verdict {
        outcome,
        edits,
        effects,
        reuse: raw::Reuse::Never,
        note: None,
    };
    match verdict(raw, &rules) {
        Ok((verdict, _)) => Ok(verdict),
        Err(Unusable::Violation(why) | Unusable::Effect(why)) => Err(why),
    }
}

/// Checks one effect, with every grant.
fn effect_in(phase: Phase, effect: raw::Effect) -> Result<Verdict, Violation> {
    let all = [
        "effect:take",
        "effect:cache-lookup",
        "effect:cache-rule",
        "effect:tag",
        "effect:purge",
        "effect:verify",
        "effect:choose-upstream",
        "effect:ban",
    ];
    checked(phase, &all, raw::Outcome::Proceed, vec![], vec![effect])
}

fn lookup_of(change: impl FnOnce(&mut raw::CacheLookup)) -> Result<Verdict, Violation> {
    let mut lookup = lookup();
    change(&mut lookup);
    effect_in(Phase::Request, raw::Effect::CacheLookup(lookup))
}

fn rule_of(change: impl FnOnce(&mut raw::CacheRule)) -> Result<Verdict, Violation> {
    let mut rule = rule();
    change(&mut rule);
    effect_in(Phase::Fetched, raw::Effect::CacheRule(rule))
}

/// An effect's name, a function that creates one, and the phases that it belongs to.
type Belongs = (&'static str, fn() -> raw::Effect, &'static [Phase]);

const EFFECTS: [Belongs; 5] = [
    ("take", take, &[Phase::Request]),
    (
        "cache-lookup",
        || raw::Effect::CacheLookup(lookup()),
        &[Phase::Request],
    ),
    (
        "cache-rule",
        || raw::Effect::CacheRule(rule()),
        &[Phase::Fetched],
    ),
    ("tag", || raw::Effect::Tag(parts("a")), &[Phase::Fetched]),
    (
        "purge",
        || purge(raw::PurgeScope::Site),
        &[Phase::Request, Phase::Response],
    ),
];

#[test]
fn effects_belong_to_phases_and_need_a_grant() {
    for (name, make, phases) in EFFECTS {
        let grant = format!("effect:{name}");
        for phase in Phase::ALL {
            let with = |grants: &[&str]| {
                checked(
                    phase,
                    grants,
                    raw::Outcome::Proceed,
                    Vec::new(),
                    vec![make()],
                )
            };
            if !phases.contains(&phase) {
                let words = with(&[&grant]).unwrap_err();
                assert!(
                    words.starts_with(&format!("`{name}` belongs to the phase")),
                    "{words}"
                );
                assert!(words.ends_with(&format!("`{}`", phase.name())), "{words}");
                continue;
            }
            assert_eq!(with(&[&grant]).unwrap().effects.len(), 1, "{name}");
            let other = if name == "tag" {
                "effect:purge"
            } else {
                "effect:tag"
            };
            let words = with(&[other]).unwrap_err();
            assert!(words.contains(&format!("{grant:?}")), "{words}");
        }
    }
    let words = effect_in(Phase::Missing, purge(raw::PurgeScope::Site)).unwrap_err();
    assert_eq!(
        words,
        "`purge` belongs to the phases `request` and `response` and was given in `missing`"
    );
}

#[test]
fn unsupported_effects_are_refused() {
    let ban = raw::Ban {
        subject: Vec::new(),
        after: 1,
        within_seconds: 1,
        for_seconds: 1,
        reason: String::new(),
    };
    for (name, effect) in [
        ("ban", raw::Effect::Ban(ban)),
        ("choose-upstream", raw::Effect::ChooseUpstream("b".into())),
    ] {
        let words = effect_in(Phase::Request, effect).unwrap_err();
        assert!(
            words.starts_with(&format!("`{name}` is not supported")),
            "{words}"
        );
    }
}

#[test]
fn serve_is_for_the_phase_missing() {
    let with = |phase, path| {
        checked(
            phase,
            &[],
            raw::Outcome::Serve(path),
            Vec::new(),
            Vec::new(),
        )
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
    assert!(with(Phase::Missing, vec![raw::Part::Input(1)]).is_err());
}

#[test]
fn edits_and_replies_belong_to_phases() {
    for phase in Phase::ALL {
        let edit = |edit| checked(phase, &[], raw::Outcome::Proceed, vec![edit], Vec::new());
        assert_eq!(
            edit(raw::Edit::SetStatus(404)).is_ok(),
            phase != Phase::Request,
            "{phase:?}"
        );
        assert_eq!(
            edit(raw::Edit::SetPath(parts("/a"))).is_ok(),
            phase == Phase::Request,
            "{phase:?}"
        );
        let reply = raw::Outcome::Respond(empty_reply());
        assert!(
            checked(phase, &[], reply, Vec::new(), Vec::new()).is_ok(),
            "{phase:?}"
        );
    }
}

#[test]
fn cache_lookups_are_converted_within_their_limits() {
    let names = |count: usize| (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>();
    let found = lookup_of(|lookup| {
        lookup.query = raw::QueryKey::Without(vec!["utm_*".into(), "fbclid".into(), "*".into()]);
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
        let query = raw::QueryKey::Only(names(count));
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
        let query = raw::QueryKey::Only(vec![name.to_owned()]);
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
        let store = raw::Storage::Seconds(seconds);
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
        r.store = raw::Storage::ByFieldsOrHeuristic;
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
    use raw::PurgeScope::{Prefix, Tag, Url};
    for (scope, good) in [
        (Url(parts("/a?b=c")), true),
        (Url(parts("/a b")), false),
        (Url(vec![raw::Part::Input(0)]), true),
        (Url(vec![raw::Part::Input(1)]), false),
        (Prefix(parts("/a/")), true),
        (Prefix(parts("/#")), false),
        (Tag(parts("a b, c")), true),
        (Tag(parts("a\nb")), false),
    ] {
        let words = format!("{scope:?}");
        assert_eq!(
            effect_in(Phase::Response, purge(scope)).is_ok(),
            good,
            "{words}"
        );
    }
    for (tag, good) in [("a b, c", true), ("a\nb", false)] {
        let tag = raw::Effect::Tag(parts(tag));
        assert_eq!(effect_in(Phase::Fetched, tag).is_ok(), good);
    }
}
