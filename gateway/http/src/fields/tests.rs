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
fn only_lines_that_are_written_count_for_a_bound() {
    let mut fields = fields();
    let len = text(&fields).len();
    assert!(!fields.exceed(len, 3));
    assert!(fields.exceed(len - 1, 3) && fields.exceed(len, 2));
    for _ in 0..10 {
        fields.set(b"X-A", b"2");
    }
    assert!(!fields.exceed(len, 3));
    assert!(fields.remove(b"X-A"));
    assert!(!fields.exceed(len - 1, 2));
}

/// Lines that were received together, as they are after the parser.
fn received() -> Fields {
    let mut fields = Fields::default();
    let lines = [("Host", "a"), ("X-A", "1"), ("Accept", "b"), ("x-a", "2")];
    let section: String = lines
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let mut copied = fields.copy_section(section.as_bytes());
    for (name, value) in lines {
        fields.append_copied(&mut copied, name.as_bytes(), value.as_bytes());
    }
    fields
}

#[test]
fn received_lines_are_edited_as_appended_ones() {
    let mut appended = Fields::default();
    for (_, name, value) in received().iter() {
        appended.append(name, value);
    }
    type Edit = fn(&mut Fields);
    let edits: [(Edit, &str); 6] = [
        (|_| {}, "Host: a\r\nX-A: 1\r\nAccept: b\r\nx-a: 2\r\n"),
        (
            |fields| fields.set(b"x-a", b"long enough"),
            "Host: a\r\nX-A: long enough\r\nAccept: b\r\n",
        ),
        (
            |fields| fields.set(b"HOST", b""),
            "Host: \r\nX-A: 1\r\nAccept: b\r\nx-a: 2\r\n",
        ),
        (
            |fields| assert!(fields.remove(b"X-A")),
            "Host: a\r\nAccept: b\r\n",
        ),
        (
            |fields| {
                fields.retain(|known, name, value| {
                    known == Known::Host || name == b"x-a" && value == b"2"
                })
            },
            "Host: a\r\nx-a: 2\r\n",
        ),
        (
            |fields| {
                fields.append(b"New", b"n");
            },
            "Host: a\r\nX-A: 1\r\nAccept: b\r\nx-a: 2\r\nNew: n\r\n",
        ),
    ];
    for (edit, expected) in edits {
        for mut fields in [received(), appended.clone()] {
            edit(&mut fields);
            assert_eq!(text(&fields), expected);
            fields.set(b"Last", b"1");
            fields.set(b"last", b"2");
            assert_eq!(text(&fields), format!("{expected}Last: 2\r\n"));
        }
    }
}

#[test]
fn a_value_is_repeated_under_another_name() {
    let mut fields = received();
    fields.append_value_of(Known::Host, Known::XForwardedHost);
    fields.append_value_of(Known::XForwardedHost, Known::Forwarded);
    fields.append_value_of(Known::Date, Known::Expect);
    fields.set(b"host", b"");
    fields.append_value_of(Known::Host, Known::Expect);
    assert_eq!(
        text(&fields),
        "Host: \r\nX-A: 1\r\nAccept: b\r\nx-a: 2\r\nX-Forwarded-Host: a\r\nForwarded: a\r\n"
    );
    assert_eq!(fields.known(Known::XForwardedHost).next(), Some(&b"a"[..]));
}

#[test]
fn lines_that_are_left_out_leave_no_gap() {
    let fields = received();
    for (left_out, expected) in [
        (Known::Date, "Host: a\r\nX-A: 1\r\nAccept: b\r\nx-a: 2\r\n"),
        (Known::Host, "X-A: 1\r\nAccept: b\r\nx-a: 2\r\n"),
        (Known::Other, "Host: a\r\n"),
    ] {
        let mut out = b"> ".to_vec();
        fields.write_where(|known| known != left_out, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("> {expected}"));
    }
}

#[test]
fn known_fields_are_told_apart_in_any_case() {
    for known in Known::ALL {
        let name = known.name();
        assert_eq!(Known::of(name), known);
        assert_eq!(Known::of(&name.to_ascii_uppercase()), known);
        assert_eq!(Known::of(&name.to_ascii_lowercase()), known);
    }
    for name in ["hose", "hast", "x-forwarded-pron", "tt", "", "Accept"] {
        assert_eq!(Known::of(name.as_bytes()), Known::Other, "{name}");
    }
}

/// Names with the same tag are still different names.
#[test]
fn names_that_look_alike_are_told_apart() {
    let mut fields = Fields::default();
    for (name, value) in [
        ("x-ab-y", "1"),
        ("X-CD-Y", "2"),
        ("x-y", "3"),
        ("@-ab-y", "4"),
    ] {
        fields.append(name.as_bytes(), value.as_bytes());
    }
    for (name, expected) in [
        ("X-AB-Y", Some("1")),
        ("x-cd-y", Some("2")),
        ("`-ab-y", None),
    ] {
        let value = fields.get(name.as_bytes());
        assert_eq!(value, expected.map(str::as_bytes), "{name}");
    }
    fields.set(b"x-cd-y", b"5");
    assert!(fields.remove(b"x-ab-y"));
    assert_eq!(text(&fields), "X-CD-Y: 5\r\nx-y: 3\r\n@-ab-y: 4\r\n");
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
