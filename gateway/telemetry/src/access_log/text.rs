//! The text format: nginx's `combined` format and its escaping.

use std::io::Write as _;
use std::net::IpAddr;

use super::fields::Line;
use super::json::is_special;

/// `address - - [time] "request line" status bytes "referer" "user agent"`
pub(super) fn write_combined(line: &Line<'_>, out: &mut Vec<u8>) {
    let record = line.record;
    address(record.client_ip, out);
    out.extend_from_slice(b" - - [");
    out.extend_from_slice(line.time.as_bytes());
    out.extend_from_slice(b"] \"");
    escape(record.method.as_bytes(), out);
    out.push(b' ');
    escape(record.path, out);
    if let Some(query) = record.query {
        out.push(b'?');
        escape(query, out);
    }
    out.extend_from_slice(b" HTTP/");
    escape(record.http_version.as_bytes(), out);
    out.extend_from_slice(b"\" ");
    // nginx's status for a client that closed the connection.
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(number.format(record.status.unwrap_or(499)).as_bytes());
    out.push(b' ');
    out.extend_from_slice(number.format(record.bytes_out).as_bytes());
    for value in [record.referer, record.user_agent] {
        out.push(b' ');
        quoted(value.unwrap_or(b"-"), out);
    }
}

/// Writes the bytes in quotes.
pub(super) fn quoted(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(bytes, out);
    out.push(b'"');
}

/// Escapes as nginx does: everything except printable ASCII, and also the quote
/// and the backslash, becomes `\xHH`, so that a value ends neither its quotes
/// nor its line.
pub(super) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    // As in JSON, nearly all values need no escape and are copied in one piece.
    if !bytes
        .iter()
        .fold(false, |special, byte| special | is_special(*byte))
    {
        out.extend_from_slice(bytes);
        return;
    }
    for byte in bytes {
        if !is_special(*byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(b"\\x");
            for nibble in [byte >> 4, byte & 0xf] {
                out.extend(HEX.get(usize::from(nibble)));
            }
        }
    }
}

/// Writes an address, which needs no quoting in either format.
pub(super) fn address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        // The common case, without the formatting machinery.
        IpAddr::V4(v4) => {
            let mut number = itoa::Buffer::new();
            for (n, octet) in v4.octets().into_iter().enumerate() {
                if n > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(number.format(octet).as_bytes());
            }
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_escape() {
        let table: [(&[u8], &str); 7] = [
            (b"plain", r#""plain""#),
            (br#"a"b"#, r#""a\x22b""#),
            (br"a\b", r#""a\x5Cb""#),
            (b"a\nb\r", r#""a\x0Ab\x0D""#),
            (b"\x7f\x1b", r#""\x7F\x1B""#),
            ("ö".as_bytes(), r#""\xC3\xB6""#),
            (b"\xff\0", r#""\xFF\x00""#),
        ];
        for (bytes, expected) in table {
            let mut out = Vec::new();
            super::quoted(bytes, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn addresses() {
        for address in [
            "0.0.0.0",
            "127.0.0.1",
            "255.10.0.200",
            "::1",
            "2001:db8::7:0",
        ] {
            let mut out = Vec::new();
            super::address(address.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), address);
        }
    }
}
