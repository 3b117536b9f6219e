use super::*;

const LIMITS: Limits = Limits {
    bytes: 1024,
    fields: 8,
};

fn parse(text: &str) -> Result<RequestHead, HeadError> {
    let mut head = RequestHead::default();
    match head.parse(text.as_bytes(), LIMITS)? {
        Some(_) => Ok(head),
        None => Err(HeadError::Malformed("partial")),
    }
}

#[test]
fn reads_a_request() {
    let mut head = RequestHead::default();
    let text = b"\r\nGET //a/../b%7e?x=%2F HTTP/1.1\r\nHost: Example.com:81\r\nX: 1\r\n\r\nrest";
    assert_eq!(head.parse(text, LIMITS), Ok(Some(text.len() - 4)));
    assert_eq!(head.method, b"GET");
    assert_eq!(head.raw_path, b"//a/../b%7e");
    assert_eq!(head.path, b"/b~");
    assert_eq!(head.query.as_deref(), Some(&b"x=%2F"[..]));
    assert_eq!(
        (head.authority.host(), head.authority.port()),
        ("example.com", Some(81))
    );
    assert!(head.keep_alive && !head.upgrade && head.framing == Framing::None);
}

#[test]
fn waits_for_the_rest() {
    let mut head = RequestHead::default();
    let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for end in 0..text.len() {
        assert_eq!(head.parse(&text[..end], LIMITS), Ok(None), "{end}");
    }
}

#[test]
fn persistence_and_upgrade() {
    for (version, fields, keep_alive, upgrade) in [
        ("1.1", "", true, false),
        ("1.1", "Connection: close\r\n", false, false),
        ("1.1", "Connection: x, Close\r\n", false, false),
        ("1.0", "", false, false),
        ("1.0", "Connection: Keep-Alive\r\n", true, false),
        (
            "1.1",
            "Connection: upgrade\r\nUpgrade: websocket\r\n",
            true,
            true,
        ),
        ("1.1", "Upgrade: websocket\r\n", true, false),
        (
            "1.0",
            "Connection: upgrade\r\nUpgrade: websocket\r\n",
            false,
            false,
        ),
    ] {
        let head = parse(&format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n")).unwrap();
        assert_eq!(
            (head.keep_alive, head.upgrade),
            (keep_alive, upgrade),
            "{version} {fields}"
        );
    }
}

/// RFC 9112 §6: what two parsers could end at different bytes is refused.
#[test]
fn framing() {
    for (fields, expected) in [
        ("", Ok(Framing::None)),
        ("Content-Length: 0\r\n", Ok(Framing::Length(0))),
        (
            "Content-Length: 18446744073709551615\r\n",
            Ok(Framing::Length(u64::MAX)),
        ),
        ("Transfer-Encoding: Chunked\r\n", Ok(Framing::Chunked)),
        ("Content-Length: 18446744073709551616\r\n", Err(())),
        ("Content-Length: +1\r\n", Err(())),
        ("Content-Length: \r\n", Err(())),
        ("Content-Length: 1, 1\r\n", Err(())),
        ("Content-Length: 1\r\nContent-Length: 1\r\n", Err(())),
        (
            "Content-Length: 1\r\ntransfer-encoding: chunked\r\n",
            Err(()),
        ),
        (
            "transfer-encoding: chunked\r\nContent-Length: 1\r\n",
            Err(()),
        ),
        ("Transfer-Encoding: gzip, chunked\r\n", Err(())),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            Err(()),
        ),
        ("Transfer-Encoding: identity\r\n", Err(())),
        ("Transfer-Encoding : chunked\r\n", Err(())),
        ("Transfer-Encoding:\x0bchunked\r\n", Err(())),
        ("X: a\r\n b\r\n", Err(())),
        ("X: a\rb\r\n", Err(())),
        ("X: a\nY: b\r\n", Err(())),
        ("X\0: a\r\n", Err(())),
    ] {
        let result = parse(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(
            result.map(|head| head.framing).map_err(|_| ()),
            expected,
            "{fields:?}"
        );
    }
    assert!(parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
}

#[test]
fn hosts_and_targets() {
    for (text, host, path) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "a", "/"),
        ("GET / HTTP/1.0\r\n\r\n", "", "/"),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "", "/"),
        ("GET http://B:8/c?d HTTP/1.1\r\nHost: a\r\n\r\n", "b", "/c"),
        ("GET http://b?d HTTP/1.1\r\nHost: a\r\n\r\n", "b", "/"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a", "*"),
    ] {
        let head = parse(text).unwrap();
        assert_eq!(
            (head.authority.host(), head.path.as_slice()),
            (host, path.as_bytes()),
            "{text}"
        );
    }
    let absolute = parse("GET http://B:8/c HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(absolute.fields.get(b"host"), Some(&b"b:8"[..]));
    for text in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /.. HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02",
    ] {
        assert!(
            !matches!(parse(text), Ok(_) | Err(HeadError::Malformed("partial"))),
            "{text:?}"
        );
    }
}

#[test]
fn limits() {
    let long = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "y".repeat(1024)
    );
    assert_eq!(parse(&long).err(), Some(HeadError::TooLarge));
    let partial = format!("GET /{}", "y".repeat(1024));
    assert_eq!(parse(&partial).err(), Some(HeadError::TooLarge));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(8));
    assert_eq!(parse(&many).err(), Some(HeadError::TooManyFields));
}

proptest::proptest! {
    /// Any bytes are read, waited for or refused, and never more is taken than is there.
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let mut head = RequestHead::default();
        if let Ok(Some(size)) = head.parse(&bytes, LIMITS) {
            assert!(size <= bytes.len());
        }
    }
}
