//! The head of a response: [`ResponseHead::parse`].

use janua_http::head::{Limits, Version};
use janua_http::{Framing, ResponseHead, status};

use super::head::{
    LARGE_LIMITS, LIMITS, Parsed, check_cuts, check_fields, stated_framing, text_of,
};

pub(crate) const WORDS: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200\r\n",
    " 100 Continue\r\n",
    " 101 ",
    " 204 ",
    " 304 ",
    "\r\n\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Keep-Alive: timeout=5, max=9\r\n",
    "X: y\r\n",
    " \t",
];

pub(crate) fn run(input: &[u8]) {
    for answers_head in [false, true] {
        check_cuts(input, |bytes| parse(bytes, LIMITS, answers_head).1);
        check(input, answers_head);
    }
}

fn check(input: &[u8], answers_head: bool) {
    let (head, Ok(Some(_))) = parse(input, LIMITS, answers_head) else {
        return;
    };
    assert!((100..1000).contains(&head.status), "status {}", head.status);
    check_fields(&head.fields);
    let stated = stated_framing(&head.fields, head.version);
    let expected = match stated {
        _ if answers_head || status::has_no_body(head.status) => Framing::None,
        Some(framing) => framing,
        None => Framing::UntilClose,
    };
    assert_eq!(head.framing, expected, "framing");
    if expected == Framing::UntilClose {
        assert!(!head.keep_alive, "the end of the connection ends the body");
    }
    let written = write(&head);
    let (again, parsed) = parse(&written, LARGE_LIMITS, answers_head);
    let (size, _) = parsed
        .unwrap_or_else(|error| panic!("{error:?} of {}", written.escape_ascii()))
        .expect("complete");
    assert_eq!(size, written.len(), "size of the head written again");
    assert_eq!(text(&again), text(&head), "the head written again");
}

fn parse(bytes: &[u8], limits: Limits, answers_head: bool) -> (ResponseHead, Parsed) {
    let mut head = ResponseHead::default();
    let size = head.parse(bytes, limits, answers_head);
    let parsed = size.map(|size| size.map(|size| (size, text(&head))));
    (head, parsed)
}

fn write(head: &ResponseHead) -> Vec<u8> {
    let version = match head.version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => panic!("HTTP/2 from a status line"),
    };
    let mut out = format!("{version} {} ", head.status).into_bytes();
    out.extend_from_slice(&head.reason);
    out.extend_from_slice(b"\r\n");
    head.fields.write_to(&mut out);
    out.extend_from_slice(b"\r\n");
    out
}

/// The meaning of a head, for comparisons.
fn text(head: &ResponseHead) -> String {
    format!(
        "{:?} {} {:?}, {:?}, {:?}, {:?}\n{}",
        head.version,
        head.status,
        head.reason.escape_ascii().to_string(),
        head.framing,
        (head.keep_alive, head.omits_body),
        head.keep_alive_timeout,
        text_of(&head.fields)
    )
}
