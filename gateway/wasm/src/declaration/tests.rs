use super::*;

fn phase(name: &str) -> RawPhase {
    RawPhase {
        name: name.to_owned(),
        inputs: Vec::new(),
        references: Vec::new(),
        sensitive: Vec::new(),
        may: Vec::new(),
    }
}

fn declared(phases: Vec<RawPhase>) -> Result<Declaration, ConfigureError> {
    Declaration::new(&RawSubscription {
        phases,
        ..RawSubscription::default()
    })
}

fn words(result: Result<Declaration, ConfigureError>) -> String {
    result.map(drop).unwrap_err().to_string()
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// An input or a reference that has no value in its phase is refused.
#[test]
fn inputs_belong_to_phases() {
    let of_response = [
        Phase::Fetched,
        Phase::Missing,
        Phase::Response,
        Phase::Finished,
    ];
    let table: [(Input, &[Phase]); 8] = [
        (Input::Path, &Phase::ALL),
        (Input::Status, &of_response),
        (Input::ResponseHeader("vary".into()), &of_response),
        (Input::ResponseHeaderPresent("vary".into()), &of_response),
        (Input::AnsweredBy, &[Phase::Response, Phase::Finished]),
        (Input::DurationMs, &[Phase::Finished]),
        (Input::BodyText(1), &[]),
        (Input::Variable("a.b".into()), &Phase::ALL),
    ];
    for (input, phases) in table {
        for of in Phase::ALL {
            let known = declared(vec![RawPhase {
                references: vec![input.clone()],
                ..phase(of.name())
            }]);
            assert_eq!(known.is_ok(), phases.contains(&of), "{input} in {of:?}");
        }
    }
}

#[test]
fn what_is_not_known_is_refused_by_its_name() {
    let more = Declaration::new(&RawSubscription {
        more: texts(&["retries"]),
        ..RawSubscription::default()
    });
    assert!(words(more).contains("the declaration `retries`, which is not supported"));
    assert!(words(declared(vec![phase("connect")])).contains("the phase `connect`"));
    let may = |word: &str| {
        declared(vec![RawPhase {
            may: texts(&[word]),
            ..phase("request")
        }])
    };
    assert!(words(may("effect:teleport")).contains("the permission `effect:teleport`"));
    assert!(words(may("effect:verify")).contains("the permission `effect:verify`"));
    let uses = Declaration::new(&RawSubscription {
        uses: texts(&["respond"]),
        ..RawSubscription::default()
    });
    assert!(words(uses).contains("belongs to a phase"));
}

#[test]
fn permissions_belong_to_phases() {
    for (word, phases) in [
        ("respond", "request fetched missing response"),
        ("serve", "missing"),
        ("edit:header:x-a", "request"),
        ("edit:header:connection", ""),
        ("edit:set-path", "request"),
        (
            "edit:response-header:x-a",
            "request fetched missing response",
        ),
        ("edit:set-status", "request fetched missing response"),
        ("effect:take", "request"),
        ("effect:cache-tag", "fetched"),
        ("input:query", ""),
    ] {
        for of in Phase::ALL {
            let allowed = declared(vec![RawPhase {
                may: texts(&[word]),
                ..phase(of.name())
            }]);
            let expected = phases.split(' ').any(|name| name == of.name());
            assert_eq!(allowed.is_ok(), expected, "{word} in {of:?}");
        }
    }
}

#[test]
fn a_phase_is_known_by_its_position() {
    let found = declared(vec![phase("response"), phase("request")]).unwrap();
    assert_eq!(found.position(Phase::Response), Some(0));
    assert_eq!(found.position(Phase::Request), Some(1));
    assert_eq!(found.position(Phase::Missing), None);
    let twice = declared(vec![phase("response"), phase("response")]);
    assert!(words(twice).contains("twice"));
}

#[test]
fn owned_fields_may_be_set_and_cannot_be_those_of_the_connection() {
    let owner = |name: &str| {
        Declaration::new(&RawSubscription {
            owns: texts(&[name]),
            phases: vec![phase("request")],
            ..RawSubscription::default()
        })
    };
    let found = owner("X-Auth-*").unwrap();
    let may = &found.plan(Phase::Request).unwrap().may;
    assert!(may.edits_header("x-auth-user") && !may.edits_header("x-user"));
    for name in ["host", "*", "h*", "content-length", "con*", "a b", ""] {
        assert!(owner(name).is_err(), "{name}");
    }
    // The gateway sets them before the first policy is asked.
    for name in ["x-*", "X-Forwarded-*", "x-real-ip", "X-Request-Id"] {
        let refused = owner(name).unwrap_err().to_string();
        assert!(refused.contains("the gateway itself sets"), "{refused}");
    }
    assert!(owner("x-forwarded-user").is_ok());
}
