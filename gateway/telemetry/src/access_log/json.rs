//! JSON strings (RFC 8259, section 7) from untrusted bytes.

/// Writes the bytes as a quoted JSON string.
pub(super) fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(bytes, out);
    out.push(b'"');
}

/// Writes the bytes as the inside of a JSON string. Invalid UTF-8 becomes
/// U+FFFD; characters that could break a line, or change how a terminal
/// displays it, are escaped.
pub(super) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    // Nearly all values need no escape; the fold has no branch and is
    // vectorised.
    if !bytes
        .iter()
        .fold(false, |special, byte| special | is_special(*byte))
    {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            character(c, out);
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Whether the byte is a quote, a backslash, or not printable ASCII.
pub(super) fn is_special(byte: u8) -> bool {
    !(0x20..0x7f).contains(&byte) || byte == b'"' || byte == b'\\'
}

fn character(c: char, out: &mut Vec<u8>) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // Control characters (C0 and C1); the line and paragraph separators, at
        // which some readers break lines; and bidirectional controls, which
        // reorder text.
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => {
            out.extend_from_slice(b"\\u");
            let code = u32::from(c);
            for shift in [12, 8, 4, 0] {
                // The value is below 16, so it is always a digit.
                let digit = char::from_digit(code >> shift & 0xf, 16).unwrap_or('0');
                out.push(digit as u8);
            }
        }
        _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    fn escaped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        super::string(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_escape() {
        let table: [(&[u8], &str); 19] = [
            (b"", r#""""#),
            (b"plain / text", r#""plain / text""#),
            (br#"a"b"#, r#""a\"b""#),
            (br"a\b", r#""a\\b""#),
            (b"a\nb", r#""a\nb""#),
            (b"a\rb", r#""a\rb""#),
            (b"a\tb", r#""a\tb""#),
            (b"\0", r#""\u0000""#),
            (b"\x1b[31m", r#""\u001b[31m""#),
            (b"\x1f", r#""\u001f""#),
            (b"\x7f", r#""\u007f""#),
            ("\u{85}".as_bytes(), r#""\u0085""#),
            ("\u{2028}\u{2029}".as_bytes(), r#""\u2028\u2029""#),
            ("\u{202e}\u{2066}".as_bytes(), r#""\u202e\u2066""#),
            ("größe 😀".as_bytes(), r#""größe 😀""#),
            (b"a\xffb", "\"a\u{fffd}b\""),
            // A truncated character is replaced once, as `from_utf8_lossy`
            // does.
            (b"\xe2\x82", "\"\u{fffd}\""),
            (b"\xf0\x9f\x98x", "\"\u{fffd}x\""),
            // An overlong encoding of a newline is not a newline.
            (b"\xc0\x8a", "\"\u{fffd}\u{fffd}\""),
        ];
        for (bytes, expected) in table {
            assert_eq!(escaped(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn every_byte_reads_back() {
        for byte in 0..=u8::MAX {
            let bytes = [b'a', byte, b'b'];
            let line = escaped(&bytes);
            assert!(!line.contains(char::is_control), "{byte:#x}");
            let read: String = serde_json::from_str(&line).unwrap();
            assert_eq!(read, String::from_utf8_lossy(&bytes));
        }
    }
}
