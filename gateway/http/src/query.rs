//! Query parameters and cookies, which policies read.

use crate::path::hex;

/// The value of the first parameter with this name, not decoded. Names are decoded before
/// they are compared. A parameter without `=` has an empty value.
#[must_use]
pub fn parameter<'a>(query: &'a [u8], name: &str) -> Option<&'a [u8]> {
    query.split(|&byte| byte == b'&').find_map(|pair| {
        let (key, value) = match memchr::memchr(b'=', pair) {
            Some(equals) => (pair.get(..equals)?, pair.get(equals + 1..)?),
            None => (pair, &[][..]),
        };
        is_named(key, name).then_some(value)
    })
}

/// Appends the decoded form of a query component: percent-encodings are decoded, and `+`
/// becomes a space (WHATWG URL §5.1). A `%` without two hexadecimal digits is kept.
pub fn decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let escaped = match tail {
            [high, low, ..] if byte == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = tail.get(2..).unwrap_or_default();
            }
            None if byte == b'+' => out.push(b' '),
            None => out.push(byte),
        }
    }
}

/// The value of the first cookie of this name in a `Cookie` field
/// (RFC 6265 §4.2.1), as sent.
#[must_use]
pub fn cookie<'a>(field: &'a [u8], name: &str) -> Option<&'a [u8]> {
    cookies(field, name).next()
}

/// The values of all cookies of this name in one `Cookie` field.
pub fn cookies<'a>(field: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    field.split(|&byte| byte == b';').filter_map(move |pair| {
        let equals = memchr::memchr(b'=', pair)?;
        let key = pair.get(..equals)?.trim_ascii();
        (key == name.as_bytes()).then(|| pair.get(equals + 1..).unwrap_or_default().trim_ascii())
    })
}

fn is_named(key: &[u8], name: &str) -> bool {
    if !key.contains(&b'%') && !key.contains(&b'+') {
        return key == name.as_bytes();
    }
    let mut decoded = Vec::with_capacity(key.len());
    decode(key, &mut decoded);
    decoded == name.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let query = b"a=1&b=x%20y+z&a=2&c&%64=4&=5";
        for (name, raw) in [
            ("a", Some("1")),
            ("b", Some("x%20y+z")),
            ("c", Some("")),
            ("d", Some("4")),
            ("e", None),
        ] {
            assert_eq!(parameter(query, name), raw.map(str::as_bytes), "{name}");
        }
        let mut out = Vec::new();
        decode(b"x%20y+z%2", &mut out);
        assert_eq!(out, b"x y z%2");
    }

    #[test]
    fn cookies() {
        let field = b"a=1; session=abc=; a=2;b = 3 ; bare";
        for (name, value) in [
            ("a", Some("1")),
            ("session", Some("abc=")),
            ("b", Some("3")),
            ("bare", None),
            ("c", None),
        ] {
            assert_eq!(cookie(field, name), value.map(str::as_bytes), "{name}");
        }
    }
}
