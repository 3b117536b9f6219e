use super::*;
use crate::Indexing::{Add, Never, Without};

/// One block with these fields.
fn block(encoder: &mut Encoder, fields: &[(&str, &str, Indexing)]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    for &(name, value, indexing) in fields {
        encoder.field(name.as_bytes(), value.as_bytes(), indexing, &mut out);
    }
    out
}

#[test]
fn representations() {
    // `~` has a code of 13 bits, so that it is not Huffman-coded.
    let table: [(&str, &str, Indexing, &[u8]); 12] = [
        (":method", "GET", Add, &[0x82]),
        (":Method", "GET", Without, &[0x82]),
        (":path", "/", Without, &[0x84]),
        // An index would be no literal, and whoever forwards it would not know.
        (":path", "/", Never, &[0x14, 0x01, b'/']),
        ("Accept-Encoding", "gzip, deflate", Add, &[0x90]),
        ("via", "~", Add, &[0x40 | 60, 0x01, b'~']),
        ("VIA", "~", Without, &[0x0f, 60 - 15, 0x01, b'~']),
        ("via", "", Never, &[0x1f, 60 - 15, 0x00]),
        ("via", "", Without, &[0x80 | 60]),
        ("~", "~", Add, &[0x40, 0x01, b'~', 0x01, b'~']),
        ("~", "", Never, &[0x10, 0x01, b'~', 0x00]),
        (
            "AAAA",
            "~",
            Without,
            &[0x00, 0x83, 0x18, 0xc6, 0x3f, 0x01, b'~'],
        ),
    ];
    for (name, value, indexing, expected) in table {
        let written = block(&mut Encoder::new(), &[(name, value, indexing)]);
        assert_eq!(written, expected, "{name}: {value} {indexing:?}");
    }
}

/// The first byte of a value tells whether it is coded.
#[test]
fn which_values_are_huffman_coded() {
    let (short, long) = ("0".repeat(SHORT), "0".repeat(SHORT + 1));
    for (value, indexing, is_coded) in [
        (&short, Without, false),
        (&short, Never, false),
        (&short, Add, true),
        (&long, Without, true),
        (&long, Never, true),
    ] {
        for (name, name_bytes) in [("etag", 1 + usize::from(indexing != Add)), ("~", 3)] {
            let written = block(&mut Encoder::new(), &[(name, value, indexing)]);
            let first = written[name_bytes];
            assert_eq!(first & 0x80 != 0, is_coded, "{name} {indexing:?}");
        }
    }
}

#[test]
fn entries_of_the_dynamic_table_are_found() {
    let mut encoder = Encoder::new();
    let fields = [("X-A", "~", Add), ("via", "~", Add), ("x-b", "~", Never)];
    let first = block(&mut encoder, &fields);
    assert_eq!(encoder.table_size(), 36 + 36);
    let table: [(&str, &str, Indexing, &[u8]); 6] = [
        ("via", "~", Add, &[0x80 | 62]),
        ("x-a", "~", Add, &[0x80 | 63]),
        ("X-a", "|", Without, &[0x0f, 63 - 15, 0x01, b'|']),
        ("X-a", "~", Never, &[0x1f, 63 - 15, 0x01, b'~']),
        ("x-A", "|", Add, &[0x40 | 0x3f, 0x00, 0x01, b'|']),
        ("x-a", "|", Add, &[0x80 | 62]),
    ];
    for (name, value, indexing, expected) in table {
        let written = block(&mut encoder, &[(name, value, indexing)]);
        assert_eq!(written, expected, "{name}: {value} {indexing:?}");
    }
    assert_ne!(block(&mut encoder, &fields), first);
}

#[test]
fn statuses() {
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    encoder.begin(&mut out);
    for status in [200, 204, 206, 304, 400, 404, 500, 302, 302, 1999] {
        encoder.status(status, &mut out);
    }
    let expected = [
        &[0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e][..],
        &[
            0x48,
            0x82,
            0x64,
            0x02,
            0x80 | 62,
            0x48,
            0x03,
            b'9',
            b'9',
            b'9',
        ],
    ];
    assert_eq!(out[..12], expected.concat()[..12]);
    let mut decoder = crate::Decoder::new(4096);
    let mut statuses = Vec::new();
    let collect = |field: crate::Field<'_>| {
        statuses.push(String::from_utf8_lossy(field.value).into_owned());
        std::ops::ControlFlow::Continue(())
    };
    assert_eq!(decoder.decode(&out, &mut Vec::new(), collect), Ok(()));
    assert_eq!(statuses[7..], ["302", "302", "999"]);
}

#[test]
fn size_updates() {
    let updates = |sizes: &[usize]| {
        let mut encoder = Encoder::new();
        encoder.set_max_table_size(1000);
        block(&mut encoder, &[]);
        for &size in sizes {
            encoder.set_max_table_size(size);
        }
        let update = block(&mut encoder, &[]);
        assert_eq!(block(&mut encoder, &[]), [], "once more");
        update
    };
    let size = |size: usize| {
        let mut out = Vec::new();
        integer::write(size, 5, 0x20, &mut out);
        out
    };
    let table: [(&[usize], &[usize]); 10] = [
        (&[], &[]),
        (&[1000], &[]),
        (&[0], &[0]),
        (&[10], &[10]),
        (&[4096], &[4096]),
        (&[usize::MAX], &[4096]),
        (&[2000, 3000], &[3000]),
        (&[10, 2000], &[10, 2000]),
        (&[10, 1000], &[10, 1000]),
        (&[2000, 10, 20, 5, 30], &[5, 30]),
    ];
    for (set, expected) in table {
        let expected: Vec<u8> = expected.iter().flat_map(|&one| size(one)).collect();
        assert_eq!(updates(set), expected, "{set:?}");
    }
    assert_eq!(block(&mut Encoder::new(), &[]), [], "the default");
}

#[test]
fn a_field_as_large_as_the_table_is_not_added() {
    let mut encoder = Encoder::new();
    let large = "~".repeat(3 * 1024 - 32 - 1);
    block(&mut encoder, &[("a", "~", Add), ("b", &large, Add)]);
    assert_eq!(encoder.table_size(), 34 + 3 * 1024);
    let larger = format!("{large}~");
    let written = block(&mut encoder, &[("c", &larger, Add), ("via", &larger, Add)]);
    assert_eq!(encoder.table_size(), 34 + 3 * 1024);
    assert_eq!(written[..3], [0x00, 0x01, b'c']);
    encoder.set_max_table_size(0);
    let written = block(&mut encoder, &[("a", "~", Add)]);
    assert_eq!(written, [0x20, 0x00, 0x01, b'a', 0x01, b'~']);
    assert_eq!(encoder.table_size(), 0);
}
