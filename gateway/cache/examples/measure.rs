//! Measures the store: memory per object, time per hit, time per purge, hit
//! ratio.
//!
//! ```text
//! cargo run --release -p janua-cache --example measure -- [objects [folder]]
//! ```
//!
//! With a folder it also measures the disk store; the folder is created and not removed.
//!
//! Memory is the growth of the resident memory minus keys, heads and bodies.

use std::collections::{BTreeMap, HashMap};
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
    // The first hit may allocate, so it is included.
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
    drop(cache);
    hit_ratios()?;
    match std::env::args().nth(2) {
        Some(folder) => disk(&folder),
        None => Ok(()),
    }
}

/// The hit ratio, compared with a plain LRU of the same number of objects: requests by
/// Zipf's law over a million objects, memory for a tenth of them, and from time to time a
/// client that requests everything once, such as a crawler.
fn hit_ratios() -> Result<(), Failure> {
    const OBJECTS: u64 = 1_000_000;
    const REQUESTS: u64 = 2_000_000;
    const SCAN: u64 = 50_000;
    let zipf = Zipf::new(OBJECTS);
    for scans in [false, true] {
        let cache: Cache<()> = Cache::open(&Options {
            memory_bytes: OBJECTS / 10 * 650,
            max_object: 4096,
            disk: None,
        })?;
        // The number of objects that fit, so that the LRU has the same capacity.
        for number in 0..OBJECTS / 4 {
            store(&cache, OBJECTS * 2 + number, None)?;
        }
        let room = usize::try_from(cache.status().objects)?;
        let mut lru = Lru::new(room);
        let mut random = fastrand::Rng::with_seed(7);
        let (mut hits, mut lru_hits, mut asked) = (0_u64, 0_u64, 0_u64);
        let mut key = Key::default();
        let mut scanned = OBJECTS * 10;
        for request in 0..REQUESTS {
            let number = zipf.draw(&mut random);
            let is_hit = ask(&cache, &mut key, number)?;
            let is_lru_hit = lru.ask(number);
            // The first half fills both caches and is not counted.
            if request >= REQUESTS / 2 {
                asked += 1;
                hits += u64::from(is_hit);
                lru_hits += u64::from(is_lru_hit);
            }
            if scans && request % 200_000 == 0 {
                for _ in 0..SCAN {
                    scanned += 1;
                    ask(&cache, &mut key, scanned)?;
                    lru.ask(scanned);
                }
            }
        }
        let percent = |hits: u64| hits as f64 * 100.0 / asked as f64;
        println!(
            "hit ratio, Zipf 1.0 over {OBJECTS} objects, room for {room}{}: {:.1} %, LRU {:.1} %",
            if scans { ", with scans" } else { "" },
            percent(hits),
            percent(lru_hits),
        );
    }
    Ok(())
}

/// Looks up an object, and stores it if it is missing; true if it was found.
fn ask(cache: &Cache<()>, key: &mut Key, number: u64) -> Result<bool, Failure> {
    begin(key, number);
    if let Found::Entry(_) = cache.find(key, &mut no_values, 0) {
        return Ok(true);
    }
    store(cache, number, None)?;
    Ok(false)
}

/// Numbers by Zipf's law with the exponent 1: the k-th is requested 1/k times as often as the
/// first.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(objects: u64) -> Self {
        let mut sum = 0.0;
        Self(
            (1..=objects)
                .map(|rank| {
                    sum += 1.0 / rank as f64;
                    sum
                })
                .collect(),
        )
    }

    fn draw(&self, random: &mut fastrand::Rng) -> u64 {
        let at = random.f64() * self.0.last().copied().unwrap_or_default();
        self.0.partition_point(|&sum| sum < at) as u64
    }
}

/// An exact LRU.
struct Lru {
    room: usize,
    clock: u64,
    used: HashMap<u64, u64>,
    order: BTreeMap<u64, u64>,
}

impl Lru {
    fn new(room: usize) -> Self {
        Self {
            room,
            clock: 0,
            used: HashMap::new(),
            order: BTreeMap::new(),
        }
    }

    fn ask(&mut self, number: u64) -> bool {
        self.clock += 1;
        let before = self.used.insert(number, self.clock);
        if let Some(before) = before {
            self.order.remove(&before);
        }
        self.order.insert(self.clock, number);
        if self.used.len() > self.room
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.used.remove(&oldest);
        }
        before.is_some()
    }
}

/// Objects of 1 KB are loaded into memory, those of 1 MB are verified once and served from
/// their files.
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
        cache_scope: b"frontend",
        scheme: b"https",
        host: b"shop.example",
        path: path.as_bytes(),
        query: None,
        query_edited: false,
        upstream_path: None,
    });
}

fn no_values(_: &Variance, _: &mut Parts) {}

/// Stores an object; returns the bytes of its key, head and body.
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
        received: None,
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
    // The parts of the key with a length of one byte each, and the first byte of the key.
    let own = "frontend".len() + address.scheme.len() + address.host.len() + address.path.len() + 7;
    Ok((own + entry.head().len() + body.len()) as u64)
}

fn find(cache: &Cache<()>, key: &mut Key, number: u64) {
    begin(key, number);
    if let Found::Entry(entry) = cache.find(key, &mut no_values, 0) {
        black_box(entry.body().clone());
    }
}

/// Nanoseconds that one thread needs for one hit, without building the key.
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

/// Resident memory of the process in bytes.
fn resident() -> Result<u64, Failure> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("statm")?.parse()?;
    Ok(pages * 4096)
}
