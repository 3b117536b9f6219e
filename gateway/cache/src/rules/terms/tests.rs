use proptest::prelude::*;

use super::*;

const TERMS: Terms = Terms {
    received_ms: 1_000_000,
    initial_age: 30,
    lifetime: 60,
    stale_while_revalidate: 10,
    stale_if_error: 20,
    source: Source::MaxAge,
    no_cache: false,
    must_revalidate: true,
    ignores_max_stale: false,
    shares_authorized: true,
    shares_cookies: false,
};

#[test]
fn age_and_ttl() {
    for (now_ms, age, ttl) in [
        // The clock was set back by more than a minute.
        (0, u32::MAX, 60 - i64::from(u32::MAX)),
        (939_999, u32::MAX, 60 - i64::from(u32::MAX)),
        (940_000, 30, 30),
        (1_000_000, 30, 30),
        (1_000_999, 30, 30),
        (1_001_000, 31, 29),
        (1_029_999, 59, 1),
        (1_030_000, 60, 0),
        (1_040_000, 70, -10),
    ] {
        assert_eq!(
            (TERMS.age(now_ms), TERMS.ttl(now_ms)),
            (age, ttl),
            "{now_ms}"
        );
        assert_eq!(TERMS.is_fresh(now_ms), ttl > 0, "{now_ms}");
    }
}

#[test]
fn a_soft_purge_makes_stale_and_nothing_fresh() {
    let purged = TERMS.expired(1_010_000);
    assert_eq!(purged.ttl(1_010_000), 0);
    assert_eq!(purged.ttl(1_015_000), -5);
    // Stale since 1_030_000: a later purge does not change that.
    assert_eq!(TERMS.expired(1_050_000), TERMS);
}

#[test]
fn small() {
    assert_eq!(size_of::<Terms>(), 32);
}

#[test]
fn other_bytes_are_refused() {
    let mut bytes = Vec::new();
    TERMS.write(&mut bytes);
    let bytes: [u8; Terms::SIZE] = bytes.try_into().unwrap();
    assert_eq!(Terms::read(&bytes), Some(TERMS));
    for (place, byte) in [(24, 8), (24, 255), (25, 32), (25, 255)] {
        let mut other = bytes;
        other[place] = byte;
        assert_eq!(Terms::read(&other), None, "{place} {byte}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        received_ms: u64, initial_age: u32, lifetime: u32, source in 0_u8..8, flags in 0_u8..32,
    ) {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&received_ms.to_le_bytes());
        for span in [initial_age, lifetime, 1, u32::MAX] {
            bytes.extend_from_slice(&span.to_le_bytes());
        }
        bytes.extend([source, flags]);
        let terms = Terms::read(&bytes.clone().try_into().unwrap()).unwrap();
        let mut written = Vec::new();
        terms.write(&mut written);
        prop_assert_eq!(written, bytes);
    }

    #[test]
    fn arithmetic_saturates(received_ms: u64, now_ms: u64, initial_age: u32, lifetime: u32) {
        let terms = Terms { received_ms, initial_age, lifetime, ..Terms::default() };
        prop_assert!(terms.age(now_ms) >= initial_age);
        prop_assert!(terms.ttl(now_ms) <= i64::from(lifetime));
        prop_assert!(!terms.expired(now_ms).is_fresh(now_ms));
    }
}
