use super::*;

const LIMITS: Limits = Limits {
    bytes: 1024,
    fields: 4,
};
const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "Example.com:81"),
    (":path", "//a/../b%7e?x=%2F"),
];

fn read_as(fields: &[(&str, &str)], ends: bool) -> Result<RequestHead, SectionError> {
    let mut head = RequestHead::default();
    let mut section = RequestSection::new(&mut head, LIMITS);
    for (name, value) in fields {
        section.field(name.as_bytes(), value.as_bytes());
    }
    section.finish(ends).map(|()| head)
}

fn read(fields: &[(&str, &str)]) -> Result<RequestHead, SectionError> {
    read_as(fields, true)
}

/// The section of a simple request with these fields at its end.
fn with(fields: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&GET[..], fields].concat()
}

#[test]
fn reads_a_request() {
    let head = read(&with(&[("x", "1"), ("te", "trailers")])).unwrap();
    assert_eq!(head.method, b"GET");
    assert_eq!(head.raw_path, b"//a/../b%7e");
    assert_eq!(head.path, b"/b~");
    assert_eq!(head.query.as_deref(), Some(&b"x=%2F"[..]));
    assert_eq!(
        (head.authority.host(), head.authority.port()),
        ("example.com", Some(81))
    );
    assert_eq!(
        (head.version, head.framing),
        (Version::Http2, Framing::None)
    );
    assert!(head.keep_alive && !head.upgrade);
    let mut lines = Vec::new();
    head.fields.write_to(&mut lines);
    assert_eq!(lines, b"Host: example.com:81\r\nx: 1\r\nte: trailers\r\n");
}

#[test]
fn the_body_ends_with_the_stream() {
    let length = with(&[("content-length", "7")]);
    for (fields, ends, framing) in [
        (with(&[]), true, Framing::None),
        (with(&[]), false, Framing::Stream(None)),
        (length, false, Framing::Stream(Some(7))),
        (with(&[("content-length", "0")]), true, Framing::Length(0)),
    ] {
        assert_eq!(read_as(&fields, ends).unwrap().framing, framing);
    }
}

#[test]
fn crumbs_are_one_field() {
    let fields = with(&[
        ("cookie", "a=1"),
        ("x", "1"),
        ("cookie", "b=2"),
        ("cookie", "c"),
    ]);
    let head = read(&fields).unwrap();
    let cookies: Vec<_> = head.fields.get_all(b"cookie").collect();
    assert_eq!(cookies, [b"a=1; b=2; c"]);
}

#[test]
fn host_and_authority_are_the_same() {
    let [method, scheme, _, path] = GET;
    let head = read(&[method, scheme, path, ("host", "A.b.")]).unwrap();
    assert_eq!(head.fields.get(b"host"), Some(&b"a.b"[..]));
    let head = read(&with(&[("host", "example.com.:81")])).unwrap();
    assert_eq!(head.fields.get_all(b"host").count(), 1);
}

#[test]
fn what_is_malformed_is_reset() {
    let [method, scheme, authority, path] = GET;
    for (fields, words) in [
        (with(&[("Upper", "1")]), "bad field name"),
        (with(&[("a b", "1")]), "bad field name"),
        (with(&[("", "1")]), "bad field name"),
        (with(&[("a", "x\r\ny")]), "bad field value"),
        (with(&[("a", "x\0")]), "bad field value"),
        (with(&[("a", " x")]), "bad field value"),
        (with(&[("a", "x\t")]), "bad field value"),
        (with(&[("connection", "x")]), "connection-specific field"),
        (with(&[("keep-alive", "x")]), "connection-specific field"),
        (
            with(&[("proxy-connection", "x")]),
            "connection-specific field",
        ),
        (
            with(&[("transfer-encoding", "chunked")]),
            "connection-specific field",
        ),
        (with(&[("upgrade", "x")]), "connection-specific field"),
        (with(&[("te", "gzip")]), "te other than trailers"),
        (with(&[("content-length", "+1")]), "bad content-length"),
        (
            with(&[("content-length", "1")]),
            "content-length without body",
        ),
        (
            with(&[("content-length", "0"), ("content-length", "0")]),
            "more than one content-length",
        ),
        (with(&[("host", "other")]), "host differs from :authority"),
        (
            with(&[("host", "example.com:81"), ("host", "example.com:81")]),
            "more than one host",
        ),
        (with(&[(":status", "200")]), "unknown pseudo-field"),
        (with(&[(":path", "/")]), "pseudo-field twice"),
        (
            vec![method, scheme, authority, ("x", "1"), path],
            "pseudo-field after other fields",
        ),
        (
            vec![method, scheme, authority, ("cookie", "1"), path],
            "pseudo-field after other fields",
        ),
        (
            vec![scheme, authority, path],
            "missing or surplus pseudo-field",
        ),
        (
            vec![method, authority, path],
            "missing or surplus pseudo-field",
        ),
        (
            vec![method, scheme, authority],
            "missing or surplus pseudo-field",
        ),
        (vec![method, scheme, authority, (":path", "")], "empty path"),
        (vec![(":method", "G T")], "bad method"),
        (vec![(":method", "")], "bad method"),
        (
            with(&[(":protocol", "websocket")]),
            "missing or surplus pseudo-field",
        ),
        (
            vec![(":method", "CONNECT"), scheme, authority, path],
            "missing or surplus pseudo-field",
        ),
        (
            vec![(":method", "CONNECT")],
            "missing or surplus pseudo-field",
        ),
    ] {
        let error = read(&fields).map(|_| ());
        assert_eq!(error, Err(SectionError::Malformed(words)), "{fields:?}");
    }
}

#[test]
fn what_is_refused_is_answered() {
    let [method, scheme, authority, path] = GET;
    let long: &'static str = "x".repeat(1024).leak();
    for (fields, error) in [
        (with(&[("a", long)]), HeadError::TooLarge),
        (with(&[("a", "x"); 5]), HeadError::TooManyFields),
        (with(&[("cookie", "x"); 5]), HeadError::TooManyFields),
        (vec![method, scheme, path], HeadError::Malformed("no Host")),
        (
            vec![method, scheme, (":authority", ""), path],
            HeadError::Malformed("bad Host"),
        ),
        (
            vec![method, scheme, (":authority", "u@a"), path],
            HeadError::Malformed("bad Host"),
        ),
        (
            vec![method, (":scheme", "ftp"), authority, path],
            HeadError::Malformed("scheme other than http and https"),
        ),
        (
            vec![method, scheme, authority, (":path", "a")],
            HeadError::Malformed("bad request target"),
        ),
        (
            vec![method, scheme, authority, (":path", "*")],
            HeadError::Malformed("bad request target"),
        ),
        (
            vec![method, scheme, authority, (":path", "/a b")],
            HeadError::Malformed("bad request target"),
        ),
        (
            vec![method, scheme, authority, (":path", "/#")],
            HeadError::Malformed("bad request target"),
        ),
        (
            vec![method, scheme, authority, (":path", "https://a/")],
            HeadError::Malformed("bad request target"),
        ),
    ] {
        assert_eq!(
            read(&fields).map(|_| ()),
            Err(SectionError::Head(error)),
            "{fields:?}"
        );
    }
    assert!(read(&with(&[("cookie", "x"); 4])).is_ok());
}

#[test]
fn connect_and_its_extension() {
    let [_, scheme, authority, path] = GET;
    let head = read_as(&[(":method", "CONNECT"), authority], false).unwrap();
    assert_eq!((head.path.as_slice(), head.protocol), (&b""[..], None));
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        scheme,
        path,
        authority,
    ];
    let head = read_as(&fields, false).unwrap();
    assert_eq!(head.protocol.as_deref(), Some(&b"websocket"[..]));
    assert_eq!(head.path, b"/b~");
    let head = read(&[(":method", "OPTIONS"), scheme, authority, (":path", "*")]).unwrap();
    assert_eq!(head.path, b"*");
}

#[test]
fn a_path_is_text_as_in_http1() {
    for (path, is_good) in [(&b"/\xc3\xa4"[..], true), (b"/\xe4", false)] {
        let mut head = RequestHead::default();
        let mut section = RequestSection::new(&mut head, LIMITS);
        for (name, value) in [GET[0], GET[1], GET[2]] {
            section.field(name.as_bytes(), value.as_bytes());
        }
        section.field(b":path", path);
        assert_eq!(section.finish(true).is_ok(), is_good);
        let line = [b"GET ", path, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        assert_eq!(head.parse(&line, LIMITS).is_ok(), is_good);
    }
}
