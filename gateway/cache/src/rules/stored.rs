//! The fields of a response that are stored (RFC 9111 §3.1).

use janua_http::{Fields, Known, fields::list};

use super::control::directives;

/// Removes the fields that must not be stored: hop-by-hop fields, including those that
/// `Connection` lists; the `Proxy-` fields; `Age`, which is part of the
/// [`Terms`](super::Terms); and the fields that `no-cache="…"` or `private="…"` name,
/// which are for the first client only (RFC 9111 §5.2.2.4, §5.2.2.7).
pub fn retain_storable(fields: &mut Fields) {
    let listed: Vec<Vec<u8>> = fields
        .known(Known::Connection)
        .flat_map(list)
        .chain(names_in_control(fields))
        .map(<[u8]>::to_vec)
        .collect();
    fields.retain(|known, name, _| {
        let is_listed = || listed.iter().any(|other| other.eq_ignore_ascii_case(name));
        !known.is_hop_by_hop() && !is_never_stored(name) && !is_listed()
    });
}

/// The field names in `no-cache="…"` and `private="…"`.
pub(super) fn names_in_control(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    fields
        .get_all(b"cache-control")
        .flat_map(directives)
        .filter(|directive| directive.is("no-cache") || directive.is("private"))
        .filter_map(|directive| directive.names())
        .flatten()
}

fn is_never_stored(name: &[u8]) -> bool {
    [
        "age",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
    ]
    .iter()
    .any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left() {
        let mut fields = Fields::default();
        for (name, value) in [
            ("Date", "now"),
            ("Connection", "a, B"),
            ("A", "1"),
            ("b", "2"),
            ("Keep-Alive", "x"),
            ("TE", "x"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "x"),
            ("Proxy-Connection", "x"),
            ("Proxy-Authenticate", "x"),
            ("Proxy-Authentication-Info", "x"),
            ("Proxy-Authorization", "x"),
            ("Age", "5"),
            ("C", "3"),
            ("Cache-Control", "no-cache=\"d, E\", max-age=5, private=f"),
            ("d", "x"),
            ("e", "x"),
            ("F", "x"),
            ("Set-Cookie2", "a=c"),
            ("Content-Encoding", "br"),
            ("ETag", "\"a\""),
            ("Vary", "Accept"),
        ] {
            fields.append(name.as_bytes(), value.as_bytes());
        }
        retain_storable(&mut fields);
        let left: Vec<_> = fields
            .iter()
            .map(|(_, name, _)| String::from_utf8_lossy(name).into_owned())
            .collect();
        assert_eq!(
            left,
            [
                "Date",
                "C",
                "Cache-Control",
                "Set-Cookie2",
                "Content-Encoding",
                "ETag",
                "Vary"
            ]
        );
    }

    #[test]
    fn directives_without_names_name_nothing() {
        let mut fields = Fields::default();
        fields.append(b"Cache-Control", b"no-cache, private=\"\", ext=\"a\"");
        fields.append(b"a", b"1");
        retain_storable(&mut fields);
        assert_eq!(fields.len(), 2);
    }
}
