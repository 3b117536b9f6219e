use janua_http::Framing;

use super::*;

type Lines<'a> = &'a [(&'a str, &'a str)];

fn ask(method: &str, asked: Lines<'_>, status: u16, answered: Lines<'_>) -> Eligible {
    let mut request = RequestHead::default();
    request.method.extend_from_slice(method.as_bytes());
    for (name, value) in asked {
        request.fields.append(name.as_bytes(), value.as_bytes());
    }
    let mut response = ResponseHead {
        status,
        framing: Framing::Chunked,
        ..ResponseHead::default()
    };
    for (name, value) in answered {
        response.fields.append(name.as_bytes(), value.as_bytes());
    }
    eligible(
        &request,
        &response,
        response.framing.length(),
        &Compression::default(),
    )
}

const GZIP: (&str, &str) = ("Accept-Encoding", "gzip");
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn methods_and_statuses() {
    let yes = Eligible::Yes(Coding::Gzip);
    for (method, status, expected) in [
        ("GET", 200, yes),
        ("HEAD", 200, yes),
        ("POST", 200, yes),
        ("GET", 404, yes),
        ("GET", 500, yes),
        ("PUT", 200, Eligible::No(Refusal::Method)),
        ("OPTIONS", 200, Eligible::No(Refusal::Method)),
        ("get", 200, Eligible::No(Refusal::Method)),
        ("GET", 101, Eligible::No(Refusal::Status)),
        ("GET", 103, Eligible::No(Refusal::Status)),
        ("GET", 204, Eligible::No(Refusal::Status)),
        ("GET", 205, Eligible::No(Refusal::Status)),
        ("GET", 206, Eligible::NegotiatedIdentity),
        ("GET", 416, Eligible::No(Refusal::Status)),
        ("GET", 304, Eligible::No(Refusal::Status)),
    ] {
        assert_eq!(
            ask(method, &[GZIP], status, &[JSON]),
            expected,
            "{method} {status}"
        );
    }
}

#[test]
fn fields_of_the_answer() {
    let yes = Eligible::Yes(Coding::Gzip);
    let no = Eligible::No;
    for (line, expected) in [
        (("X", "y"), yes),
        (("Content-Encoding", "br"), no(Refusal::Coded)),
        (("Content-Encoding", "unheard-of"), no(Refusal::Coded)),
        (("Content-Encoding", "identity, gzip"), no(Refusal::Coded)),
        (("Content-Encoding", "Identity"), yes),
        (("Content-Encoding", ""), yes),
        // A partial response, whose whole would be encoded or not.
        (
            ("Content-Range", "bytes 0-9/2000"),
            Eligible::NegotiatedIdentity,
        ),
        (
            ("Content-Range", "bytes 0-9/*"),
            Eligible::NegotiatedIdentity,
        ),
        (("Content-Range", "bytes 0-9/1000"), no(Refusal::Length)),
        (
            ("Cache-Control", "public, No-Transform"),
            no(Refusal::NoTransform),
        ),
        (("Cache-Control", "public, max-age=3"), yes),
        (("Content-Length", "1023"), no(Refusal::Length)),
        (("Content-Length", "1024"), yes),
        // With two `Content-Type` fields it is unknown which one the client
        // uses.
        (("Content-Type", "text/html"), no(Refusal::Type)),
    ] {
        assert_eq!(
            ask("GET", &[GZIP], 200, &[JSON, line]),
            expected,
            "{line:?}"
        );
    }
    let head = ask("HEAD", &[GZIP], 200, &[JSON, ("Content-Length", "10")]);
    assert_eq!(head, no(Refusal::Length));
}

#[test]
fn types() {
    for (value, expected) in [
        ("text/html", true),
        ("Text/HTML; charset=utf-8", true),
        ("application/json ;charset=utf-8", true),
        ("application/wasm", true),
        ("image/svg+xml", true),
        ("application/xml+rss", true),
        ("application/x-javascript", true),
        ("image/png", false),
        ("application/jsonish", false),
        ("application/octet-stream", false),
        ("text/event-stream", false),
        ("TEXT/Event-Stream;charset=utf-8", false),
        ("", false),
    ] {
        let verdict = ask("GET", &[GZIP], 200, &[("Content-Type", value)]);
        assert_eq!(verdict == Eligible::Yes(Coding::Gzip), expected, "{value}");
    }
    assert_eq!(ask("GET", &[GZIP], 200, &[]), Eligible::No(Refusal::Type));
}

#[test]
fn patterns() {
    for (essence, pattern, expected) in [
        ("text/html", "text/*", true),
        ("TEXT/html", "text/*", true),
        ("text/", "text/*", false),
        ("texture/x", "text/*", false),
        ("texture/x", "text*", false),
        ("text/html", "TEXT/HTML", true),
        ("text/html", "*", false),
    ] {
        let found = is_of_type(essence.as_bytes(), pattern.as_bytes());
        assert_eq!(found, expected, "{essence} {pattern}");
    }
    // An event stream is not encoded.
    let mut fields = Fields::default();
    fields.append(b"Content-Type", b"text/event-stream");
    assert!(!has_type(
        &fields,
        &["text/*".into(), "text/event-stream".into()]
    ));
}

#[test]
fn negotiation() {
    for (asked, expected) in [
        (
            &[("Accept-Encoding", "gzip, br, zstd")][..],
            Eligible::Yes(Coding::Zstd),
        ),
        (
            &[("Accept-Encoding", "gzip, br")],
            Eligible::Yes(Coding::Brotli),
        ),
        (
            &[("Accept-Encoding", "gzip, br;q=0.5")],
            Eligible::Yes(Coding::Gzip),
        ),
        (
            &[("Accept-Encoding", "deflate")],
            Eligible::NegotiatedIdentity,
        ),
        (
            &[("Accept-Encoding", "gzip;q=0")],
            Eligible::NegotiatedIdentity,
        ),
        (&[], Eligible::NegotiatedIdentity),
        (
            &[GZIP, ("Cache-Control", "no-transform")],
            Eligible::NegotiatedIdentity,
        ),
    ] {
        assert_eq!(ask("GET", asked, 200, &[JSON]), expected, "{asked:?}");
    }
}

#[test]
fn a_framed_length_counts_where_no_field_states_one() {
    let mut request = RequestHead::default();
    request.method.extend_from_slice(b"GET");
    request.fields.append(b"Accept-Encoding", b"gzip");
    let mut response = ResponseHead {
        status: 200,
        ..ResponseHead::default()
    };
    response.fields.append(b"Content-Type", b"text/plain");
    for (framing, expected) in [
        (Framing::None, Some(Refusal::Length)),
        (Framing::Length(1023), Some(Refusal::Length)),
        (Framing::Length(1024), None),
        (Framing::Chunked, None),
        (Framing::UntilClose, None),
    ] {
        response.framing = framing;
        let options = Compression::default();
        assert_eq!(
            refusal(&request, &response, response.framing.length(), &options),
            expected,
            "{framing:?}"
        );
    }
}

/// An empty body is not encoded, even if there is no minimum length.
#[test]
fn an_empty_body_is_left_alone() {
    let mut request = RequestHead::default();
    request.method.extend_from_slice(b"GET");
    let mut response = ResponseHead {
        status: 200,
        framing: Framing::Length(0),
        ..ResponseHead::default()
    };
    response.fields.append(b"Content-Type", b"text/plain");
    let options = Compression {
        min_length: 0,
        ..Compression::default()
    };
    let refused =
        |response: &ResponseHead| refusal(&request, response, response.framing.length(), &options);
    assert_eq!(refused(&response), Some(Refusal::Length));
    response.framing = Framing::Length(1);
    assert_eq!(refused(&response), None);
}
