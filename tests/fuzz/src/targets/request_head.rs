//! The head of a request: [`RequestHead::parse`].

use janua_http::head::{Limits, Version};
use janua_http::{Framing, RequestHead, method, path};

use super::head::{
    LARGE_LIMITS, LIMITS, Parsed, check_cuts, check_fields, stated_framing, text_of,
};

pub(crate) const WORDS: &[&str] = &[
    "GET ",
    "OPTIONS * ",
    "CONNECT ",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    "\r\n\r\n",
    "http://a.example/",
    "Host: a.example\r\n",
    "Host: [::1]:80\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: keep-alive, close\r\n",
    "Connection: upgrade\r\n",
    "Upgrade: websocket\r\n",
    "Expect: 100-continue\r\n",
    "X: y\r\n",
    " \t",
    "%2F",
    "/../",
];

pub(crate) fn run(input: &[u8]) {
    check_cuts(input, |bytes| parse(bytes, LIMITS).1);
    let (head, Ok(Some(_))) = parse(input, LIMITS) else {
        return;
    };
    check_fields(&head.fields);
    let framing = stated_framing(&head.fields, head.version);
    assert_eq!(head.framing, framing.unwrap_or(Framing::None), "framing");
    check_host(&head);
    // `CONNECT` and `TRACE` are answered by the gateway, whatever their target is.
    if method::is_refused(&head.method) {
        return;
    }
    check_target(&head);
    let written = write(&head);
    let (again, parsed) = parse(&written, LARGE_LIMITS);
    let (size, _) = parsed
        .unwrap_or_else(|error| panic!("{error:?} of {}", written.escape_ascii()))
        .expect("complete");
    assert_eq!(size, written.len(), "size of the head written again");
    assert_eq!(text(&again), text(&head), "the head written again");
}

fn parse(bytes: &[u8], limits: Limits) -> (RequestHead, Parsed) {
    let mut head = RequestHead::default();
    let size = head.parse(bytes, limits);
    let parsed = size.map(|size| size.map(|size| (size, text(&head))));
    (head, parsed)
}

/// There is one host, and it is the one that was routed.
fn check_host(head: &RequestHead) {
    let hosts: Vec<&[u8]> = head.fields.get_all(b"host").collect();
    let mut authority = Vec::new();
    head.authority.write_to(&mut authority);
    match *hosts {
        [host] => assert_eq!(host, authority, "host and authority"),
        [] => assert_eq!(head.version, Version::Http10, "no host"),
        _ => panic!("hosts: {hosts:?}"),
    }
}

/// The path is the normal form of the one that was sent; neither path nor query ends the line.
fn check_target(head: &RequestHead) {
    if head.path == b"*" {
        assert_eq!((&*head.method, &head.query), (&b"OPTIONS"[..], &None));
        return;
    }
    let mut normal = Vec::new();
    let spelling = path::normalise(&head.raw_path, &mut normal);
    assert_eq!(normal, head.path, "path");
    assert_eq!(spelling, Ok(head.spelling), "spelling");
    let query = head.query.as_deref().unwrap_or_default();
    for byte in head.raw_path.iter().chain(query) {
        assert!(!byte.is_ascii_control() && !b" #".contains(byte));
    }
}

fn write(head: &RequestHead) -> Vec<u8> {
    let mut out = head.method.clone();
    out.push(b' ');
    out.extend_from_slice(&head.raw_path);
    if let Some(query) = &head.query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
    out.extend_from_slice(match head.version {
        Version::Http10 => b" HTTP/1.0\r\n",
        Version::Http11 => b" HTTP/1.1\r\n",
        Version::Http2 => panic!("HTTP/2 from a request line"),
    });
    head.fields.write_to(&mut out);
    out.extend_from_slice(b"\r\n");
    out
}

/// The meaning of a head, for comparisons.
fn text(head: &RequestHead) -> String {
    let escaped = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let flags = [
        head.keep_alive,
        head.expects_continue,
        head.upgrade,
        head.spelling.has_encoded_slash,
        head.spelling.has_hidden_dots,
    ];
    format!(
        "{} {} ({}) {:?} of {:?}, {:?}, {:?}, {flags:?}\n{}",
        escaped(&head.method),
        escaped(&head.path),
        escaped(&head.raw_path),
        head.query.as_deref().map(escaped),
        head.authority,
        head.version,
        head.framing,
        text_of(&head.fields)
    )
}
