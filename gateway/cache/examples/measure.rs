//! Measures the store: memory per object, time per hit, time per purge.
//!
//! ```text
//! cargo run --release -p janua-cache --example measure -- [objects [folder]]
//! ```
//!
//! With a folder, also what the disk store costs; the folder is made, and left.
//!
//! Memory is the growth of the process (resident), less keys, heads and bodies.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use janua_cache::rules::Terms;
use janua_cache::{
    Cache, DiskOptions, Found, Joined, Key, KeyParts, NewEntry, Options, Parts, Purge, Scope,
    Variance,
};
use janua_http::Fields;

type Failure = Box<dyn Error + Send + Sync>;

const BODY: [u8; 100] = [7; 100];

fn main() -> Result<(), Failure> {
    let objects: u64 = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => 1_000_000,
    };
    let cache: Cache<()> = Cache::open(&Options {
        memory_bytes: 4 << 30,
        max_object: 1 << 20,
        disk: None,
    })?;
    let before = resident()?;
    let began = Instant::now();
    let mut own = 0;
    for number in 0..objects {
        own += store(&cache, number, None)?;
    }
    let filled = began.elapsed().as_nanos() / u128::from(objects);
    // A first hit may allocate: count it in.
    for number in 0..objects {
        find(&cache, &mut Key::default(), number);
    }
    let grown = resident()?.saturating_sub(before);
    println!(
        "{objects} objects, {} bytes of key, head and body each: {} bytes more each; stored in {filled} ns each",
        own / objects,
        grown.saturating_sub(own) / objects,
    );

    for threads in [1, 2] {
        for (what, distinct) in [
            ("one object", 1),
            ("1000 objects", 1000),
            ("all objects", objects),
        ] {
            println!(
                "hit, {threads} threads, {what}: {} ns",
                hits(&cache, threads, distinct)
            );
        }
    }

    for number in 0..100_000 {
        store(&cache, number, Some(b"tag"))?;
    }
    for (what, scope) in [
        ("a tag of 100000 objects", Scope::Tag(b"tag")),
        (
            "a prefix",
            Scope::Prefix {
                host: b"shop.example",
                path: b"/assets/",
            },
        ),
        ("a host", Scope::Host(b"shop.example")),
        ("everything", Scope::All),
    ] {
        let mut times = Vec::new();
        for _ in 0..101 {
            let began = Instant::now();
            cache.purge(&scope, Purge::Hard)?;
            times.push(began.elapsed().as_nanos());
        }
        times.sort_unstable();
        let median = times.get(50).copied().unwrap_or_default();
        println!("purge of {what}: {median} ns, the median of 101, while sweeps run");
    }
    let began = Instant::now();
    while cache.status().objects > 0 {
        std::thread::yield_now();
    }
    println!("swept and freed after {} ms", began.elapsed().as_millis());
    match std::env::args().nth(2) {
        Some(folder) => disk(&folder),
        None => Ok(()),
    }
}

/// Objects of 1 KB are loaded into memory again, those of 1 MB are served from
/// their files, verified once.
fn disk(folder: &str) -> Result<(), Failure> {
    for (what, count, length) in [("1 KB", 2000, 1000), ("1 MB", 100, 1_000_000)] {
        let path = std::path::Path::new(folder).join(what);
        let options = Options {
            memory_bytes: 256 << 20,
            max_object: 1 << 20,
            disk: Some(DiskOptions {
                path,
                bytes: 1 << 30,
            }),
        };
        let cache: Cache<()> = Cache::open(&options)?;
        for number in 0..count {
            store_body(&cache, number, Some(b"tag"), &vec![7; length])?;
        }
        drop(cache);
        let cache: Cache<()> = Cache::open(&options)?;
        let mut key = Key::default();
        let began = Instant::now();
        for number in 0..count {
            begin(&mut key, number);
            if let Found::OnDisk(on_disk) = cache.find(&mut key, &mut no_values, 0) {
                black_box(on_disk.load());
            }
        }
        let loads = cache.status().disk.ok_or("no disk")?.loads;
        println!(
            "disk, {what}: {loads} of {count} loaded, {} µs each",
            began.elapsed().as_micros() / u128::from(count)
        );
        let mut slowest = 0;
        for _ in 0..20 {
            let began = Instant::now();
            cache.purge(&Scope::Tag(b"tag"), Purge::Hard)?;
            slowest = slowest.max(began.elapsed().as_micros());
        }
        println!("disk, {what}: a purge is in the journal after {slowest} µs at most");
    }
    Ok(())
}

fn begin(key: &mut Key, number: u64) {
    let path = format!("/assets/{number}/index-3fa94c.js");
    key.begin(&KeyParts {
        upstream: b"frontend",
        scheme: b"https",
        host: b"shop.example",
        path: path.as_bytes(),
        query: None,
        query_edited: false,
        upstream_path: None,
    });
}

fn no_values(_: &Variance, _: &mut Parts) {}

/// Stores an object; its bytes of key, head and body.
fn store(cache: &Cache<()>, number: u64, tag: Option<&[u8]>) -> Result<u64, Failure> {
    store_body(cache, number, tag, &BODY)
}

fn store_body(
    cache: &Cache<()>,
    number: u64,
    tag: Option<&[u8]>,
    body: &[u8],
) -> Result<u64, Failure> {
    let mut key = Key::default();
    begin(&mut key, number);
    let _ = cache.find(&mut key, &mut no_values, 0);
    let Joined::Leader(lead) = cache.join(&key) else {
        return Err("another leads".into());
    };
    let mut head = Fields::default();
    head.append(b"Content-Type", b"text/javascript");
    head.append(b"ETag", b"\"0123456789abcdef\"");
    head.append(b"Cache-Control", b"public, max-age=31536000, immutable");
    let tags = tag.as_slice();
    let new = NewEntry {
        status: 200,
        head: &head,
        terms: Terms {
            lifetime: 60,
            ..Terms::default()
        },
        tags,
        rule: None,
    };
    let entry = lead
        .store_whole(new, &Variance::default(), &mut no_values, body)
        .map_err(|refused| format!("{refused:?}"))?;
    let address = entry.address().ok_or("no address")?;
    // The parts of the key with a byte of length each, and its first byte.
    let own = "frontend".len() + address.scheme.len() + address.host.len() + address.path.len() + 7;
    Ok((own + entry.head().len() + body.len()) as u64)
}

fn find(cache: &Cache<()>, key: &mut Key, number: u64) {
    begin(key, number);
    if let Found::Entry(entry) = cache.find(key, &mut no_values, 0) {
        black_box(entry.body().clone());
    }
}

/// Nanoseconds of one thread for one hit, its key being there.
fn hits(cache: &Cache<()>, threads: u64, distinct: u64) -> u64 {
    const ROUNDS: u64 = 200_000;
    let each = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut keys: Vec<Key> = (0..ROUNDS.min(20_000))
            .map(|_| {
                let mut key = Key::default();
                begin(&mut key, random.u64(..distinct));
                key
            })
            .collect();
        let count = keys.len() as u64;
        let began = Instant::now();
        for _ in 0..ROUNDS / count {
            for key in &mut keys {
                if let Found::Entry(entry) = cache.find(key, &mut no_values, 0) {
                    black_box(&entry);
                }
            }
        }
        u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX) / ROUNDS
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|seed| scope.spawn(move || each(seed)))
            .collect();
        let sum: u64 = running
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .sum();
        sum / threads
    })
}

/// Bytes of memory that the process holds.
fn resident() -> Result<u64, Failure> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("statm")?.parse()?;
    Ok(pages * 4096)
}
