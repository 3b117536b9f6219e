//! Percent-encoded values in the query of a request (RFC 3986, section 2.1).

/// The value of the first parameter with this name; none if it does not exist
/// or is not UTF-8. A `+` is not decoded as a space.
pub(crate) fn value(query: &str, name: &str) -> Option<String> {
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = value.bytes();
    let mut decoded = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Encodes a value for use in a query.
pub(crate) fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{encode, value};

    #[test]
    fn a_value_reads_back() {
        for text in ["", "https://a.example/b?c=d&e=%20#f", "ü + 1", "%"] {
            let query = format!("x=1&url={}&url=2", encode(text));
            assert_eq!(value(&query, "url").as_deref(), Some(text));
        }
    }

    #[test]
    fn a_missing_or_malformed_value_is_none() {
        for query in [
            "", "url", "x=1", "urls=1", "url=%", "url=%2", "url=%zz", "url=%ff",
        ] {
            assert_eq!(value(query, "url"), None, "{query}");
        }
    }
}
