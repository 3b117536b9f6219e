//! The cache's part of the admin API: its state, its entries, and purges. Times
//! are in milliseconds since the Unix epoch.

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

/// The most names in one purge: a request with more is probably a mistake and
/// should use a `prefix`.
pub const PURGE_MOST: usize = 1000;

/// What to purge from the cache. Each list may also be written as a single
/// string.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PurgeRequest {
    /// URLs, in every variant: `https://app.example.com/a?x=1`. A URL without a
    /// query matches every query of its path.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub url: Vec<String>,
    /// URL prefixes: `https://app.example.com/assets/`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub prefix: Vec<String>,
    /// Hosts: `app.example.com`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub host: Vec<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub tag: Vec<String>,
    /// Whether to purge everything.
    pub all: bool,
    /// A soft purge: responses become stale and are validated before reuse,
    /// instead of being removed.
    pub soft: bool,
    /// Whether the configured webhooks are called.
    #[serde(default = "yes")]
    pub webhooks: bool,
}

impl PurgeRequest {
    /// Whether the request names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && self.named() == 0
    }

    /// The number of URLs, prefixes, hosts and tags that it names.
    #[must_use]
    pub fn named(&self) -> usize {
        self.url.len() + self.prefix.len() + self.host.len() + self.tag.len()
    }
}

fn yes() -> bool {
    true
}

/// A list of strings, or one.
fn strings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Strings;
    impl<'de> de::Visitor<'de> for Strings {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string, or a list of strings")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut strings = Vec::new();
            while let Some(text) = list.next_element()? {
                strings.push(text);
            }
            Ok(strings)
        }
    }
    deserializer.deserialize_any(Strings)
}

/// The result of a purge. The purge applies to every later request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeSummary {
    /// What was purged, in normalised form, one line each.
    pub purged: Vec<String>,
    /// Whether it was a soft purge.
    pub soft: bool,
    /// The results of the webhooks, in the order of the configuration; empty if
    /// there are none, or if they were not to be called.
    pub webhooks: Vec<WebhookOutcome>,
    /// Warnings about what was done, one line each.
    pub warnings: Vec<String>,
    /// The duration of the purge in microseconds, without the webhooks.
    pub took_us: u64,
}

/// The result of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookOutcome {
    /// The host that was called.
    pub host: String,
    /// The status of the last response; none if there was none.
    pub status: Option<u16>,
    /// The number of calls made, including retries.
    pub calls: u32,
    /// Why it failed; none if it succeeded.
    pub error: Option<String>,
}

/// The state of the cache. Counters count since the start of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheStatus {
    /// Stored responses in memory.
    pub objects: u64,
    /// The bytes that they use.
    pub bytes: u64,
    /// The limit of the bytes used.
    pub budget: u64,
    /// Responses evicted for lack of space.
    pub evictions: u64,
    /// Responses that are being received and stored (fills).
    pub fills: u64,
    /// The bytes that fills use.
    pub fill_bytes: u64,
    /// Requests to upstreams whose response other requests may wait for.
    pub flights: u64,
    /// Purges and invalidations so far.
    pub purges: u64,
    /// Purges whose entries the background sweep has not yet removed. They are
    /// in effect all the same.
    pub purges_to_sweep: u64,
    /// Requests that used the cache, by outcome, as in the access log.
    pub requests: Vec<CacheCount>,
    /// The disk store, if there is one.
    pub disk: Option<DiskStatus>,
}

impl CacheStatus {
    /// The share of hits among all requests that used the cache, 0 to 1; none
    /// before the first request.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio for a person; the 53rd bit of a count does not show"
    )]
    pub fn hit_ratio(&self) -> Option<f64> {
        let all: u64 = self.requests.iter().map(|one| one.requests).sum();
        let hits = self.requests.iter().filter(|one| one.hit);
        let hits: u64 = hits.map(|one| one.requests).sum();
        (all > 0).then(|| hits as f64 / all as f64)
    }
}

/// The number of requests with one cache outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheCount {
    /// The outcome's word in the access log and the metrics.
    pub word: String,
    /// Whether the response came from the cache.
    pub hit: bool,
    /// The number of requests.
    pub requests: u64,
}

/// The state of the disk store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStatus {
    /// Files.
    pub objects: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The limit of their size, in bytes.
    pub budget: u64,
    /// Files deleted for lack of space.
    pub evictions: u64,
    /// Responses written.
    pub writes: u64,
    /// Responses read from the disk.
    pub loads: u64,
    /// Responses not written because the write queue was full.
    pub dropped: u64,
    /// Writes that failed, a full disk included.
    pub failed: u64,
    /// Files found to be corrupt, and deleted.
    pub corrupt: u64,
    /// Whether the start-up scan of the files is still running.
    pub scanning: bool,
}

/// One stored response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheEntry {
    /// The URL that it is stored for.
    pub url: String,
    /// `memory`, `filling` or `disk`.
    pub place: String,
    /// Its status.
    pub status: u16,
    /// The length of its body in bytes; none if it is not known yet.
    pub length: Option<u64>,
    /// When it was received, or last validated.
    pub received_unix_ms: u64,
    /// Its current age in seconds, as in the field `Age`.
    pub age: u64,
    /// The remaining freshness lifetime in seconds; negative if it is stale.
    pub ttl: i64,
    /// The total freshness lifetime in seconds.
    pub lifetime: u64,
    /// The source of the lifetime: `s-maxage`, `max-age`, `expires`,
    /// `cdn-cache-control`, `surrogate-control`, `heuristic`, `rule`, `none`.
    pub source: String,
    /// For how many seconds it may be served stale while it is revalidated.
    pub stale_while_revalidate: u64,
    /// For how many seconds it may be served stale if the upstream fails.
    pub stale_if_error: u64,
    /// Whether it is validated before each use.
    pub no_cache: bool,
    /// The policy rule that decided how it is cached, if there was one.
    pub rule: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// What it varies on: field names with the values of the request for which
    /// it was stored. The values of credentials are omitted.
    pub vary: Vec<(String, Option<String>)>,
    /// Whether it is stored for one user only.
    pub per_user: bool,
    /// How often it was used for a response.
    pub hits: u64,
    /// Whether a soft purge has made it stale.
    pub purged_softly: bool,
    /// The header fields as they are stored; the values of cookies are omitted.
    pub head: Vec<String>,
}
