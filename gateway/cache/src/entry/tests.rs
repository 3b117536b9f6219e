use super::*;
use crate::testing;

fn entry(body: &[u8]) -> Entry {
    let key = testing::key("/a");
    let body = Body::Bytes(Bytes::copy_from_slice(body));
    let fields = testing::fields();
    Entry::new(
        &key.primary.0,
        &[],
        testing::new(&fields, &[b"t", b""]),
        body,
        0,
    )
}

#[test]
fn what_is_stored_is_read_back() {
    let entry = entry(b"hello");
    assert_eq!(entry.head(), b"Content-Type: text/plain\r\nETag: \"1\"\r\n");
    let mut fields = Fields::default();
    fields.append(b"Before", b"1");
    entry.write_into(&mut fields);
    let lines: Vec<_> = fields
        .iter()
        .map(|(_, name, value)| (name, value))
        .collect();
    assert_eq!(
        lines,
        [
            (&b"Before"[..], &b"1"[..]),
            (b"Content-Type", b"text/plain"),
            (b"ETag", b"\"1\""),
        ]
    );
    assert_eq!(entry.tags().collect::<Vec<_>>(), [&b"t"[..], b""]);
    assert_eq!(entry.address().unwrap().path, b"/a");
    assert_eq!(entry.length(), Some(5));
    assert_eq!(entry.rule().unwrap().as_ref(), "assets");
    assert_eq!(entry.variance(), None);
}

#[test]
fn odd_values_survive() {
    let key = testing::key("/a");
    let mut head = Fields::default();
    for value in [&b""[..], b": x", b" lead", b"a:b", b"\xff\x80"] {
        head.append(b"X", value);
    }
    let body = Body::Bytes(Bytes::new());
    let entry = Entry::new(&key.primary.0, &[], testing::new(&head, &[]), body, 0);
    let mut fields = Fields::default();
    entry.write_into(&mut fields);
    let values: Vec<_> = fields.get_all(b"x").collect();
    assert_eq!(values, [&b""[..], b": x", b" lead", b"a:b", b"\xff\x80"]);
}

#[test]
fn the_weight_counts_all_bytes() {
    let small = entry(b"");
    let large = entry(&[0; 1000]);
    assert_eq!(large.weight(), small.weight() + 1000);
    let coded = large.with_encoded(Coding::Brotli, Bytes::from_static(&[0; 70]));
    assert_eq!(coded.weight(), large.weight() + 70);
    assert_eq!(coded.encoded(Coding::Brotli).unwrap().len(), 70);
    assert_eq!(coded.encoded(Coding::Gzip), None);
}

#[test]
fn a_soft_purge_makes_stale_once() {
    let purges = Purges::new(0, 0);
    let entry = entry(b"");
    assert!(entry.terms().is_fresh(1_010_000));
    purges.record(
        &crate::Scope::Tag(b"t"),
        crate::Purge::Soft { now_ms: 1_010_000 },
    );
    assert_eq!(
        entry.purge_state(&purges),
        PurgeState::Stale { at_ms: 1_010_000 }
    );
    assert!(entry.is_purged_softly());
    assert!(!entry.terms().is_fresh(1_010_000));
    // The entry remembers it, and no longer needs the recorded purge.
    purges.clear(1);
    assert_eq!(
        entry.purge_state(&purges),
        PurgeState::Stale { at_ms: 1_010_000 }
    );
    purges.record(&crate::Scope::All, crate::Purge::Hard);
    assert_eq!(entry.purge_state(&purges), PurgeState::Dead);
}

#[test]
fn an_entry_is_small() {
    assert!(size_of::<Entry>() <= 192, "{}", size_of::<Entry>());
}
