//! The cost of a hit in the lookup cache, which is what finding a small file
//! costs if it is requested often, and for comparison the cost of a lookup on
//! the disk.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark without its files has nothing to measure"
)]

use divan::{Bencher, black_box};
use janua_files::{Files, Limits, Lookup, Options, Root};
use janua_http::accept_encoding::{Accepted, Coding};

fn main() {
    divan::main();
}

struct Site {
    files: Files,
    root: Root,
    runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

fn site(precompressed: Vec<Coding>) -> Site {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..1000 {
        let name = format!("asset-{number}.js");
        std::fs::write(directory.path().join(name), [b'x'; 1024]).unwrap();
    }
    let files = Files::new(Limits::default());
    let options = Options {
        precompressed,
        ..Options::new(directory.path())
    };
    Site {
        root: files.open(&options).unwrap(),
        files,
        runtime: tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap(),
        _directory: directory,
    }
}

fn hit(bencher: Bencher<'_, '_>, site: &Site) {
    let accepted = Accepted::IDENTITY;
    let warm = site.files.find(&site.root, b"/asset-1.js", &accepted, 0);
    assert!(matches!(site.runtime.block_on(warm), Lookup::File(_)));
    bencher.bench_local(|| {
        let path = black_box(b"/asset-1.js");
        site.files.find_now(&site.root, path, &accepted, 1)
    });
}

#[divan::bench]
fn hit_without_siblings(bencher: Bencher<'_, '_>) {
    hit(bencher, &site(Vec::new()));
}

#[divan::bench]
fn hit_with_siblings(bencher: Bencher<'_, '_>) {
    hit(
        bencher,
        &site(vec![Coding::Brotli, Coding::Zstd, Coding::Gzip]),
    );
}

/// Paid once per second for each requested path: the hand-over to the pool and
/// back, and the system calls.
#[divan::bench]
fn look_again(bencher: Bencher<'_, '_>) {
    let site = site(Vec::new());
    let accepted = Accepted::IDENTITY;
    let mut now = 0;
    bencher.bench_local(|| {
        now += 1000;
        let lookup = site.files.find(&site.root, b"/asset-1.js", &accepted, now);
        site.runtime.block_on(lookup)
    });
}

#[divan::bench]
fn missing_again(bencher: Bencher<'_, '_>) {
    let site = site(Vec::new());
    let accepted = Accepted::IDENTITY;
    let mut now = 0;
    bencher.bench_local(|| {
        now += 1000;
        let lookup = site.files.find(&site.root, b"/none.js", &accepted, now);
        site.runtime.block_on(lookup)
    });
}
