use super::*;

fn fields() -> Fields {
    let mut fields = Fields::default();
    fields.append(b"Accept", b"a");
    fields.append(b"X-A", b"1");
    fields.append(b"accept", b"b");
    fields
}

fn text(fields: &Fields) -> String {
    let mut out = Vec::new();
    fields.write_to(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn set_replaces_every_line_where_the_first_stood() {
    let mut fields = fields();
    fields.set(b"ACCEPT", b"c");
    assert_eq!(text(&fields), "Accept: c\r\nX-A: 1\r\n");
    fields.set(b"New", b"n");
    assert_eq!(text(&fields), "Accept: c\r\nX-A: 1\r\nNew: n\r\n");
}

#[test]
fn lines_of_a_name_are_joined_in_order() {
    let mut out = Vec::new();
    assert!(fields().joined(b"accept", b", ", &mut out));
    assert_eq!(out, b"a, b");
    assert!(!fields().joined(b"absent", b", ", &mut out));
}

#[test]
fn remove_takes_all_lines_and_clear_keeps_memory() {
    let mut fields = fields();
    assert!(fields.remove(b"aCCept"));
    assert!(!fields.remove(b"accept"));
    assert_eq!(text(&fields), "X-A: 1\r\n");
    let capacity = fields.capacity();
    fields.clear();
    assert!(fields.is_empty());
    assert_eq!(fields.capacity(), capacity);
}

#[test]
fn known_fields_are_told_apart_in_any_case() {
    for (name, known) in [
        ("Host", Known::Host),
        ("transfer-ENCODING", Known::TransferEncoding),
        ("x-forwarded-proto", Known::XForwardedProto),
        ("X-Real-IP", Known::XRealIp),
        ("hose", Known::Other),
    ] {
        assert_eq!(Known::of(name.as_bytes()), known, "{name}");
    }
}

#[test]
fn values_and_tokens() {
    assert!(is_field_value(b"a\tb \xff"));
    for bad in [&b"a\rb"[..], b"a\nb", b"a\0b", b"\x7f"] {
        assert!(!is_field_value(bad));
    }
    assert!(is_token(b"X-A_b"));
    assert!(!is_token(b"") && !is_token(b"a b") && !is_token(b"a:"));
}
