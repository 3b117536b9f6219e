use std::time::Instant;

use super::*;
use crate::testing::{self, MIB, Tests, find, find_key, key, key_at, store, store_key};
use janua_http::accept_encoding::Coding;

use crate::{NewEntry, Refused};

fn purge(cache: &Tests, scope: &Scope<'_>, purge: Purge) {
    cache.purge(scope, purge).unwrap();
}

#[test]
fn what_is_stored_is_found_by_its_whole_key() {
    let cache = testing::memory(16 * MIB);
    store(&cache, "/a", &[], b"a");
    assert_eq!(testing::body(&find(&cache, "/a").unwrap()), b"a");
    for mut other in [
        key("/A"),
        key("/a/"),
        key_at("shop.example", "/a", Some("")),
        key_at("other.example", "/a", None),
    ] {
        assert!(find_key(&cache, &mut other, "").is_none());
    }
    assert!(find_key(&cache, &mut key_at("SHOP.example", "/a", None), "").is_some());
    assert_eq!(find(&cache, "/a").unwrap().hits(), 3);
}

/// Simulates a collision of hashes: the slot of a key holds the entry of another.
#[test]
fn a_slot_is_not_taken_for_another_key() {
    let cache = testing::memory(16 * MIB);
    let entry = store(&cache, "/victim", &[], b"secret");
    let mut other = key("/other");
    let slot = cache.store.hasher.slot(&other.primary.0, b"");
    cache.store.index.insert(slot, Slot::Entry(entry));
    assert!(find_key(&cache, &mut other, "").is_none());
}

fn store_variant(cache: &Tests, path: &str, names: &[&[u8]], by_user: bool, value: &'static str) {
    testing::lead(cache, &mut key(path), value)
        .store_whole(
            testing::new(&testing::fields(), &[]),
            &Variance::new(names.iter().copied(), by_user),
            &mut testing::value(value),
            value.as_bytes(),
        )
        .unwrap();
}

fn variant(cache: &Tests, path: &str, value: &'static str) -> Option<Vec<u8>> {
    find_key(cache, &mut key(path), value).map(|entry| testing::body(&entry))
}

#[test]
fn variants_are_kept_apart() {
    let cache = testing::memory(16 * MIB);
    for value in ["de", "fr"] {
        store_variant(&cache, "/", &[b"Accept-Language"], false, value);
    }
    assert_eq!(variant(&cache, "/", "de").unwrap(), b"de");
    assert_eq!(variant(&cache, "/", "fr").unwrap(), b"fr");
    assert!(matches!(
        cache.find(&mut key("/"), &mut testing::value("it"), 0),
        Found::Miss { vary: true }
    ));
    for user in ["ann", "bob"] {
        store_variant(&cache, "/me", &[], true, user);
    }
    assert_eq!(variant(&cache, "/me", "ann").unwrap(), b"ann");
    assert_eq!(variant(&cache, "/me", "bob").unwrap(), b"bob");
    assert_eq!(variant(&cache, "/me", "eve"), None);
}

#[test]
fn variances_of_one_key_are_joined() {
    let cache = testing::memory(16 * MIB);
    store_variant(&cache, "/", &[b"Accept"], false, "x");
    store_variant(&cache, "/", &[b"Origin"], false, "y");
    let entry = find_key(&cache, &mut key("/"), "y").unwrap();
    assert_eq!(
        entry.variance().unwrap(),
        Variance::new([&b"accept"[..], b"origin"], false)
    );
    // A later response that names fewer fields is still stored under all of them.
    store_variant(&cache, "/", &[b"Accept"], false, "z");
    assert!(variant(&cache, "/", "y").is_some());
    // A response without `Vary` answers all requests.
    store(&cache, "/", &[], b"plain");
    assert_eq!(variant(&cache, "/", "any").unwrap(), b"plain");
}

#[test]
fn a_purge_acts_at_once_and_frees() {
    let cache = testing::memory(16 * MIB);
    for number in 0..1000 {
        let tag: &[u8] = if number % 2 == 0 { b"even" } else { b"odd" };
        store(&cache, &format!("/{number}"), &[tag], &[0; 100]);
    }
    purge(&cache, &Scope::Tag(b"even"), Purge::Hard);
    for number in 0..1000 {
        let found = find(&cache, &format!("/{number}"));
        assert_eq!(found.is_some(), number % 2 == 1, "{number}");
    }
    testing::eventually("what is dead is freed", || {
        let figures = cache.status();
        figures.objects == 500 && figures.purge_lines == 0
    });
    assert_eq!(cache.status().purges, 1);
    store(&cache, "/0", &[b"even"], b"new");
    assert!(find(&cache, "/0").is_some());
}

#[test]
fn a_soft_purge_leaves_what_may_be_validated() {
    let cache = testing::memory(16 * MIB);
    store(&cache, "/a", &[b"t"], b"a");
    purge(&cache, &Scope::Tag(b"t"), Purge::Soft { now_ms: 1_010_000 });
    let stale = find(&cache, "/a").unwrap();
    assert!(stale.is_purged_softly() && !stale.terms().is_fresh(1_010_000));
    testing::eventually("swept", || cache.status().purge_lines == 0);
    let stale = find(&cache, "/a").unwrap();
    assert!(stale.is_purged_softly());

    // A 304 makes it fresh again: the same body with a new head.
    let mut head = testing::fields();
    head.set(b"ETag", b"\"2\"");
    let entry = testing::lead(&cache, &mut key("/a"), "").revalidated(
        &stale,
        NewEntry {
            status: 200,
            head: &head,
            received: None,
            terms: testing::terms(),
            tags: &[b"t"],
            rule: None,
        },
        &Variance::default(),
        &mut testing::value(""),
    );
    assert!(!entry.is_purged_softly());
    let found = find(&cache, "/a").unwrap();
    assert!(Arc::ptr_eq(&found, &entry));
    assert_eq!(testing::body(&found), b"a");
    assert!(found.head().ends_with(b"ETag: \"2\"\r\n"));
}

#[test]
fn a_compressed_form_is_kept_beside() {
    let cache = testing::memory(16 * MIB);
    let entry = store(&cache, "/a", &[], &[b'a'; 10_000]);
    let before = cache.status().bytes;
    cache.encoded(&entry, Coding::Gzip, Bytes::from_static(&[1; 500]));
    let found = find(&cache, "/a").unwrap();
    assert_eq!(found.encoded(Coding::Gzip).unwrap().len(), 500);
    assert_eq!(found.encoded(Coding::Brotli), None);
    assert_eq!(cache.status().bytes, before + 500);
    // Two codings of the same entry at the same time: both are kept.
    cache.encoded(&entry, Coding::Zstd, Bytes::from_static(&[2; 400]));
    let found = find(&cache, "/a").unwrap();
    assert_eq!(found.encoded(Coding::Gzip).unwrap().len(), 500);
    assert_eq!(found.encoded(Coding::Zstd).unwrap().len(), 400);
    assert!(Arc::ptr_eq(&cache.current(&entry), &found));
    // A coding of an entry that is no longer stored is not kept.
    store(&cache, "/a", &[], b"new");
    assert!(Arc::ptr_eq(&cache.current(&entry), &entry));
    cache.encoded(&found, Coding::Brotli, Bytes::from_static(&[1; 500]));
    assert_eq!(testing::body(&find(&cache, "/a").unwrap()), b"new");
}

#[test]
fn the_budget_is_never_exceeded() {
    let cache = testing::memory(4 * MIB);
    for number in 0..3000 {
        store(
            &cache,
            &format!("/{number}"),
            &[],
            &vec![0; number * 37 % 20_000],
        );
        let figures = cache.status();
        assert!(figures.bytes <= 4 * MIB, "{figures:?}");
    }
    assert!(cache.status().evictions > 500);
    let less = Options {
        memory_bytes: MIB,
        max_object: MIB,
        disk: None,
    };
    assert_eq!(cache.reconfigure(&less), Reconfigured::Now);
    assert!(cache.status().bytes <= MIB);
}

#[test]
fn what_is_used_outlives_a_scan() {
    let cache = testing::memory(4 * MIB);
    let hot = |number: usize| format!("/hot/{number}");
    for number in 0..500 {
        store(&cache, &hot(number), &[], &[0; 1000]);
    }
    for _ in 0..3 {
        for number in 0..500 {
            assert!(find(&cache, &hot(number)).is_some());
        }
    }
    for number in 0..20_000 {
        store(&cache, &format!("/scan/{number}"), &[], &[0; 1000]);
    }
    let left = (0..500).filter(|&number| find(&cache, &hot(number)).is_some());
    let left = left.count();
    assert!(left >= 450, "{left} of 500 outlived the scan");
}

#[test]
fn an_object_that_would_not_fit_is_refused_not_lost() {
    let cache = testing::memory(MIB);
    let lead = testing::lead(&cache, &mut key("/"), "");
    let refused = lead.store_whole(
        testing::new(&testing::fields(), &[]),
        &Variance::default(),
        &mut testing::value(""),
        &vec![0; 900 * 1024],
    );
    assert_eq!(refused.unwrap_err(), Refused::TooLarge);
}

#[test]
fn turned_off_it_passes() {
    let cache = testing::memory(0);
    let key = &mut key("/");
    assert!(matches!(
        cache.find(key, &mut testing::value(""), 0),
        Found::Pass
    ));
    let stored = testing::lead(&cache, key, "").store_whole(
        testing::new(&testing::fields(), &[]),
        &Variance::default(),
        &mut testing::value(""),
        b"",
    );
    assert_eq!(stored.unwrap_err(), Refused::Off);
}

#[test]
fn an_address_is_inspected_in_all_its_variants() {
    let cache = testing::memory(16 * MIB);
    for value in ["de", "fr"] {
        store_variant(&cache, "/a", &[b"Accept-Language"], false, value);
    }
    store(&cache, "/b", &[], b"");
    let mut with_query = key_at("shop.example", "/a", Some("x"));
    store_key(&cache, &mut with_query, &[b"t"], b"");
    let wanted = |query| AddressFilter {
        scheme: None,
        host: b"Shop.Example",
        path: b"/a",
        query,
    };
    assert_eq!(cache.inspect(&wanted(None)).len(), 3);
    let found = cache.inspect(&wanted(Some(b"x")));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place, crate::Place::Memory);
    assert_eq!(found[0].entry.tags().collect::<Vec<_>>(), [b"t"]);
}

#[test]
fn many_threads_find_store_and_purge_at_once() {
    let cache = testing::memory(2 * MIB);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let cache = cache.clone();
            std::thread::spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread);
                for _ in 0..20_000 {
                    let path = format!("/{}", random.u16(..3000));
                    match find(&cache, &path) {
                        Some(entry) => assert_eq!(testing::body(&entry), path.as_bytes()),
                        None => {
                            let key = &mut key(&path);
                            let _ = cache.find(key, &mut testing::value(""), 0);
                            if let crate::Joined::Leader(lead) = cache.join(key) {
                                lead.store_whole(
                                    testing::new(&testing::fields(), &[b"t"]),
                                    &Variance::default(),
                                    &mut testing::value(""),
                                    path.as_bytes(),
                                )
                                .unwrap();
                            }
                        }
                    }
                    if random.u16(..) < 100 {
                        cache.purge(&Scope::Tag(b"t"), Purge::Hard).unwrap();
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(cache.status().flights, 0);
}

#[test]
fn a_purge_takes_less_than_a_millisecond_whatever_it_reaches() {
    let cache = testing::memory(256 * MIB);
    for number in 0..100_000 {
        store(&cache, &format!("/{number}"), &[b"all"], b"");
    }
    let mut best = u128::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        purge(&cache, &Scope::Tag(b"all"), Purge::Hard);
        best = best.min(began.elapsed().as_micros());
    }
    assert!(best < 1000, "{best} µs");
    assert!(find(&cache, "/5").is_none());
}

/// Any client that may send unsafe requests adds lines to the table. It is swept before it is
/// full, which would widen invalidations to whole hosts.
#[test]
fn many_invalidations_are_swept_without_delay() {
    let cache = testing::memory(16 * MIB);
    purge(&cache, &Scope::Host(b"other.example"), Purge::Hard);
    testing::eventually("the first sweep", || cache.status().purge_lines == 0);
    for number in 0..40_000 {
        let path = format!("/{number}");
        cache.invalidate(b"https", b"shop.example", path.as_bytes(), None);
    }
    testing::eventually("the second sweep", || cache.status().purge_lines == 0);
}
