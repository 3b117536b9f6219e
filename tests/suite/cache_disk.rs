//! The disk store of the cache.

use std::fs;
use std::path::{Path, PathBuf};

use janua_tests::{Gateway, Request, Upstream, assert_eventually, filler};

use crate::cache::{before, body, counting, fresh, told};

const SIZE: usize = 20_000;

fn on_disk(path: &Path, upstream: &Upstream) -> String {
    let disk = format!("{{ path = \"{}\", size = \"16MiB\" }}", path.display());
    format!("[cache]\ndisk = {disk}\n{}", before(upstream))
}

/// Answers with 20 KB, which depend on the path and the request's number.
async fn pages() -> Upstream {
    counting(|request, number| {
        let place: usize = request.target.trim_start_matches('/').parse().unwrap();
        fresh()
            .header("X-Number", &number.to_string())
            .header("Cache-Tag", "pages")
            .body(filler(place * 8, SIZE))
    })
    .await
}

async fn disk(gateway: &Gateway, figure: &str) -> u64 {
    let cache = gateway.ask("GET", "/cache").await.json();
    cache["disk"][figure]
        .as_u64()
        .unwrap_or_else(|| panic!("{cache}"))
}

/// Stops the gateway, and starts another one with the same directory.
async fn restarted(gateway: Gateway, config: &str) -> Gateway {
    drop(gateway);
    let gateway = Gateway::start(config).await;
    assert_eventually!(gateway.ask("GET", "/cache").await.json()["disk"]["scanning"] == false);
    gateway
}

/// All files below a directory that have about the length of a page.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.metadata().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if (SIZE as u64..2 * SIZE as u64).contains(&kind.len()) {
                found.push(entry.path());
            }
        }
    }
    found
}

async fn filled(path: &Path, upstream: &Upstream, count: usize) -> (Gateway, String) {
    let config = on_disk(path, upstream);
    let gateway = Gateway::start(&config).await;
    for place in 0..count {
        gateway.get(&format!("/{place}")).await;
    }
    assert_eventually!(disk(&gateway, "objects").await == count as u64);
    (gateway, config)
}

#[tokio::test]
async fn what_is_stored_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = pages().await;
    let (gateway, config) = filled(directory.path(), &upstream, 5).await;
    let gateway = restarted(gateway, &config).await;
    for place in 0..5 {
        let response = gateway.get(&format!("/{place}")).await;
        assert_eq!(told(&response), "hit", "{place}");
        assert_eq!(response.body, filler(place * 8, SIZE));
        assert_eq!(
            response.header("x-number"),
            Some((place + 1).to_string().as_str())
        );
    }
    let part = Request::get("/3").header("Range", "bytes=100-199");
    let part = gateway.send(part).await;
    assert_eq!((part.status, part.body), (206, filler(3 * 8 + 100, 100)));
    let head = gateway.send(Request::new("HEAD", "/3")).await;
    assert_eq!(
        (told(&head).as_str(), head.header("content-length")),
        ("hit", Some("20000"))
    );
    assert_eq!(upstream.request_count(), 5);
}

#[tokio::test]
async fn damaged_files_are_fetched_again() {
    const PAGES: usize = 8;
    let directory = tempfile::tempdir().unwrap();
    let upstream = pages().await;
    let (gateway, config) = filled(directory.path(), &upstream, PAGES).await;
    drop(gateway);
    let files = files(directory.path());
    assert_eq!(files.len(), PAGES, "a file each");
    // Flipped bits in several places, a truncated file, and an empty one.
    for (place, file) in files.iter().enumerate() {
        let mut bytes = fs::read(file).unwrap();
        let last = bytes.len() - 1;
        match place {
            0 => bytes[0] ^= 1,
            1 => bytes[20] ^= 0x80,
            2 => bytes[last / 2] ^= 1,
            3 => bytes[last] ^= 1,
            4 => bytes.truncate(last / 2),
            5 => bytes.clear(),
            6 => bytes.extend_from_slice(b"more"),
            _ => bytes[100..300].fill(0xff),
        }
        fs::write(file, bytes).unwrap();
    }
    let gateway = Gateway::start(&config).await;
    for place in 0..PAGES {
        for _ in 0..2 {
            let response = gateway.get(&format!("/{place}")).await;
            assert_eq!(response.status, 200);
            assert!(
                response.body == filler(place * 8, SIZE),
                "{place}: {}",
                told(&response)
            );
        }
        assert_eq!(
            told(&gateway.get(&format!("/{place}")).await),
            "hit",
            "{place}"
        );
    }
    let asked = upstream.request_count() - PAGES;
    assert!(
        asked >= PAGES - 1,
        "{asked} of the damaged were asked for again"
    );
}

/// Nothing that was purged returns, and nothing from an incomplete directory.
#[tokio::test]
async fn a_purge_survives_a_restart_too() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = pages().await;
    let (gateway, config) = filled(directory.path(), &upstream, 3).await;
    let purge = Request::post("/cache/purge", "{\"url\": \"http://a.example/1\"}");
    assert_eq!(gateway.ask_with(&purge).await.status, 200);
    let gateway = restarted(gateway, &config).await;
    for (place, expected) in [(0, "hit"), (1, "fwd=uri-miss; stored"), (2, "hit")] {
        let response = gateway.get(&format!("/{place}")).await;
        assert_eq!(told(&response), expected, "{place}");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_no_cache_and_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = pages().await;
    let (gateway, _) = filled(directory.path(), &upstream, 2).await;
    fs::remove_dir_all(directory.path()).unwrap();
    for place in [0, 1, 2, 3] {
        let target = format!("/{place}");
        for _ in 0..2 {
            let response = gateway.get(&target).await;
            assert_eq!(
                (response.status, response.body.len()),
                (200, SIZE),
                "{place}"
            );
        }
        assert_eq!(body(&gateway, Request::new("HEAD", &target)).await, "");
    }
}
