//! The changes that a content coding makes to the head of a response.

use janua_http::accept_encoding::Coding;
use janua_http::etag::EntityTag;
use janua_http::fields::{Fields, list};

/// Fields that describe the uncoded bytes. Byte offsets no longer apply, and
/// every digest is of other bytes: those of the content (`Content-Digest`,
/// `Content-MD5`), and those of the representation (`Repr-Digest`, `Digest`),
/// because representation data includes the content coding (RFC 9530, sections
/// 2 and 3; RFC 9110, section 8.1).
const UNTRUE: [&[u8]; 6] = [
    b"content-length",
    b"accept-ranges",
    b"content-digest",
    b"repr-digest",
    b"digest",
    b"content-md5",
];

/// Changes a head to that of a body in this coding. The caller must reset the
/// framing and call [`vary`].
///
/// A strong entity tag becomes weak, because it now identifies an equivalent
/// representation and not the same bytes (RFC 9110, section 8.8.3.3). It still
/// serves `If-None-Match`, but not `If-Range`. A malformed entity tag is
/// removed.
pub fn mark(fields: &mut Fields, coding: Coding) {
    retain_true(fields);
    fields.set(b"Content-Encoding", coding.token().as_bytes());
    let Some(tag) = fields.get(b"etag") else {
        return;
    };
    match EntityTag::parse(tag) {
        Some(EntityTag { weak: true, .. }) => {}
        Some(_) => {
            let weak = [b"W/", tag].concat();
            fields.set(b"ETag", &weak);
        }
        None => {
            fields.remove(b"etag");
        }
    }
}

/// Removes the fields, or trailers, that describe the uncoded bytes.
pub fn retain_true(fields: &mut Fields) {
    fields.retain(|_, name, _| !is_untrue(name));
}

/// Whether a field, or trailer, of this name describes the uncoded bytes.
#[must_use]
pub fn is_untrue(name: &[u8]) -> bool {
    UNTRUE
        .iter()
        .any(|untrue| name.eq_ignore_ascii_case(untrue))
}

/// Adds `Accept-Encoding` to `Vary` (RFC 9110, section 12.5.5), unless it is
/// listed already or `Vary` is `*`.
pub fn vary(fields: &mut Fields) {
    let is_said = fields
        .get_all(b"vary")
        .flat_map(list)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"));
    if is_said {
        return;
    }
    let mut value = Vec::new();
    for name in fields.get_all(b"vary").flat_map(list) {
        value.extend_from_slice(name);
        value.extend_from_slice(b", ");
    }
    value.extend_from_slice(b"Accept-Encoding");
    fields.set(b"Vary", &value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[(&str, &str)], edit: impl Fn(&mut Fields)) -> String {
        let mut fields = Fields::default();
        for (name, value) in lines {
            fields.append(name.as_bytes(), value.as_bytes());
        }
        edit(&mut fields);
        let mut out = Vec::new();
        fields.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_the_coding_makes_untrue_goes() {
        let head = text(
            &[
                ("Content-Type", "text/plain"),
                ("Content-Length", "5000"),
                ("accept-ranges", "bytes"),
                ("Content-Digest", "sha-256=:AA==:"),
                ("Repr-Digest", "sha-256=:AA==:"),
                ("Want-Repr-Digest", "sha-256=1"),
                ("Digest", "sha-256=AA=="),
                ("Content-MD5", "AA=="),
                ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("Content-Encoding", "identity"),
            ],
            |fields| mark(fields, Coding::Brotli),
        );
        assert_eq!(
            head,
            "Content-Type: text/plain\r\n\
             Want-Repr-Digest: sha-256=1\r\n\
             Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Content-Encoding: br\r\n"
        );
    }

    #[test]
    fn entity_tags_become_weak() {
        for (tag, expected) in [
            (r#""a""#, Some(r#"W/"a""#)),
            (r#"W/"a""#, Some(r#"W/"a""#)),
            (r#""""#, Some(r#"W/"""#)),
            ("a", None),
            ("", None),
        ] {
            let head = text(&[("ETag", tag)], |fields| mark(fields, Coding::Gzip));
            let line = expected.map_or(String::new(), |tag| format!("ETag: {tag}\r\n"));
            assert_eq!(head, format!("{line}Content-Encoding: gzip\r\n"), "{tag}");
        }
    }

    #[test]
    fn vary_is_merged() {
        for (lines, expected) in [
            (&[][..], "Vary: Accept-Encoding\r\n"),
            (&[("Vary", "")], "Vary: Accept-Encoding\r\n"),
            (&[("Vary", "Origin")], "Vary: Origin, Accept-Encoding\r\n"),
            (
                &[("vary", "Origin,Cookie"), ("Vary", "X")],
                "vary: Origin, Cookie, X, Accept-Encoding\r\n",
            ),
            (&[("Vary", "accept-encoding")], "Vary: accept-encoding\r\n"),
            (
                &[("Vary", "Origin, Accept-Encoding")],
                "Vary: Origin, Accept-Encoding\r\n",
            ),
            (&[("Vary", "*")], "Vary: *\r\n"),
        ] {
            let twice = |fields: &mut Fields| {
                vary(fields);
                vary(fields);
            };
            assert_eq!(text(lines, twice), expected, "{lines:?}");
        }
    }
}
