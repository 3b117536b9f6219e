//! What is true of the heads of requests and responses alike.

use janua_http::fields::{self, is_field_value, is_token};
use janua_http::head::{HeadError, Limits, Version};
use janua_http::{Fields, Framing};

use super::cuts;

/// Small, so that they are reached.
pub(super) const LIMITS: Limits = Limits {
    bytes: 1024,
    fields: 16,
};

/// Large enough for whatever was accepted with the smaller ones, written again.
pub(super) const LARGE_LIMITS: Limits = Limits {
    bytes: 8192,
    fields: 64,
};

/// What parsing gives: the size of the head, and the head itself in the form of text.
pub(super) type Parsed = Result<Option<(usize, String)>, HeadError>;

/// Whatever arrives first, the whole has one meaning: a beginning of it is incomplete or says
/// the same, and what is once refused stays refused.
pub(super) fn check_cuts(input: &[u8], parse: impl Fn(&[u8]) -> Parsed) {
    let whole = parse(input);
    if let Ok(Some((size, _))) = &whole {
        assert!(*size <= input.len(), "more than there is");
        let head = &input[..*size];
        assert_eq!(parse(head), whole, "what follows has an effect");
        check_line_ends(head);
    }
    for cut in cuts(input) {
        let front = parse(&input[..cut]);
        match (&front, &whole) {
            (Ok(None), Ok(Some((size, _)))) => assert!(cut < *size, "incomplete at {cut}"),
            (Ok(Some(_)), _) => assert_eq!(front, whole, "complete at {cut}"),
            (Err(_), _) => assert!(whole.is_err(), "refused at {cut}: {front:?}"),
            (Ok(None), _) => {}
        }
    }
}

/// Another parser finds the same lines: CR and LF occur only together.
fn check_line_ends(head: &[u8]) {
    let pairs = head.windows(2).filter(|pair| pair == b"\r\n").count();
    for end in [b'\r', b'\n'] {
        let count = head.iter().filter(|&&byte| byte == end).count();
        assert_eq!(count, pairs, "{:?} alone", char::from(end));
    }
}

/// No field can end its line, or is a line more or less to another parser; and the section is
/// written as its lines one by one are.
pub(super) fn check_fields(fields: &Fields) {
    let mut written = Vec::new();
    for (_, name, value) in fields.iter() {
        assert!(is_token(name), "name {:?}", name.escape_ascii().to_string());
        assert!(is_field_value(value), "value of {}", name.escape_ascii());
        assert_eq!(value, value.trim_ascii(), "whitespace around a value");
        fields::write_field(&mut written, name, value);
    }
    let mut section = Vec::new();
    fields.write_to(&mut section);
    assert_eq!(section, written, "the section as a whole");
}

/// The length of the body is stated at most once, by digits or by one `chunked`. Returns what
/// the fields state, read in the simplest way.
pub(super) fn stated_framing(fields: &Fields, version: Version) -> Option<Framing> {
    let codings: Vec<&[u8]> = fields.get_all(b"transfer-encoding").collect();
    let lengths: Vec<&[u8]> = fields.get_all(b"content-length").collect();
    match (&*codings, &*lengths) {
        ([], []) => None,
        ([coding], []) => {
            assert!(coding.eq_ignore_ascii_case(b"chunked"), "another coding");
            assert_eq!(version, Version::Http11, "chunked in HTTP/1.0");
            Some(Framing::Chunked)
        }
        ([], [length]) => {
            assert!(length.iter().all(u8::is_ascii_digit), "no digits");
            let digits = std::str::from_utf8(length).unwrap();
            Some(Framing::Length(digits.parse().unwrap()))
        }
        _ => panic!("more than one statement: {codings:?}, {lengths:?}"),
    }
}

/// All lines of the fields, for comparisons.
pub(super) fn text_of(fields: &Fields) -> String {
    let mut section = Vec::new();
    fields.write_to(&mut section);
    section.escape_ascii().to_string()
}
