use proptest::prelude::*;

use super::*;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn ask(method: &str, lines: &[(&str, &str)], length: u64) -> Ranges {
    let mut head = RequestHead::default();
    head.method.extend_from_slice(method.as_bytes());
    for (name, value) in lines {
        head.fields.append(name.as_bytes(), value.as_bytes());
    }
    let validators = Validators {
        etag: Some(b"\"a\""),
        modified: Some(784_111_777),
    };
    requested(&head, validators, length)
}

/// `0-9 20-29` for parts; else the word.
fn words(ranges: &Ranges) -> String {
    match ranges {
        Ranges::Whole => "whole".to_owned(),
        Ranges::Unsatisfiable => "416".to_owned(),
        Ranges::Parts(parts) => parts
            .iter()
            .map(|part| format!("{}-{}", part.first, part.last))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

#[test]
fn sets_of_ranges() {
    for (value, length, expected) in [
        ("bytes=0-9", 100, "0-9"),
        ("bytes=0-0", 100, "0-0"),
        ("BYTES=90-", 100, "90-99"),
        ("bytes=0-", 100, "0-99"),
        ("bytes=-10", 100, "90-99"),
        ("bytes=-1000", 100, "0-99"),
        ("bytes=90-1000", 100, "90-99"),
        ("bytes=99-18446744073709551616000", 100, "99-99"),
        ("bytes=0-0", 1, "0-0"),
        // Several: in the order asked, if nothing is joined.
        ("bytes=0-9,20-29", 100, "0-9 20-29"),
        ("bytes=20-29 ,\t0-9,,", 100, "20-29 0-9"),
        ("bytes=0-9,-10", 100, "0-9 90-99"),
        // What overlaps or touches is one.
        ("bytes=20-29,0-9,5-14", 100, "0-14 20-29"),
        ("bytes=10-19,0-9", 100, "0-19"),
        ("bytes=0-0,0-0", 100, "0-0"),
        // More than there is: the whole.
        ("bytes=0-,0-", 100, "whole"),
        ("bytes=0-59,40-99", 100, "whole"),
        // Those that cannot be met are left out, unless none can.
        ("bytes=100-,0-9", 100, "0-9"),
        ("bytes=100-", 100, "416"),
        ("bytes=100-,200-300", 100, "416"),
        ("bytes=-0", 100, "416"),
        ("bytes=18446744073709551616-", 100, "416"),
        ("bytes=0-", 0, "416"),
        ("bytes=-5", 0, "whole"),
        // Malformed or another unit: as if it were not there.
        ("bytes=9-0", 100, "whole"),
        ("bytes=0-9,9-0", 100, "whole"),
        ("bytes=", 100, "whole"),
        ("bytes=,", 100, "whole"),
        ("bytes=-", 100, "whole"),
        ("bytes=5", 100, "whole"),
        ("bytes=a-b", 100, "whole"),
        ("bytes=0 - 9", 100, "whole"),
        ("bytes=+0-9", 100, "whole"),
        ("bytes=0-9-20", 100, "whole"),
        ("bytes=--5", 100, "whole"),
        ("bytes 0-9", 100, "whole"),
        ("bytes =0-9", 100, "whole"),
        ("lines=0-9", 100, "whole"),
        ("", 100, "whole"),
    ] {
        let ranges = ask("GET", &[("Range", value)], length);
        assert_eq!(words(&ranges), expected, "{value} of {length}");
    }
}

#[test]
fn only_one_line_in_a_get() {
    let range = ("Range", "bytes=0-9");
    assert_eq!(words(&ask("GET", &[range], 100)), "0-9");
    assert_eq!(words(&ask("HEAD", &[range], 100)), "whole");
    assert_eq!(words(&ask("POST", &[range], 100)), "whole");
    assert_eq!(words(&ask("GET", &[range, range], 100)), "whole");
    assert_eq!(words(&ask("GET", &[], 100)), "whole");
}

#[test]
fn only_so_many() {
    let set = |count: u64| {
        let ranges: Vec<String> = (0..count).map(|n| format!("{0}-{0}", n * 2)).collect();
        format!("bytes={}", ranges.join(","))
    };
    match ask("GET", &[("Range", &set(32))], 1000) {
        Ranges::Parts(parts) => assert_eq!(parts.len(), MAX_RANGES),
        other => panic!("{other:?}"),
    }
    assert_eq!(ask("GET", &[("Range", &set(33))], 1000), Ranges::Whole);
}

#[test]
fn if_range() {
    for (value, holds) in [
        (r#""a""#, true),
        (r#"W/"a""#, false),
        (r#""x""#, false),
        (r#""a", "b""#, false),
        (DATE, true),
        ("Sunday, 06-Nov-94 08:49:37 GMT", true),
        ("Sun, 06 Nov 1994 08:49:38 GMT", false),
        ("Sun, 06 Nov 1994 08:49:36 GMT", false),
        ("*", false),
        ("", false),
    ] {
        let ranges = ask("GET", &[("Range", "bytes=0-9"), ("If-Range", value)], 100);
        assert_eq!(ranges != Ranges::Whole, holds, "{value}");
    }
    let twice = [
        ("Range", "bytes=0-9"),
        ("If-Range", "\"a\""),
        ("If-Range", "\"a\""),
    ];
    assert_eq!(ask("GET", &twice, 100), Ranges::Whole);
    // A range that cannot be met is not refused to a client of another version.
    let other = [("Range", "bytes=100-"), ("If-Range", "\"x\"")];
    assert_eq!(ask("GET", &other, 100), Ranges::Whole);
}

#[test]
fn if_range_without_validators() {
    for value in [r#""a""#, DATE] {
        let mut head = RequestHead::default();
        head.method.extend_from_slice(b"GET");
        head.fields.append(b"Range", b"bytes=0-9");
        head.fields.append(b"If-Range", value.as_bytes());
        assert_eq!(requested(&head, Validators::default(), 100), Ranges::Whole);
    }
}

#[test]
fn words_of_a_206_and_a_416() {
    let mut out = Vec::new();
    write_content_range(
        Part {
            first: 42,
            last: 1233,
        },
        1234,
        &mut out,
    );
    assert_eq!(out, b"bytes 42-1233/1234");
    out.clear();
    write_unsatisfied(47022, &mut out);
    assert_eq!(out, b"bytes */47022");
}

#[test]
fn a_multipart_body() {
    let text = b"0123456789";
    let parts = [Part { first: 0, last: 1 }, Part { first: 8, last: 9 }];
    let multipart = Multipart {
        boundary: b"SEP",
        content_type: Some(b"text/plain"),
        length: 10,
    };
    let mut out = Vec::new();
    for part in parts {
        multipart.write_head(part, &mut out);
        out.extend_from_slice(&text[part.first as usize..=part.last as usize]);
    }
    multipart.write_end(&mut out);
    assert_eq!(
        String::from_utf8(out.clone()).unwrap(),
        "\r\n--SEP\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
         \r\n--SEP\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\
         \r\n--SEP--\r\n"
    );
    assert_eq!(multipart.body_length(&parts), out.len() as u64);
    out.clear();
    multipart.write_type(&mut out);
    assert_eq!(out, b"multipart/byteranges; boundary=SEP");
}

fn spec() -> impl Strategy<Value = String> {
    let position = prop_oneof![0..20_u64, Just(u64::MAX)];
    let last = proptest::option::of(position.clone());
    prop_oneof![
        (position.clone(), last).prop_map(|(first, last)| match last {
            Some(last) => format!("{first}-{last}"),
            None => format!("{first}-"),
        }),
        position.prop_map(|size| format!("-{size}")),
    ]
}

proptest! {
    /// Parts are ascending pairs below the length, apart from each other, and
    /// in all no more than there is; each byte asked for is in one of them.
    #[test]
    fn parts_stay_within(
        specs in proptest::collection::vec(spec(), 1..6),
        length in prop_oneof![0..24_u64, Just(u64::MAX)],
    ) {
        let value = format!("bytes={}", specs.join(","));
        if let Ranges::Parts(parts) = ask("GET", &[("Range", &value)], length) {
            prop_assert!(!parts.is_empty());
            let mut sorted = parts.clone();
            sorted.sort_unstable_by_key(|part| part.first);
            for part in &parts {
                prop_assert!(part.first <= part.last && part.last < length);
            }
            for pair in sorted.windows(2) {
                prop_assert!(pair[0].last + 1 < pair[1].first);
            }
            let sum: u64 = parts.iter().map(|part| part.len()).sum();
            prop_assert!(sum <= length);
            for part in specs.iter().filter_map(|spec| Spec::parse(spec.as_bytes())?.part(length)) {
                prop_assert!(parts.iter().any(|p| p.first <= part.first && part.last <= p.last));
            }
        }
    }

    #[test]
    fn any_value_is_survived(value in "(bytes=)?[-0-9, a]{0,40}", length: u64) {
        let _ = ask("GET", &[("Range", &value)], length);
    }
}
