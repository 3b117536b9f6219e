use super::*;
use crate::{Request, Response, Subscription};

#[test]
fn text_and_placeholders() {
    use Piece::{Input as Is, Text};
    let cases = [
        ("", vec![]),
        ("plain", vec![Text("plain".into())]),
        ("{host}", vec![Is(Input::Host)]),
        (
            "a{path}b{header:X-Y}",
            vec![
                Text("a".into()),
                Is(Input::Path),
                Text("b".into()),
                Is(Input::Header("x-y".into())),
            ],
        ),
        ("{{host}}", vec![Text("{host}".into())]),
        (
            "{client_network}{client_network:24/48}",
            vec![
                Is(crate::client_network(32, 64)),
                Is(crate::client_network(24, 48)),
            ],
        ),
        (
            "{variable:auth.user}",
            vec![Is(Input::Variable("auth.user".into()))],
        ),
        (
            "{{{host}}}",
            vec![Text("{".into()), Is(Input::Host), Text("}".into())],
        ),
        (
            "{query}?{query:p}",
            vec![
                Is(Input::Query),
                Text("?".into()),
                Is(Input::QueryParameter("p".into())),
            ],
        ),
    ];
    for (text, pieces) in cases {
        assert_eq!(Template::parse(text).unwrap().pieces, pieces, "{text}");
    }
}

#[test]
fn mistakes_are_named() {
    let cases = [
        ("{host", "`{` without `}`; a brace itself is written `{{`"),
        ("host}", "`}` without `{`; a brace itself is written `}}`"),
        (
            "{client-ip}",
            "unknown placeholder `client-ip`; did you mean `client_ip`?",
        ),
        (
            "{headers:x}",
            "unknown placeholder `headers:x`; did you mean `header:…`?",
        ),
        (
            "{header}",
            "unknown placeholder `header`; did you mean `header:…`?",
        ),
        ("{header:}", "`header:` needs a name after the colon"),
        (
            "{client_network:33/48}",
            "write the lengths of the prefixes of IPv4 and IPv6, as in `client_network:24/48`",
        ),
        ("{header:a b}", "\"a b\" is not a field name"),
        (
            "a\nb",
            "a field value holds no line break or other control character",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(Template::parse(text).unwrap_err(), message, "{text}");
    }
    let far = Template::parse("{something_else}").unwrap_err();
    assert!(
        far.contains("there are answered_by, attempts, client_ip"),
        "{far}"
    );
}

#[test]
fn a_phase_refuses_what_it_does_not_know() {
    let mut subscription = Subscription::default();
    let status = Template::parse("{status}").unwrap();
    assert_eq!(
        status.value(subscription.request()).unwrap_err(),
        "`status` is not known yet in the phase request"
    );
    assert!(status.value(subscription.response()).is_ok());
    let by = Template::parse("{answered_by}").unwrap();
    assert!(by.value(subscription.fetched()).is_err());
    assert!(by.value::<Response>(subscription.response()).is_ok());
    assert!(by.value::<Request>(subscription.request()).is_err());
    let duration = Template::parse("{duration_ms}").unwrap();
    assert!(duration.value(subscription.response()).is_err());
    assert!(duration.value(subscription.finished()).is_ok());
}
