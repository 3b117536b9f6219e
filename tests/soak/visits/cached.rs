//! Stored responses: hits, misses that share a fetch, and purges.

use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Request, Response};
use serde_json::json;

use crate::client::{Client, Visited, check, violation};
use crate::scene::{Scene, content};

const KEYS: [&str; 8] = ["a", "b", "c", "d", "long-a", "long-b", "long-c", "long-d"];

/// Asks for each key, and purges every so often. After a purge no response is older than it.
pub(super) async fn visit(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    for key in KEYS {
        get(&mut client, key).await?;
    }
    let key = KEYS[number % KEYS.len()];
    let before = scene.version.load(SeqCst);
    let what = match number % 3 {
        0 => json!({ "tag": key }),
        1 => json!({ "url": format!("http://a.example/cached/{key}") }),
        _ => return Ok(()),
    };
    let purge = Request::post("/cache/purge", what.to_string());
    let purged = scene.gateway.ask_with(&purge).await;
    check(purged.status == 200, || {
        format!(
            "a purge is answered with {}: {}",
            purged.status,
            purged.text()
        )
    })?;
    scene.ledger.noted("purges");
    let version = get(&mut client, key).await?;
    check(version > before, || {
        format!("{key}: version {version} after version {before} was purged")
    })
}

/// Asks for a key, and returns the version of the response.
async fn get(client: &mut Client<'_>, key: &str) -> Visited<u64> {
    let request = Request::get(&format!("/cached/{key}"));
    let response = client.expect("/cached/", &request, 200).await?;
    let status = response.header("cache-status").unwrap_or_default();
    check(status.starts_with("janua; "), || {
        format!("Cache-Status: {status}")
    })?;
    let is_hit = status.starts_with("janua; hit");
    client
        .scene
        .ledger
        .noted(if is_hit { "hits" } else { "misses" });
    version(key, &response)
        .ok_or_else(|| violation(format!("{key} has another body: {:?}", response.fields)))
}

fn version(key: &str, response: &Response) -> Option<u64> {
    let at = response.body.iter().position(|&byte| byte == b'\n')?;
    let (line, rest) = response.body.split_at(at);
    let line = std::str::from_utf8(line).ok()?;
    let version = line.strip_prefix(key)?.trim_start().parse().ok()?;
    let length = key.bytes().map(usize::from).sum::<usize>() * 37;
    (rest[1..] == content()[..length]).then_some(version)
}
