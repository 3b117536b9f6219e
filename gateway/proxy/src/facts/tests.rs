use janua_datasets::{Datasets, Kind, Source};
use janua_http::head::Limits;
use janua_wasm::{Edit, Lookup, PrefixLengths, Value, Verdict};

use super::*;
use crate::render::Rendered;

fn datasets() -> Datasets {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str, kind, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let dataset = Source { kind, file }.load(None).unwrap();
        (name.to_owned(), dataset)
    };
    [
        load("offices", Kind::Networks, "192.0.2.0/24 berlin\n"),
        load("tenants", Kind::Strings, "a.example gold\n1\tone\n"),
    ]
    .into_iter()
    .collect()
}

fn ask(text: &str, input: &Input) -> Option<String> {
    let mut out = Vec::new();
    with_view(text, |view| view.input(input, &mut out)).then(|| String::from_utf8(out).unwrap())
}

fn with_view<R>(text: &str, then: impl FnOnce(&View<'_>) -> R) -> R {
    let mut request = RequestHead::default();
    let limits = Limits {
        bytes: 4096,
        fields: 32,
    };
    request.parse(text.as_bytes(), limits).unwrap().unwrap();
    let peer = Peer::new("192.0.2.9:1".parse().unwrap());
    let origin = Origin {
        client: None,
        is_trusted: false,
        is_https: false,
    };
    let mut variables = Variables::default();
    let verdict = Verdict {
        edits: [Edit::SetVariable {
            name: "sub".into(),
            value: Value::Literal(b"7"[..].into()),
            is_secret: false,
        }]
        .into(),
        ..Verdict::proceed()
    };
    variables
        .edit("jwt", &verdict, &Rendered::default())
        .unwrap();
    let datasets = datasets();
    let view = View {
        datasets: Held::Of(&datasets),
        variables: &variables,
        ended: None,
        request: &request,
        response: None,
        peer: &peer,
        origin: &origin,
        original: None,
        request_id: b"id",
        unix_ms: 1_700_000_000_999,
        site: "site",
        route: "/api/",
    };
    then(&view)
}

#[test]
fn one_value_of_what_comes_several_times() {
    let text = "GET /?k=%61&k=a&l=1&l=2&m=3&m=%33 HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n\
                X-Same: 1\r\nX-Same: 1\r\nX-Two: 1\r\nX-Two: 2\r\nCookie: a=1; b=1; b=2\r\n\
                Cookie: a=1; c=1\r\nCookie: c=2\r\n\r\n";
    let name = |name: &str| -> Box<str> { name.into() };
    let (absent, conflict) = (Ok(None), Err(()));
    let one = |value: &str| Ok(Some(value.to_owned()));
    for (input, expected) in [
        (Input::Header(name("x-one")), one("1")),
        (Input::Header(name("x-same")), one("1")),
        (Input::Header(name("x-two")), conflict.clone()),
        (Input::Header(name("x-none")), absent.clone()),
        (
            Input::Header(name("cookie")),
            one("a=1; b=1; b=2; a=1; c=1; c=2"),
        ),
        (Input::QueryParameter(name("k")), one("a")),
        (Input::QueryParameter(name("l")), conflict.clone()),
        (Input::QueryParameter(name("n")), absent.clone()),
        (Input::RawQueryParameter(name("m")), conflict.clone()),
        (Input::HeaderBase64(name("x-same")), one("MQ==")),
        (Input::HeaderBase64(name("x-two")), conflict.clone()),
        (Input::HeaderBase64(name("x-none")), absent.clone()),
        (Input::QueryParameterBase64(name("k")), one("YQ==")),
        (Input::QueryParameterBase64(name("l")), conflict),
        (Input::QueryParameterBase64(name("n")), absent.clone()),
        (Input::Cookie(name("a")), one("1")),
        (Input::Cookie(name("b")), absent.clone()),
        (Input::Cookie(name("c")), absent),
        (Input::CookiePresent(name("b")), one("1")),
        (Input::Path, one("/")),
    ] {
        let mut out = Vec::new();
        let single = with_view(text, |view| view.single(&input, &mut out));
        let got = match single {
            Single::Absent => Ok(None),
            Single::Present => Ok(Some(String::from_utf8(out).unwrap())),
            Single::Conflicting => Err(()),
        };
        assert_eq!(got, expected, "{input}");
    }
    // What is not sensitive is read as before.
    assert_eq!(
        ask(text, &Input::Header(name("x-two"))).as_deref(),
        Some("1, 2")
    );
    assert_eq!(
        ask(text, &Input::QueryParameter(name("l"))).as_deref(),
        Some("1")
    );
    // A cookie is always sensitive.
    assert_eq!(ask(text, &Input::Cookie(name("b"))), None);
}

#[test]
fn look_ups() {
    let text = "GET / HTTP/1.1\r\nHost: A.example:8\r\nX-One: 1\r\nX-Two: 1\r\nX-Two: 2\r\n\
                Cookie: k=a.example\r\n\r\n";
    let lookup = |dataset: &str, key, member: &str| {
        Input::Lookup(Box::new(Lookup {
            dataset: dataset.into(),
            key,
            member: member.into(),
        }))
    };
    let field = |name: &str| Input::Header(name.into());
    for (input, expected) in [
        (lookup("offices", Input::ClientIp, ""), Some("berlin")),
        (lookup("offices", Input::ClientIp, "city"), None),
        (lookup("offices", Input::Host, ""), None),
        (lookup("tenants", Input::Host, ""), Some("gold")),
        (
            lookup("tenants", Input::Cookie("k".into()), ""),
            Some("gold"),
        ),
        (lookup("tenants", field("x-none"), ""), None),
        (lookup("none", Input::Host, ""), None),
    ] {
        assert_eq!(ask(text, &input).as_deref(), expected, "{input}");
    }
    // Of a sensitive one, the key has one value.
    for (name, expected) in [
        ("x-one", Single::Present),
        ("x-two", Single::Conflicting),
        ("x-none", Single::Absent),
        ("host", Single::Absent),
    ] {
        let input = lookup("tenants", field(name), "");
        let single = with_view(text, |view| view.single(&input, &mut Vec::new()));
        assert_eq!(single, expected, "{name}");
    }
}

#[test]
fn inputs() {
    let text = "GET //a/./B.Tar.GZ?x=%41+b&x=2&y HTTP/1.1\r\nHost: A.example:8\r\nX-A: 1\r\nx-a: 2\r\n\
                Cookie: a=1; b=2\r\nCookie: c=3\r\nX-Empty:\r\n\r\n";
    let name = |name: &str| -> Box<str> { name.into() };
    for (input, expected) in [
        (Input::Method, Some("GET")),
        (Input::Scheme, Some("http")),
        (Input::HttpVersion, Some("1.1")),
        (Input::ClientIp, Some("192.0.2.9")),
        (Input::Host, Some("a.example")),
        (Input::OriginalHost, Some("a.example")),
        (Input::Path, Some("/a/B.Tar.GZ")),
        (Input::RawPath, Some("//a/./B.Tar.GZ")),
        (Input::Extension, Some("gz")),
        (Input::Query, Some("x=%41+b&x=2&y")),
        (Input::Header(name("x-a")), Some("1, 2")),
        (Input::Header(name("x-empty")), Some("")),
        (Input::Header(name("x-none")), None),
        (Input::Header(name("cookie")), Some("a=1; b=2; c=3")),
        (Input::HeaderPresent(name("x-empty")), Some("1")),
        (Input::HeaderPresent(name("x-none")), None),
        (Input::Variable(name("jwt.sub")), Some("7")),
        (Input::Variable(name("sub")), None),
        (Input::HeaderBase64(name("x-a")), Some("MSwgMg==")),
        (Input::HeaderBase64(name("x-empty")), Some("")),
        (Input::HeaderBase64(name("x-none")), None),
        (Input::QueryParameterBase64(name("x")), Some("QSBi")),
        (Input::QueryParameterPresent(name("y")), Some("1")),
        (Input::QueryParameterPresent(name("z")), None),
        (
            Input::ClientNetwork(PrefixLengths { ipv4: 24, ipv6: 48 }),
            Some("192.0.2.0/24"),
        ),
        (Input::Cookie(name("c")), Some("3")),
        (Input::CookiePresent(name("d")), None),
        (Input::QueryParameter(name("x")), Some("A b")),
        (Input::RawQueryParameter(name("x")), Some("%41+b")),
        (Input::QueryParameter(name("y")), Some("")),
        (Input::QueryParameter(name("z")), None),
        (Input::Now, Some("1700000000")),
        (Input::Site, Some("site")),
        (Input::Status, None),
        (Input::AnsweredBy, None),
    ] {
        assert_eq!(ask(text, &input).as_deref(), expected, "{input}");
    }
    assert_eq!(
        ask("GET /a. HTTP/1.1\r\nHost: a\r\n\r\n", &Input::Extension),
        None
    );
    assert_eq!(
        ask("GET /a.b/c HTTP/1.1\r\nHost: a\r\n\r\n", &Input::Extension),
        None
    );
}
