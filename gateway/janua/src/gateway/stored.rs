//! The state and content of the cache, for the admin endpoint.

use janua_admin::{CacheCount, CacheEntry, CacheStatus, DiskStatus};
use janua_cache::rules::CacheOutcome;
use janua_cache::{AddressFilter, Cache, CacheFigures, Inspected, Place};
use janua_http::Failure;
use janua_telemetry::metrics::{Registry, definitions};

use super::address::Address;

/// Current figures, and counts of requests since the start.
pub(super) fn status(cache: &Cache<Failure>, metrics: &Registry) -> CacheStatus {
    let CacheFigures {
        objects,
        bytes,
        budget,
        evictions,
        fills,
        fill_bytes,
        flights,
        purges,
        purge_lines,
        disk,
        ..
    } = cache.status();
    CacheStatus {
        objects,
        bytes,
        budget,
        evictions,
        fills,
        fill_bytes,
        flights,
        purges,
        purges_to_sweep: purge_lines,
        requests: requests(metrics),
        disk: disk.map(|disk| DiskStatus {
            objects: disk.objects,
            bytes: disk.bytes,
            budget: disk.budget,
            evictions: disk.evictions,
            writes: disk.writes,
            loads: disk.loads,
            dropped: disk.dropped,
            failed: disk.failed,
            corrupt: disk.corrupt,
            scanning: disk.scanning,
        }),
    }
}

/// Requests by cache outcome, over all sites and routes.
fn requests(metrics: &Registry) -> Vec<CacheCount> {
    const OUTCOME: usize = 2;
    let totals = metrics.totals(&definitions::CACHE_REQUESTS, OUTCOME);
    CacheOutcome::ALL
        .into_iter()
        .map(|outcome| CacheCount {
            word: outcome.word().to_owned(),
            hit: is_hit(outcome),
            requests: totals.get(outcome.word()).copied().unwrap_or_default(),
        })
        .collect()
}

/// Whether the body came from the cache.
fn is_hit(outcome: CacheOutcome) -> bool {
    match outcome {
        CacheOutcome::Hit
        | CacheOutcome::Revalidated
        | CacheOutcome::Updating
        | CacheOutcome::Stale
        | CacheOutcome::Collapsed => true,
        CacheOutcome::Miss | CacheOutcome::Expired | CacheOutcome::Bypass => false,
    }
}

/// All responses stored for a URL, for both schemes.
///
/// # Errors
/// If it is not a URL.
pub(super) fn entries(
    cache: &Cache<Failure>,
    url: &str,
    now_ms: u64,
) -> Result<Vec<CacheEntry>, String> {
    let address = Address::url(url)?;
    let found = cache.inspect(&AddressFilter {
        scheme: None,
        host: &address.host,
        path: &address.path,
        query: address.query.as_deref(),
    });
    Ok(found.iter().map(|found| entry(found, now_ms)).collect())
}

fn entry(inspected: &Inspected, now_ms: u64) -> CacheEntry {
    let entry = &inspected.entry;
    let terms = entry.terms();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let url = entry.address().map(|address| {
        let query = address.query.map(|query| format!("?{}", text(query)));
        format!(
            "{}://{}{}{}",
            text(address.scheme),
            text(address.host),
            text(address.path),
            query.unwrap_or_default()
        )
    });
    let names = entry.variance().unwrap_or_default();
    let vary = names.names().map(text).zip(entry.variant_values());
    let vary = vary.map(|(name, value)| match is_secret(&name) {
        true => (name, value.map(|_| HIDDEN.to_owned())),
        false => (name, value.map(text)),
    });
    CacheEntry {
        url: url.unwrap_or_default(),
        place: match inspected.place {
            Place::Memory => "memory",
            Place::Filling => "filling",
            Place::Disk => "disk",
        }
        .to_owned(),
        status: entry.status(),
        length: entry.length(),
        received_unix_ms: terms.received_ms,
        age: terms.age(now_ms).into(),
        ttl: terms.ttl(now_ms),
        lifetime: terms.lifetime.into(),
        source: terms.source.word().to_owned(),
        stale_while_revalidate: terms.stale_while_revalidate.into(),
        stale_if_error: terms.stale_if_error.into(),
        no_cache: terms.no_cache,
        rule: entry.rule().map(ToString::to_string),
        tags: entry.tags().map(text).collect(),
        vary: vary.collect(),
        per_user: names.by_user(),
        hits: entry.hits().into(),
        purged_softly: entry.is_purged_softly(),
        head: text(entry.head()).lines().map(shown).collect(),
    }
}

/// Replaces a value that belongs to a user.
const HIDDEN: &str = "…";

/// A header line, without values that belong to a user.
fn shown(line: &str) -> String {
    match line.split_once(':') {
        Some((name, _)) if is_secret(name) => format!("{name}: {HIDDEN}"),
        _ => line.to_owned(),
    }
}

fn is_secret(name: &str) -> bool {
    [
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
    ]
    .iter()
    .any(|secret| name.eq_ignore_ascii_case(secret))
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn values_that_belong_to_a_user_are_hidden() {
        assert_eq!(shown("Set-Cookie: id=secret"), "Set-Cookie: …");
        assert_eq!(shown("etag: \"x\""), "etag: \"x\"");
        assert_eq!(shown("odd"), "odd");
    }
}
