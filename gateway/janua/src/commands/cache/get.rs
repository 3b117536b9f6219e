//! `janua cache get`: what is stored for a URL, why, and until when.

use janua_admin::CacheEntry;

use super::super::table::{duration, number, size};
use super::super::{CommandResult, Output, printable, reach};
use super::failure;
use crate::cli::Get;

pub(in crate::commands) fn get(get: &Get) -> CommandResult {
    let client = reach::client(&get.reach)?;
    let entries = client.cache_entries(&get.url).map_err(failure)?;
    if entries.is_empty() {
        return Err(Output {
            person: format!("janua: nothing is stored for {}", printable(&get.url)),
            json: serde_json::json!([]),
        });
    }
    let pages: Vec<String> = entries.iter().map(entry).collect();
    Ok(Output::new(printable(&pages.join("\n\n")), &entries))
}

/// A URL, and below it the details of the stored response.
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
    use janua_admin::CacheEntry;

    use super::entry;

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
