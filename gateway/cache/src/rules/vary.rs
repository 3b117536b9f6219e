//! The request fields that a response varies on (RFC 9111 §4.1), and the normalised form
//! in which their values are compared.

use janua_http::Fields;
use janua_http::accept_encoding::Accepted;
use janua_http::fields::{is_token, list};

/// The most field names in `Vary`. Longer lists would make each lookup expensive, and
/// count as `*`.
const MOST_NAMES: usize = 32;

/// The request fields that a response varies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vary<'a> {
    /// No field: the response answers every request.
    None,
    /// The names, in the order and letter case of the response.
    Names(Vec<&'a [u8]>),
    /// `*`: the response is never reused. Also an invalid field name, or more than 32
    /// names.
    Star,
}

impl<'a> Vary<'a> {
    /// Reads all field lines of `Vary`. A `*` anywhere in the list makes it [`Star`](Self::Star).
    #[must_use]
    pub fn of(response: &'a Fields) -> Self {
        let mut names: Vec<&[u8]> = Vec::new();
        for name in response.get_all(b"vary").flat_map(list) {
            if name == b"*" || !is_token(name) || names.len() == MOST_NAMES {
                return Self::Star;
            }
            names.push(name);
        }
        match names.is_empty() {
            true => Self::None,
            false => Self::Names(names),
        }
    }

    /// The names; empty for [`None`](Self::None) and [`Star`](Self::Star).
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        let names: &[&'a [u8]] = match self {
            Self::Names(names) => names,
            _ => &[],
        };
        names.iter().copied()
    }
}

/// Appends the value of a request field in its normalised form. `name` may have any
/// letter case. Returns false if the request does not have the field.
///
/// Field lines are joined, and whitespace around commas and at both ends is removed,
/// except within quotes (RFC 9111 §4.1). `Accept-Encoding` is reduced to the codings
/// that the gateway supports and the client accepts, in a fixed order; a missing field
/// has such a form too. `Accept-Language` becomes lower case, but keeps its order,
/// because many origins choose the first language.
pub fn write_value(name: &[u8], request: &Fields, out: &mut Vec<u8>) -> bool {
    if name.eq_ignore_ascii_case(b"accept-encoding") {
        Accepted::of(request).write_normalised(out);
        return true;
    }
    let start = out.len();
    let mut is_there = false;
    for line in request.get_all(name) {
        if is_there {
            out.push(b',');
        }
        is_there = true;
        write_without_blanks(line, out);
    }
    if name.eq_ignore_ascii_case(b"accept-language")
        && let Some(written) = out.get_mut(start..)
    {
        written.make_ascii_lowercase();
    }
    is_there
}

/// Appends a field line without whitespace around commas and at both ends, except within
/// quotes.
fn write_without_blanks(line: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut pending = 0..0;
    let mut quoted = false;
    let mut escaped = false;
    for (place, &byte) in line.iter().enumerate() {
        let is_blank = matches!(byte, b' ' | b'\t') && !quoted;
        if is_blank {
            if pending.is_empty() {
                pending = place..place;
            }
            pending.end = place + 1;
            continue;
        }
        let is_after_comma = out.len() == start || (out.last() == Some(&b',') && !quoted);
        if byte != b',' && !is_after_comma {
            out.extend_from_slice(line.get(pending.clone()).unwrap_or_default());
        }
        pending = 0..0;
        if escaped {
            escaped = false;
        } else if quoted && byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            quoted = !quoted;
        }
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(name: &str, lines: &[&str]) -> Fields {
        let mut fields = Fields::default();
        for line in lines {
            fields.append(name.as_bytes(), line.as_bytes());
        }
        fields
    }

    #[test]
    fn names() {
        for (lines, expected) in [
            (&[][..], Vary::None),
            (&[""], Vary::None),
            (&[" , "], Vary::None),
            (&["Foo"], Vary::Names(vec![b"Foo"])),
            (
                &["Foo, Bar", "baz"],
                Vary::Names(vec![b"Foo", b"Bar", b"baz"]),
            ),
            (&["*"], Vary::Star),
            (&["*, *"], Vary::Star),
            (&["*", "*"], Vary::Star),
            (&[", *"], Vary::Star),
            (&["", "*"], Vary::Star),
            (&["*, Foo"], Vary::Star),
            (&["Foo, *"], Vary::Star),
            (&["Foo Bar"], Vary::Star),
            (&["\"Foo\""], Vary::Star),
        ] {
            assert_eq!(Vary::of(&fields("Vary", lines)), expected, "{lines:?}");
        }
        let many = vec!["x"; MOST_NAMES + 1].join(",");
        assert_eq!(Vary::of(&fields("Vary", &[&many])), Vary::Star);
    }

    fn value(name: &str, lines: &[&str]) -> Option<String> {
        let mut out = b"before".to_vec();
        let is_there = write_value(
            name.to_uppercase().as_bytes(),
            &fields(name, lines),
            &mut out,
        );
        let written = String::from_utf8(out).unwrap();
        is_there.then(|| written.strip_prefix("before").unwrap().to_owned())
    }

    #[test]
    fn values() {
        for (name, lines, expected) in [
            ("foo", &["1"][..], Some("1")),
            ("foo", &["1, 2"], Some("1,2")),
            ("foo", &["1", "2"], Some("1,2")),
            ("foo", &[" 1,\t2 "], Some("1,2")),
            ("foo", &["2, 1"], Some("2,1")),
            ("foo", &["a  b"], Some("a  b")),
            ("foo", &["A"], Some("A")),
            ("foo", &["\"a , b\" , c"], Some("\"a , b\",c")),
            ("foo", &["\"a\\\" , b\" , c"], Some("\"a\\\" , b\",c")),
            ("foo", &["\", x"], Some("\", x")),
            ("foo", &[""], Some("")),
            ("foo", &[], None),
            ("accept-language", &["eN,  De;q=0.5"], Some("en,de;q=0.5")),
            ("accept-language", &["de, en"], Some("de,en")),
            ("accept-encoding", &["gzip, br"], Some("br, gzip")),
            (
                "accept-encoding",
                &["br;q=1.0,gzip", "x-nothing"],
                Some("br, gzip"),
            ),
            ("accept-encoding", &[], Some("identity")),
        ] {
            assert_eq!(value(name, lines).as_deref(), expected, "{name} {lines:?}");
        }
    }

    proptest! {
        #[test]
        fn the_form_of_a_form_is_itself(line in "[a-c\", \\\\\t]{0,24}") {
            let once = value("foo", &[&line]).unwrap();
            let twice = value("foo", &[&once]);
            prop_assert_eq!(twice, Some(once));
        }

        #[test]
        fn any_bytes_are_survived(line in proptest::collection::vec(any::<u8>(), 0..48)) {
            let mut fields = Fields::default();
            fields.append(b"Foo", &line);
            fields.append(b"Vary", &line);
            let _ = Vary::of(&fields);
            let mut out = Vec::new();
            prop_assert!(write_value(b"foo", &fields, &mut out));
        }
    }
}
