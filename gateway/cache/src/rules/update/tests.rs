use super::*;

const MONDAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";
const SUNDAY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn fields(lines: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in lines {
        fields.append(name.as_bytes(), value.as_bytes());
    }
    fields
}

fn text(fields: &Fields) -> String {
    let mut out = Vec::new();
    fields.write_to(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn which_304_speaks_of_what_is_stored() {
    let tag = |tag| ("ETag", tag);
    let time = |time| ("Last-Modified", time);
    for (stored, answered, expected) in [
        (&[tag("\"a\"")][..], &[tag("\"a\"")][..], true),
        (&[tag("\"a\"")], &[tag("\"b\"")], false),
        (&[tag("\"a\"")], &[tag("W/\"a\"")], true),
        (&[tag("W/\"a\"")], &[tag("W/\"b\"")], false),
        (&[tag("W/\"a\"")], &[tag("\"a\"")], true),
        (&[tag("\"a\"")], &[], true),
        (&[tag("\"a\"")], &[tag("junk")], true),
        (
            &[tag("\"a\""), time(SUNDAY)],
            &[tag("\"a\""), time(MONDAY)],
            true,
        ),
        (&[tag("\"a\""), time(SUNDAY)], &[time(MONDAY)], false),
        (&[time(SUNDAY)], &[time(SUNDAY)], true),
        (&[time(SUNDAY)], &[time(MONDAY)], false),
        (&[time(SUNDAY)], &[], true),
        (&[time(SUNDAY)], &[tag("\"a\""), time(SUNDAY)], false),
        (&[time(SUNDAY)], &[tag("W/\"a\""), time(SUNDAY)], true),
    ] {
        let found = identifies(&fields(stored), &fields(answered));
        assert_eq!(found, expected, "{stored:?} {answered:?}");
    }
}

#[test]
fn heads() {
    let stored = fields(&[("ETag", "\"a\""), ("Last-Modified", SUNDAY)]);
    for (status, answer, expected) in [
        (200, &[][..], HeadEffect::Renew),
        (
            200,
            &[("ETag", "\"a\""), ("Content-Length", "5")],
            HeadEffect::Renew,
        ),
        (200, &[("ETag", "\"b\"")], HeadEffect::Expire),
        (200, &[("Last-Modified", MONDAY)], HeadEffect::Expire),
        (200, &[("Content-Length", "6")], HeadEffect::Expire),
        (200, &[("Content-Length", "x")], HeadEffect::Expire),
        (404, &[("ETag", "\"b\"")], HeadEffect::Keep),
        (410, &[], HeadEffect::Keep),
        (503, &[], HeadEffect::Keep),
    ] {
        let effect = head_effect(&stored, 5, status, &fields(answer));
        assert_eq!(effect, expected, "{status} {answer:?}");
    }
    let bare = fields(&[]);
    let tagged = fields(&[("ETag", "\"a\"")]);
    assert_eq!(head_effect(&bare, 5, 200, &tagged), HeadEffect::Expire);
}

#[test]
fn what_a_304_changes() {
    let stored = [
        ("Date", SUNDAY),
        ("Test-Header", "old"),
        ("Kept", "1"),
        ("Two", "1"),
        ("Two", "2"),
        ("Content-Type", "text/plain"),
        ("Content-Encoding", "br"),
        ("Content-Length", "5"),
        ("Content-Range", "r"),
        ("Content-MD5", "m"),
        ("ETag", "\"a\""),
        ("Set-Cookie", "a=b"),
        ("Cache-Control", "max-age=2"),
    ];
    let answer = fields(&[
        ("date", MONDAY),
        ("test-header", "new"),
        ("two", "3"),
        ("Two", "4"),
        ("Content-Type", "text/html"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "10"),
        ("Content-Range", "s"),
        ("Content-MD5", "n"),
        ("ETag", "W/\"a\""),
        ("Set-Cookie", "a=c"),
        ("Cache-Control", "max-age=3600"),
        ("Age", "7"),
        ("Connection", "x"),
        ("X", "1"),
        ("Keep-Alive", "timeout=5"),
    ]);
    let mut renewed = fields(&stored);
    renew(&mut renewed, &answer, false);
    let expected = format!(
        "Kept: 1\r\nContent-Encoding: br\r\nContent-Length: 5\r\nContent-Range: r\r\n\
         Content-MD5: m\r\nETag: \"a\"\r\nSet-Cookie: a=b\r\ndate: {MONDAY}\r\n\
         test-header: new\r\ntwo: 3\r\nTwo: 4\r\nContent-Type: text/html\r\n\
         Cache-Control: max-age=3600\r\nAge: 7\r\n"
    );
    assert_eq!(text(&renewed), expected);
    let mut shared = fields(&stored);
    renew(&mut shared, &answer, true);
    assert_eq!(shared.get(b"set-cookie"), Some(&b"a=c"[..]));
}

#[test]
fn an_old_date_makes_nothing_old() {
    let mut stored = fields(&[("Date", SUNDAY), ("Age", "5"), ("A", "1")]);
    renew(&mut stored, &fields(&[]), false);
    assert_eq!(text(&stored), "A: 1\r\n");
}
