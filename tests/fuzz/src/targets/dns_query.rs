//! A query to the built-in name server: [`Answers`].

use std::cell::OnceCell;

use janua_dns01::{Answers, Zones};

pub(crate) const WORDS: &[&str] = &[
    "\x04acme\x07example\x03com\0",
    "\x0f_acme-challenge\x01a\x07example\0",
    "\x01a\x07example\x04acme\x07example\x03com\0",
    "\0\x10\0\x01",
    "\0\x06\0\x01",
    "\0\x02\0\x01",
    "\0\0\x29\x04\0\0\0\0\0\0\0",
    "\x3f",
];

/// The bytes of a header (RFC 1035, section 4.1.1).
const HEADER: usize = 12;
/// The largest datagram that passes every network.
const LARGEST: usize = 1232;

thread_local! {
    static ANSWERS: OnceCell<Answers> = const { OnceCell::new() };
}

/// A zone, and two values at one of its names.
fn answers() -> Answers {
    let zones = Zones {
        zone: Some("acme.example.com".to_owned()),
        name_server: "gw.example.com".to_owned(),
    };
    let answers = Answers::new(&zones).expect("a zone");
    for value in ["one", &"2".repeat(200)] {
        let presented = answers.present("a.example.acme.example.com", value);
        presented.expect("a value");
    }
    answers
}

pub(crate) fn run(input: &[u8]) {
    ANSWERS.with(|cell| {
        let answers = cell.get_or_init(answers);
        let datagram = answers.to_datagram(input);
        let stream = answers.to_stream(input);
        assert_eq!(
            datagram.is_some(),
            stream.is_some(),
            "whether it is answered"
        );
        let (Some(datagram), Some(stream)) = (datagram, stream) else {
            return;
        };
        assert!(datagram.len() <= LARGEST, "{} bytes", datagram.len());
        assert!(datagram.len() <= stream.len(), "a datagram has more room");
        for response in [&datagram, &stream] {
            check(input, response);
            // Two name servers that answer each other never stop.
            assert_eq!(
                answers.to_datagram(response),
                None,
                "a response is answered"
            );
        }
    });
}

fn check(query: &[u8], response: &[u8]) {
    assert!(query.len() >= HEADER, "half a header is answered");
    assert!(response.len() >= HEADER, "half a header");
    assert_eq!(query[2] & 0x80, 0, "a response is answered");
    assert_eq!(response[..2], query[..2], "the identifier");
    assert_eq!(response[2] & 0x80, 0x80, "no response");
    assert_eq!(response[3] & 0x80, 0, "it offers recursion");
    // The question is repeated as it is, letter by letter, or not at all.
    if response[4..6] == [0, 1]
        && let Some(end) = end_of_question(query)
    {
        assert_eq!(response[HEADER..end], query[HEADER..end], "the question");
    }
}

/// Where the first question ends; none if its name has a pointer, which a response need not
/// repeat.
fn end_of_question(query: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        match *query.get(at)? {
            0 => return Some(at + 5),
            length if length & 0xc0 == 0 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}
