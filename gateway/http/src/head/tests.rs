use proptest::prelude::*;

use super::*;
use crate::RequestHead;

const LIMITS: Limits = Limits {
    bytes: 4096,
    fields: 64,
};

/// The fields of a request with this section, as they are written.
fn written(section: &str) -> Result<String, HeadError> {
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{section}\r\nbody");
    let mut head = RequestHead::default();
    let size = head.parse(text.as_bytes(), LIMITS)?.unwrap();
    assert_eq!(size, text.len() - "body".len());
    let mut out = Vec::new();
    head.fields.write_to(&mut out);
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn whitespace_around_a_value_is_not_of_it() {
    for (section, fields) in [
        ("", ""),
        ("A: 1\r\n", "A: 1\r\n"),
        ("A:1\r\n", "A: 1\r\n"),
        ("A:  1\r\n", "A: 1\r\n"),
        ("A:\t1\r\n", "A: 1\r\n"),
        ("A: 1 \r\n", "A: 1\r\n"),
        ("A:1 \r\n", "A: 1\r\n"),
        ("A:\r\n", "A: \r\n"),
        ("A: \r\n", "A: \r\n"),
        ("A:  \r\n", "A: \r\n"),
        ("A: \r\nB: 2\r\n", "A: \r\nB: 2\r\n"),
        ("A:1\r\nB: 2\r\n", "A: 1\r\nB: 2\r\n"),
        ("A: 1\r\nB:2\r\n", "A: 1\r\nB: 2\r\n"),
        ("A: x: y\r\n", "A: x: y\r\n"),
    ] {
        assert_eq!(
            written(section),
            Ok(format!("Host: a\r\n{fields}")),
            "{section:?}"
        );
    }
}

#[test]
fn a_lone_lf_is_refused_wherever_it_stands() {
    for text in [
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:a\r\nX: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:1 \r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert!(
            RequestHead::default()
                .parse(text.as_bytes(), LIMITS)
                .is_ok()
        );
        for (at, _) in text.match_indices('\r') {
            let mut lone = text.to_owned();
            lone.remove(at);
            assert_eq!(
                RequestHead::default().parse(lone.as_bytes(), LIMITS),
                Err(HeadError::Malformed("line end without CR")),
                "{lone:?}"
            );
        }
    }
}

proptest! {
    /// However lines are spaced, their names and values are what stands
    /// between the spaces, in order.
    #[test]
    fn lines_are_read_in_order(
        lines in proptest::collection::vec(
            ("[A-Za-z-]{1,8}", "[ \t]{0,2}", "([!-~]([ -~]{0,6}[!-~])?)?", "[ \t]{0,2}"),
            0..6,
        )
    ) {
        let lines: Vec<_> = lines
            .iter()
            .filter(|(name, ..)| Known::of(name.as_bytes()) == Known::Other)
            .collect();
        let section: String = lines
            .iter()
            .map(|(name, before, value, after)| format!("{name}:{before}{value}{after}\r\n"))
            .collect();
        let expected: String = lines
            .iter()
            .map(|(name, _, value, _)| format!("{name}: {value}\r\n"))
            .collect();
        prop_assert_eq!(written(&section), Ok(format!("Host: a\r\n{expected}")));
    }
}
