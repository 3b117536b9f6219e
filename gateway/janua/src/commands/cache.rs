//! `janua cache`: purge, status, get.

use janua_admin::{
    CacheEntry, CacheStatus, ClientError, PurgeRequest, PurgeSummary, WebhookOutcome,
};

use super::table::{Table, counted, duration, number, size};
use super::{Answer, Outcome, printable, reach};
use crate::cli::{Get, Purge, Reach};

pub(super) fn purge(purge: &Purge) -> Outcome {
    let client = reach::client(&purge.reach)?;
    let named = &purge.named;
    let request = PurgeRequest {
        url: named.url.clone(),
        prefix: named.prefix.clone(),
        host: named.host.clone(),
        tag: named.tag.clone(),
        all: named.all,
        soft: purge.soft,
        webhooks: !purge.no_webhooks,
    };
    let summary = client.purge(&request).map_err(failure)?;
    let answer = Answer::new(printable(&purged(&summary).join("\n")), &summary);
    match told(&summary) {
        true => Ok(answer),
        // It is purged here; elsewhere the old may still answer.
        false => Err(answer),
    }
}

/// What the gateway says may hold what somebody typed.
pub(super) fn failure(error: ClientError) -> Answer {
    Answer::failure(printable(&error.to_string()))
}

/// Whether every webhook took the call.
pub(super) fn told(summary: &PurgeSummary) -> bool {
    summary.webhooks.iter().all(|hook| hook.error.is_none())
}

/// A line each: what was purged, what became of the webhooks.
pub(super) fn purged(summary: &PurgeSummary) -> Vec<String> {
    let how = match summary.soft {
        true => "purged softly",
        false => "purged",
    };
    let purged = summary.purged.iter().map(|what| format!("{how}: {what}"));
    let webhooks = summary.webhooks.iter().map(webhook);
    let warnings = summary.warnings.iter();
    let warnings = warnings.map(|warning| format!("warning: {warning}"));
    purged.chain(webhooks).chain(warnings).collect()
}

fn webhook(outcome: &WebhookOutcome) -> String {
    let WebhookOutcome {
        host,
        status,
        calls,
        error,
    } = outcome;
    match (error, status) {
        (Some(error), _) => {
            let calls = counted(u64::from(*calls), "call");
            format!("{host}: failed after {calls}: {error}")
        }
        (None, Some(status)) => format!("{host}: {status}"),
        (None, None) => format!("{host}: nothing to tell"),
    }
}

pub(super) fn status(reach: &Reach) -> Outcome {
    let client = reach::client(reach)?;
    let status = client.cache().map_err(failure)?;
    Ok(Answer::new(figures(&status), &status))
}

fn figures(status: &CacheStatus) -> String {
    let mut table = Table::new(["store", "objects", "bytes", "budget", "full", "evictions"]);
    let mut store = |name: &str, objects, bytes: u64, budget: u64, evictions| {
        let full = (u128::from(bytes) * 100).checked_div(u128::from(budget));
        table.row([
            name.to_owned(),
            number(objects),
            size(bytes),
            size(budget),
            full.map_or_else(|| "-".to_owned(), |full| format!("{full} %")),
            number(evictions),
        ]);
    };
    store(
        "memory",
        status.objects,
        status.bytes,
        status.budget,
        status.evictions,
    );
    if let Some(disk) = &status.disk {
        store(
            "disk",
            disk.objects,
            disk.bytes,
            disk.budget,
            disk.evictions,
        );
    }
    let mut page = table.render();
    page.push_str(&format!("\n{}\n", headlines(status).join("\n")));
    let mut table = Table::new(["cache", "requests"]);
    for count in status.requests.iter().filter(|count| count.requests > 0) {
        table.row([count.word.clone(), number(count.requests)]);
    }
    if status.requests.iter().any(|count| count.requests > 0) {
        page.push_str(&format!("\n{}", table.render()));
    }
    page.trim_end().to_owned()
}

fn headlines(status: &CacheStatus) -> Vec<String> {
    let ratio = match status.hit_ratio() {
        // Rounded down: 100 % means every one.
        Some(ratio) => format!("{:.1} % of requests", (ratio * 1000.0).floor() / 10.0),
        None => "no requests yet".to_owned(),
    };
    let mut lines = vec![
        format!("answered from the cache: {ratio}"),
        format!(
            "{} ({}) and {} on their way, {} so far",
            counted(status.fills, "fill"),
            size(status.fill_bytes),
            counted(status.flights, "fetch").replace("fetchs", "fetches"),
            counted(status.purges, "purge"),
        ),
    ];
    if let Some(disk) = &status.disk {
        lines.push(format!(
            "disk: {} written, {} read, {} dropped, {} failed, {} broken{}",
            number(disk.writes),
            number(disk.loads),
            number(disk.dropped),
            number(disk.failed),
            number(disk.corrupt),
            if disk.scanning {
                ", still looked through"
            } else {
                ""
            },
        ));
    }
    lines
}

pub(super) fn get(get: &Get) -> Outcome {
    let client = reach::client(&get.reach)?;
    let entries = client.cache_entries(&get.url).map_err(failure)?;
    if entries.is_empty() {
        return Err(Answer {
            person: format!("janua: nothing is stored for {}", printable(&get.url)),
            json: serde_json::json!([]),
        });
    }
    let pages: Vec<String> = entries.iter().map(entry).collect();
    Ok(Answer::new(printable(&pages.join("\n\n")), &entries))
}

/// An address, and under it what there is to say.
fn entry(entry: &CacheEntry) -> String {
    let seconds = |seconds: u64| duration(seconds.saturating_mul(1000));
    let length = entry
        .length
        .map_or_else(|| "still growing".to_owned(), size);
    let mut lines = vec![
        entry.url.clone(),
        format!("status     {}, {length}, in {}", entry.status, entry.place),
        format!("freshness  {}", freshness(entry)),
        format!("because    {} of {}", entry.source, seconds(entry.lifetime)),
    ];
    if let Some(rule) = &entry.rule {
        lines.push(format!("rule       {rule}"));
    }
    if !entry.tags.is_empty() {
        lines.push(format!("tags       {}", entry.tags.join(" ")));
    }
    for (name, value) in &entry.vary {
        let value = value.as_deref().unwrap_or("(not sent)");
        lines.push(format!("varies     {name}: {value}"));
    }
    if entry.per_user {
        lines.push("varies     by user".to_owned());
    }
    for (what, span) in [
        ("revalidate", entry.stale_while_revalidate),
        ("error", entry.stale_if_error),
    ] {
        if span > 0 {
            lines.push(format!("stale      {} while {what}", seconds(span)));
        }
    }
    lines.push(format!("hits       {}", number(entry.hits)));
    lines.extend(entry.head.iter().map(|line| format!("  {line}")));
    lines.join("\n  ")
}

fn freshness(entry: &CacheEntry) -> String {
    let ttl = duration(entry.ttl.unsigned_abs().saturating_mul(1000));
    let age = duration(entry.age.saturating_mul(1000));
    match (entry.purged_softly, entry.no_cache, entry.ttl > 0) {
        (true, ..) => format!("purged softly: validated before it is used; age {age}"),
        (_, true, _) => format!("validated before each use; age {age}"),
        (_, _, true) => format!("fresh for {ttl}; age {age}"),
        (_, _, false) => format!("stale for {ttl}; age {age}"),
    }
}

#[cfg(test)]
mod tests {
    use janua_admin::{
        CacheCount, CacheEntry, CacheStatus, DiskStatus, PurgeSummary, WebhookOutcome,
    };

    use super::{entry, figures, purged, told};

    #[test]
    fn a_purge_says_what_it_did_and_who_was_told() {
        let hook = |status, error: Option<&str>| WebhookOutcome {
            host: "cdn.example".to_owned(),
            status,
            calls: 3,
            error: error.map(str::to_owned),
        };
        let mut summary = PurgeSummary {
            purged: vec!["tag a".to_owned(), "everything".to_owned()],
            soft: true,
            webhooks: vec![hook(Some(200), None), hook(None, None)],
            warnings: vec!["a restart may forget it".to_owned()],
            took_us: 3,
        };
        assert_eq!(
            purged(&summary),
            [
                "purged softly: tag a",
                "purged softly: everything",
                "cdn.example: 200",
                "cdn.example: nothing to tell",
                "warning: a restart may forget it",
            ]
        );
        assert!(told(&summary));
        summary.webhooks = vec![hook(Some(503), Some("it answered 503"))];
        assert_eq!(
            purged(&summary)[2],
            "cdn.example: failed after 3 calls: it answered 503"
        );
        assert!(!told(&summary));
    }

    #[test]
    fn the_status_as_a_page() {
        let count = |word: &str, hit, requests| CacheCount {
            word: word.to_owned(),
            hit,
            requests,
        };
        let mut status = CacheStatus {
            objects: 1200,
            bytes: 32 << 20,
            budget: 64 << 20,
            evictions: 5,
            fills: 1,
            fill_bytes: 100,
            flights: 2,
            purges: 1,
            ..CacheStatus::default()
        };
        let page = figures(&status);
        for line in [
            "  memory    1,200  32 MiB  64 MiB  50 %          5",
            "answered from the cache: no requests yet",
            "1 fill (100 B) and 2 fetches on their way, 1 purge so far",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "{line:?} is not in\n{page}"
            );
        }
        status.requests = vec![
            count("hit", true, 2),
            count("miss", false, 1),
            count("stale", true, 0),
        ];
        status.disk = Some(DiskStatus {
            budget: 0,
            scanning: true,
            ..DiskStatus::default()
        });
        let page = figures(&status);
        for line in [
            "answered from the cache: 66.6 % of requests",
            "  disk          0     0 B     0 B     -          0",
            "disk: 0 written, 0 read, 0 dropped, 0 failed, 0 broken, still looked through",
            "  hit           2",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "{line:?} is not in\n{page}"
            );
        }
        assert!(!page.contains("stale"), "{page}");
    }

    #[test]
    fn an_entry_says_why_and_until_when() {
        let mut stored = CacheEntry {
            url: "https://a.example/".to_owned(),
            place: "memory".to_owned(),
            status: 200,
            length: Some(20),
            age: 10,
            ttl: 50,
            lifetime: 60,
            source: "rule".to_owned(),
            rule: Some("assets".to_owned()),
            tags: vec!["a".to_owned(), "b".to_owned()],
            vary: vec![("accept-encoding".to_owned(), None)],
            stale_if_error: 60,
            head: vec!["etag: \"x\"".to_owned()],
            ..CacheEntry::default()
        };
        assert_eq!(
            entry(&stored),
            "https://a.example/\n  \
             status     200, 20 B, in memory\n  \
             freshness  fresh for 50 s; age 10 s\n  \
             because    rule of 1 min 0 s\n  \
             rule       assets\n  \
             tags       a b\n  \
             varies     accept-encoding: (not sent)\n  \
             stale      1 min 0 s while error\n  \
             hits       0\n    \
             etag: \"x\""
        );
        stored.ttl = -5;
        assert!(entry(&stored).contains("stale for 5 s"));
        stored.purged_softly = true;
        assert!(entry(&stored).contains("purged softly"));
    }
}
