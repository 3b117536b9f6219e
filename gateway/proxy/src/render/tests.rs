use janua_http::{EncodedSlash, HiddenDots};
use janua_wasm::ClientKey;
use proptest::prelude::*;

use super::*;
use crate::path_rules::PathRules;
use crate::verdict::new_path;

/// A request whose normalised path and query are these, and whose every other input is this.
struct Request<'a> {
    path: &'a [u8],
    query: &'a [u8],
    other: &'a [u8],
}

impl Facts for Request<'_> {
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(match input {
            Input::Path => self.path,
            Input::Query | Input::RawQueryParameter(_) => self.query,
            _ => self.other,
        });
        true
    }

    fn client(&self) -> ClientKey {
        ClientKey::default()
    }
}

/// All references: the path, a field, the query, a parameter as sent.
fn plan() -> Plan {
    let references = vec![
        Input::Path,
        Input::Header("x-a".into()),
        Input::Query,
        Input::RawQueryParameter("a".into()),
        Input::RawPath,
    ];
    Plan::new(Vec::new(), references, &[]).unwrap()
}

const PATH: u16 = 0;
const FIELD: u16 = 1;
const QUERY: u16 = 2;
const RAW_PARAMETER: u16 = 3;
const RAW_PATH: u16 = 4;

/// The text `before`, the reference, and the text `after`.
fn around(before: &str, reference: u16, after: &str) -> Value {
    let literal = |text: &str| Part::Literal(text.as_bytes().into());
    Value::Parts([literal(before), Part::Reference(reference), literal(after)].into())
}

fn rendered(value: &Value, destination: Destination, request: &Request<'_>) -> Vec<u8> {
    let mut rendered = Rendered::default();
    rendered.push(value, destination, &plan(), request).unwrap();
    rendered.get(0, value).unwrap().to_vec()
}

#[test]
fn each_destination_has_its_own_encoding() {
    let request = Request {
        path: b"/p%20q;x",
        query: b"a=1&b=%41+",
        other: b"a/b;c&d=e f%2F?#",
    };
    let segment = "a%2Fb%3Bc&d=e%20f%252F%3F%23";
    let parameter = "a%2Fb%3Bc%26d%3De%20f%252F%3F%23";
    for (destination, reference, expected) in [
        (Destination::Text, FIELD, "a/b;c&d=e f%2F?#"),
        (Destination::Path, FIELD, segment),
        (Destination::Path, RAW_PATH, segment),
        (Destination::Path, PATH, "/p%20q;x"),
        (Destination::Path, RAW_PARAMETER, "a=1&b=%2541+"),
        (Destination::Query, FIELD, parameter),
        (Destination::Query, RAW_PATH, parameter),
        (Destination::Query, QUERY, "a=1&b=%41+"),
        (Destination::Query, RAW_PARAMETER, "a=1&b=%41+"),
        (Destination::Query, PATH, "%2Fp%2520q%3Bx"),
        (Destination::Url, FIELD, segment),
        (Destination::Url, PATH, "/p%20q;x"),
    ] {
        let text = rendered(&around("<", reference, ">"), destination, &request);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, format!("<{expected}>"), "{destination:?} {reference}");
    }
    // The query of an address begins at the first `?` that the policy wrote.
    let text = rendered(&around("/a?b=", FIELD, ""), Destination::Url, &request);
    assert_eq!(text, format!("/a?b={parameter}").as_bytes());
    let text = rendered(&around("/a", FIELD, "?b"), Destination::Url, &request);
    assert_eq!(text, format!("/a{segment}?b").as_bytes());
}

#[test]
fn a_conflicting_reference_is_named() {
    struct Conflict;
    impl Facts for Conflict {
        fn input(&self, _: &Input, _: &mut Vec<u8>) -> bool {
            true
        }

        fn single(&self, _: &Input, _: &mut Vec<u8>) -> Single {
            Single::Conflicting
        }

        fn client(&self) -> ClientKey {
            ClientKey::default()
        }
    }
    let key = Input::Header("x-key".into());
    let mut plan = Plan::new(Vec::new(), vec![key.clone()], &[]).unwrap();
    plan.sensitive_references = vec![true];
    let value = around("", 0, "");
    let push = |plan: &Plan| Rendered::default().push(&value, Destination::Text, plan, &Conflict);
    assert_eq!(
        push(&plan),
        Err(Unrendered::BadInput(BadInput::Conflicting(key)))
    );
    plan.sensitive_references = vec![false];
    assert_eq!(push(&plan), Ok(()));
}

#[test]
fn dot_segments_of_inputs_are_refused() {
    for (before, value, after, expected) in [
        ("/files/", "a", "", Some("/files/a")),
        ("/files/", "a/b", "", Some("/files/a%2Fb")),
        ("/files/", "", "/x", Some("/files/x")),
        ("/files/", "..", "", None),
        ("/files/", ".", "", None),
        ("/files/", "..", "/x", None),
        ("/files/.", ".", "", None),
        ("/files/%2e", ".", "", None),
        ("/files/%2", "e", "./x", None),
        ("/files/", "", "../x", None),
        ("/files/", ".", ".", None),
        ("/files/", "../admin", "", None),
        ("/files/", "..\\admin", "", None),
        ("/files/", "..;", "/admin", None),
        ("/files/", "...", "", Some("/files/...")),
        ("/files/a", "..", "", Some("/files/a..")),
        ("/files/", "%2e%2e", "", Some("/files/%252e%252e")),
        ("/files/", "..%2fadmin", "", Some("/files/..%252fadmin")),
    ] {
        let request = Request {
            path: b"/",
            query: b"",
            other: value.as_bytes(),
        };
        let value = around(before, FIELD, after);
        let raw = rendered(&value, Destination::Path, &request);
        let path = new_path(&value, &raw, PathRules::default()).ok();
        let expected = expected.map(|path| path.as_bytes().to_vec());
        assert_eq!(path, expected, "{}", raw.escape_ascii());
    }
    // The policy's own text is its own affair.
    let literal = Value::Literal(b"/a/../b"[..].into());
    let path = new_path(&literal, b"/a/../b", PathRules::default());
    assert_eq!(path.unwrap(), b"/b");
}

proptest! {
    /// Whatever an input is, the path stays below the text in front of it, for every upstream.
    #[test]
    fn no_input_climbs_out_of_the_text_in_front_of_it(
        bytes in prop::collection::vec(any::<u8>(), 0..6),
        dots in "[./%25ecE2F;\\\\a]{0,8}",
        end in prop::sample::select(vec!["", ".", "..", "/", "/..", "/../..", "%2e", "/%2e%2E/x", ";"]),
        reference in prop::sample::select(vec![PATH, FIELD, RAW_PARAMETER, RAW_PATH]),
        hidden_dots in prop::sample::select(vec![HiddenDots::Refuse, HiddenDots::Keep]),
    ) {
        let other = [dots.as_bytes(), &bytes].concat();
        let mut path = Vec::new();
        let sent = [b"/", other.as_slice()].concat();
        let rules = PathRules { encoded_slash: EncodedSlash::Keep, hidden_dots };
        match path::normalise(&sent, &mut path) {
            // The request itself was accepted.
            Ok(spelling) if rules.check(spelling, janua_http::failure::Kind::BadRequest).is_ok() => {}
            _ => path = b"/".to_vec(),
        }
        let request = Request { path: &path, query: &other, other: &other };
        let value = around("/files/v", reference, end);
        let raw = rendered(&value, Destination::Path, &request);
        let Ok(path) = new_path(&value, &raw, rules) else {
            return Ok(());
        };
        prop_assert!(path.starts_with(b"/files/v"), "{}", path.escape_ascii());
        if hidden_dots == HiddenDots::Refuse {
            let text = String::from_utf8(path).unwrap();
            let mut decoded = text.replace("%2F", "/").replace("%5C", "/").replace("%3B", ";");
            decoded = decoded.split('/').map(|segment| segment.split(';').next().unwrap())
                .collect::<Vec<_>>().join("/");
            prop_assert!(!path::has_dot_segment(decoded.as_bytes()), "{}", decoded);
        }
    }
}

/// Every input has this many bytes.
struct Long(usize);

impl Facts for Long {
    fn input(&self, _: &Input, out: &mut Vec<u8>) -> bool {
        out.resize(out.len() + self.0, b'a');
        true
    }

    fn client(&self) -> ClientKey {
        ClientKey::default()
    }
}

/// A reference so many times.
fn repeated(times: usize) -> Value {
    Value::Parts(vec![Part::Reference(FIELD); times].into())
}

fn render(values: &[Value], facts: &Long) -> (Result<(), Unrendered>, Rendered) {
    let mut rendered = Rendered::default();
    let mut values = values.iter();
    let result =
        values.try_for_each(|value| rendered.push(value, Destination::Text, &plan(), facts));
    (result, rendered)
}

#[test]
fn a_verdict_is_rendered_within_bounds() {
    let literal = |len| Value::Literal(vec![b'a'; len].into());
    let within = |len| vec![repeated(len / 1024)];
    let table = [
        (within(MAX_VALUE), Ok(())),
        (within(MAX_VALUE + 1024), Err(TooLarge::Value)),
        (vec![repeated(64); 4], Ok(())),
        (vec![repeated(51); 6], Err(TooLarge::Values)),
        (vec![repeated(1); 256], Ok(())),
        (vec![repeated(1); 257], Err(TooLarge::Values)),
        (vec![literal(8 * 1024); 32], Ok(())),
        (vec![literal(8 * 1024); 33], Err(TooLarge::Values)),
        (
            vec![literal(MAX_VALUES), repeated(1)],
            Err(TooLarge::Values),
        ),
    ];
    for (values, expected) in table {
        let found = render(&values, &Long(1024)).0;
        assert_eq!(
            found,
            expected.map_err(Unrendered::TooLarge),
            "{}",
            values.len()
        );
    }
}

/// What the largest verdict of the contract makes of a field of 30 KB would be 491 MB.
#[test]
fn the_bound_is_checked_before_memory_is_taken() {
    let (result, mut rendered) = render(&vec![repeated(64); 256], &Long(30_000));
    assert_eq!(result, Err(Unrendered::TooLarge(TooLarge::Value)));
    assert!(rendered.arena.capacity() <= 2 * (MAX_VALUE + 30_000));
    rendered.shrink();
    assert_eq!(rendered.arena.capacity(), 0);
}

#[test]
fn memory_of_usual_size_is_kept() {
    let (result, mut rendered) = render(&[repeated(3)], &Long(1024));
    assert_eq!(result, Ok(()));
    rendered.shrink();
    rendered.clear();
    assert!(rendered.arena.capacity() >= 3 * 1024);
}
