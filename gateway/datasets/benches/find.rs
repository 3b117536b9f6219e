//! What a look-up costs in datasets with a million entries.

use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use janua_datasets::{Dataset, Kind, Source};

const ENTRIES: u32 = 1_000_000;

fn main() {
    divan::main();
}

fn load(kind: Kind, entries: u32, line: impl Fn(u32) -> String) -> Arc<Dataset> {
    let file = std::env::temp_dir().join(format!("janua-bench-{}", kind.name()));
    let text: String = (0..entries).map(line).collect();
    let written = std::fs::write(&file, text);
    let start = std::time::Instant::now();
    let source = Source { kind, file };
    let loaded = written.ok().and_then(|()| source.load(None).ok());
    let (Some(dataset), taken) = (loaded, start.elapsed()) else {
        std::process::exit(1);
    };
    let _ = std::fs::remove_file(&source.file);
    let (name, entries, bytes) = (kind.name(), dataset.entries(), dataset.bytes());
    println!("{name}: {entries} entries, {bytes} bytes, read in {taken:?}");
    dataset
}

/// Spreads numbers over all that there are.
fn spread(number: u32) -> u32 {
    number.wrapping_mul(2_654_435_761)
}

fn ipv4(number: u32) -> String {
    std::net::Ipv4Addr::from(spread(number)).to_string()
}

static NETWORKS: LazyLock<Arc<Dataset>> = LazyLock::new(|| {
    load(Kind::Networks, ENTRIES, |number| {
        format!("{} {}\n", ipv4(number), number % 200)
    })
});

static STRINGS: LazyLock<Arc<Dataset>> = LazyLock::new(|| {
    load(Kind::Strings, ENTRIES, |number| {
        format!("user-{:08x}@example.com {}\n", spread(number), number % 200)
    })
});

fn find(bencher: divan::Bencher<'_, '_>, dataset: &Dataset, key: impl Fn(u32) -> String + Sync) {
    let number = std::sync::atomic::AtomicU32::new(0);
    bencher
        .with_inputs(|| {
            let number = number.fetch_add(7_919, std::sync::atomic::Ordering::Relaxed);
            (key(number % ENTRIES), Vec::with_capacity(64))
        })
        .bench_local_refs(|(key, out)| black_box(dataset.find(key.as_bytes(), "", out)));
}

#[divan::bench(sample_count = 10_000)]
fn a_network(bencher: divan::Bencher<'_, '_>) {
    find(bencher, &NETWORKS, ipv4);
}

/// A thousand expressions, of which each must be followed through the whole key.
static REGEXES: LazyLock<Arc<Dataset>> = LazyLock::new(|| {
    load(Kind::Regexes, 1_000, |number| {
        format!("(?i-u)select.{{0,9}}x{number:x}.*from\t{number}\n")
    })
});

#[divan::bench(args = [100, 1_000, 10_000])]
fn a_regex(bencher: divan::Bencher<'_, '_>, length: usize) {
    let key = "select 1 x".repeat(length / 10);
    find(bencher, &REGEXES, |_| key.clone());
}

#[divan::bench(sample_count = 10_000)]
fn a_string(bencher: divan::Bencher<'_, '_>) {
    find(bencher, &STRINGS, |number| {
        format!("user-{:08x}@example.com", spread(number))
    });
}
