//! Query parameters and cookies, which policies read.

use crate::path::is_unreserved;
use crate::percent::{self, hex};

/// The values of all parameters with this name, not decoded. Names are decoded before
/// they are compared. A parameter without `=` has an empty value.
pub fn parameters<'a>(query: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    query.split(|&byte| byte == b'&').filter_map(move |pair| {
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

/// Appends `value` as the value of one parameter: every byte but letters, digits and `-._~` is
/// percent-encoded, so that every reader decodes it to the same.
pub fn encode(value: &[u8], out: &mut Vec<u8>) {
    percent::encode(value, is_unreserved, out);
}

/// The values of all cookies of this name in one `Cookie` field (RFC 6265 §4.2.1), as sent.
pub fn cookies<'a>(field: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    field.split(|&byte| byte == b';').filter_map(move |pair| {
        let equals = memchr::memchr(b'=', pair)?;
        let key = pair.get(..equals)?.trim_ascii();
        (key == name.as_bytes()).then(|| pair.get(equals + 1..).unwrap_or_default().trim_ascii())
    })
}

/// Appends a query with `***` in place of the values of the parameters with these names.
pub fn hide<'n>(query: &[u8], names: impl Iterator<Item = &'n str> + Clone, out: &mut Vec<u8>) {
    for (place, pair) in query.split(|&byte| byte == b'&').enumerate() {
        if place > 0 {
            out.push(b'&');
        }
        let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let key = pair.get(..end).unwrap_or_default();
        if end < pair.len() && names.clone().any(|name| is_named(key, name)) {
            out.extend_from_slice(key);
            out.extend_from_slice(b"=***");
        } else {
            out.extend_from_slice(pair);
        }
    }
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
    fn values_are_hidden_by_name() {
        for (query, hidden) in [
            ("a=1&key=hunter2&b", "a=1&key=***&b"),
            ("%6bey=hunter2&key=&keys=1", "%6bey=***&key=***&keys=1"),
            ("key&&a=key=2", "key&&a=key=2"),
            ("", ""),
        ] {
            let mut out = Vec::new();
            hide(query.as_bytes(), ["key", "x"].into_iter(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), hidden);
        }
    }

    #[test]
    fn values_of_parameters() {
        let query = b"a=1&b=x%20y+z&a=2&c&%64=4&=5";
        for (name, expected) in [
            ("a", &["1", "2"][..]),
            ("b", &["x%20y+z"]),
            ("c", &[""]),
            ("d", &["4"]),
            ("e", &[]),
        ] {
            let values = parameters(query, name).map(|value| std::str::from_utf8(value).unwrap());
            assert_eq!(values.collect::<Vec<_>>(), expected, "{name}");
        }
        let mut out = Vec::new();
        decode(b"x%20y+z%2", &mut out);
        assert_eq!(out, b"x y z%2");
    }

    #[test]
    fn an_encoded_value_is_decoded_to_itself() {
        let value = b"a&b=c d+e#f%20;/?\0\xff";
        let mut encoded = Vec::new();
        encode(value, &mut encoded);
        assert_eq!(encoded, b"a%26b%3Dc%20d%2Be%23f%2520%3B%2F%3F%00%FF");
        let mut decoded = Vec::new();
        decode(&encoded, &mut decoded);
        assert_eq!(decoded, value);
    }

    #[test]
    fn values_of_cookies() {
        let field = b"a=1; session=abc=; a=2;b = 3 ; bare";
        for (name, expected) in [
            ("a", &["1", "2"][..]),
            ("session", &["abc="]),
            ("b", &["3"]),
            ("bare", &[]),
            ("c", &[]),
        ] {
            let values = cookies(field, name).map(|value| std::str::from_utf8(value).unwrap());
            assert_eq!(values.collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
