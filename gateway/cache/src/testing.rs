//! Helpers for the tests of the cache.

use std::sync::Arc;
use std::time::{Duration, Instant};

use janua_http::Fields;

use crate::rules::Terms;
use crate::{
    Body, Cache, Entry, Found, Joined, Key, KeyParts, Lead, Loaded, NewEntry, Options, Parts,
    Variance,
};

/// A cache whose leaders report failures as text.
pub(crate) type Tests = Cache<&'static str>;

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) fn memory(bytes: u64) -> Tests {
    Cache::open(&Options {
        memory_bytes: bytes,
        max_object: MIB,
        disk: None,
    })
    .unwrap()
}

pub(crate) fn key(path: &str) -> Key {
    key_at("shop.example", path, None)
}

pub(crate) fn key_at(host: &str, path: &str, query: Option<&str>) -> Key {
    let mut key = Key::default();
    key.begin(&KeyParts {
        cache_scope: b"shop",
        scheme: b"https",
        host: host.as_bytes(),
        path: path.as_bytes(),
        query: query.map(str::as_bytes),
        query_edited: false,
        upstream_path: None,
    });
    key
}

pub(crate) fn fields() -> Fields {
    let mut fields = Fields::default();
    fields.append(b"Content-Type", b"text/plain");
    fields.append(b"ETag", b"\"1\"");
    fields
}

pub(crate) fn terms() -> Terms {
    Terms {
        received_ms: 1_000_000,
        lifetime: 60,
        ..Terms::default()
    }
}

pub(crate) fn new<'a>(head: &'a Fields, tags: &'a [&'a [u8]]) -> NewEntry<'a> {
    NewEntry {
        status: 200,
        head,
        received: None,
        terms: terms(),
        tags,
        rule: Some(Arc::from("assets")),
    }
}

/// Writes the variant of a request that has this value for each name.
pub(crate) fn value(value: &'static str) -> impl FnMut(&Variance, &mut Parts) {
    move |variance, parts| {
        for _ in variance.names() {
            parts.push(Some(value.as_bytes()));
        }
        if variance.by_user() {
            parts.push(Some(value.as_bytes()));
        }
    }
}

pub(crate) fn lead(cache: &Tests, key: &mut Key, as_value: &'static str) -> Lead<&'static str> {
    for _ in 0..10 {
        let _ = cache.find(key, &mut value(as_value), 0);
        match cache.join(key) {
            Joined::Leader(lead) => return lead,
            Joined::Again => {}
            Joined::Follower(_) => panic!("another leads"),
        }
    }
    panic!("no flight begins");
}

/// Stores a body under a path, with tags.
pub(crate) fn store(cache: &Tests, path: &str, tags: &[&[u8]], body: &[u8]) -> Arc<Entry> {
    store_key(cache, &mut key(path), tags, body)
}

pub(crate) fn store_key(cache: &Tests, key: &mut Key, tags: &[&[u8]], body: &[u8]) -> Arc<Entry> {
    lead(cache, key, "")
        .store_whole(
            new(&fields(), tags),
            &Variance::default(),
            &mut value(""),
            body,
        )
        .unwrap()
}

/// Looks up a path, in memory and on the disk.
pub(crate) fn find(cache: &Tests, path: &str) -> Option<Arc<Entry>> {
    find_key(cache, &mut key(path), "")
}

pub(crate) fn find_key(cache: &Tests, key: &mut Key, as_value: &'static str) -> Option<Arc<Entry>> {
    for _ in 0..3 {
        match cache.find(key, &mut value(as_value), 0) {
            Found::Entry(entry) => return Some(entry),
            Found::OnDisk(on_disk) => match on_disk.load() {
                Loaded::Entry(entry) => return Some(entry),
                Loaded::Again => {}
                Loaded::Miss => return None,
            },
            Found::Pass | Found::Miss { .. } => return None,
        }
    }
    None
}

pub(crate) fn body(entry: &Entry) -> Vec<u8> {
    use std::os::unix::fs::FileExt as _;
    match entry.body() {
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Growing(_) => panic!("still growing"),
        Body::File {
            file,
            offset,
            length,
        } => {
            let mut bytes = vec![0; usize::try_from(*length).unwrap()];
            file.read_exact_at(&mut bytes, *offset).unwrap();
            bytes
        }
    }
}

/// Waits until the background thread has made `holds` true.
#[allow(
    clippy::disallowed_methods,
    reason = "the test's own thread, not a worker"
)]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
