//! The shared cache, as the endpoint tells of it and purges it. Times are
//! milliseconds since the Unix epoch.

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

/// What a purge may name at once: more is a mistake, or a `prefix`.
pub const PURGE_MOST: usize = 1000;

/// What to take out of the cache. Each of the lists may be written as one
/// string.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PurgeRequest {
    /// Addresses, in every variant: `https://app.example.com/a?x=1`. One
    /// without a query reaches every query of its path.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub url: Vec<String>,
    /// Beginnings of addresses: `https://app.example.com/assets/`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub prefix: Vec<String>,
    /// Hosts: `app.example.com`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub host: Vec<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub tag: Vec<String>,
    /// Everything.
    pub all: bool,
    /// It is stale from now on and validated before it is used again, not gone.
    pub soft: bool,
    /// Whether the webhooks of the configuration are told.
    #[serde(default = "yes")]
    pub webhooks: bool,
}

impl PurgeRequest {
    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && self.named() == 0
    }

    /// How many addresses, prefixes, hosts and tags it names.
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

/// What a purge did. It acts on every request from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeSummary {
    /// What was purged, a line each, as it was understood.
    pub purged: Vec<String>,
    /// Stale, not gone.
    pub soft: bool,
    /// What became of the webhooks, in the order of the configuration; empty if
    /// there are none, or they were not asked for.
    pub webhooks: Vec<WebhookOutcome>,
    /// What was done and deserves a look, a line each.
    pub warnings: Vec<String>,
    /// Microseconds that the purge took, without the webhooks.
    pub took_us: u64,
}

/// What became of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookOutcome {
    /// The host that was called.
    pub host: String,
    /// The status of the last answer; none if there was no answer.
    pub status: Option<u16>,
    /// Calls that were made, repetitions included.
    pub calls: u32,
    /// Why it failed; none if it did not.
    pub error: Option<String>,
}

/// What the cache holds and does. Counters count since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheStatus {
    /// Stored responses in memory.
    pub objects: u64,
    /// What they weigh, in bytes.
    pub bytes: u64,
    /// What they may weigh, in bytes.
    pub budget: u64,
    /// Responses let go for lack of room.
    pub evictions: u64,
    /// Responses on their way in, and what they hold in bytes.
    pub fills: u64,
    /// What those hold, in bytes.
    pub fill_bytes: u64,
    /// Requests to upstreams that others may wait for.
    pub flights: u64,
    /// Purges and invalidations.
    pub purges: u64,
    /// Purges that the sweep in the background has not carried out yet. They
    /// act all the same.
    pub purges_to_sweep: u64,
    /// Requests that the cache was asked about, by what it did: the words of
    /// `Cache-Status`.
    pub requests: Vec<CacheCount>,
    /// The part on disk, if there is one.
    pub disk: Option<DiskStatus>,
}

impl CacheStatus {
    /// Hits among all requests that it was asked about, 0 to 1; none before the
    /// first.
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

/// How many requests the cache treated in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheCount {
    /// The word of the access log and the metrics.
    pub word: String,
    /// Whether the response came out of the cache.
    pub hit: bool,
    /// Requests.
    pub requests: u64,
}

/// The part of the cache on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStatus {
    /// Files.
    pub objects: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// What they may take, in bytes.
    pub budget: u64,
    /// Files deleted for lack of room.
    pub evictions: u64,
    /// Responses written.
    pub writes: u64,
    /// Responses read back.
    pub loads: u64,
    /// Responses not written, because too much waited to be written.
    pub dropped: u64,
    /// Writes that failed, a full disk included.
    pub failed: u64,
    /// Files that were found broken, and deleted.
    pub corrupt: u64,
    /// Whether it is still looked through for what is there.
    pub scanning: bool,
}

/// One stored response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheEntry {
    /// The address it answers.
    pub url: String,
    /// `memory`, `filling` or `disk`.
    pub place: String,
    /// Its status.
    pub status: u16,
    /// The length of its body in bytes; none while that is not known.
    pub length: Option<u64>,
    /// When it was received, or validated last.
    pub received_unix_ms: u64,
    /// Its age in seconds, as it would be sent.
    pub age: u64,
    /// For how many seconds it is fresh from now on; negative if it is stale.
    pub ttl: i64,
    /// For how many seconds it is fresh in all.
    pub lifetime: u64,
    /// Where that lifetime comes from: `s-maxage`, `max-age`, `expires`,
    /// `cdn-cache-control`, `surrogate-control`, `heuristic`, `rule`, `none`.
    pub source: String,
    /// Seconds that it may be served stale while it is fetched anew.
    pub stale_while_revalidate: u64,
    /// Seconds that it may be served stale when the upstream fails.
    pub stale_if_error: u64,
    /// Whether it is validated before each use.
    pub no_cache: bool,
    /// The rule of a policy that decided on it, if one did.
    pub rule: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// What it varies on: the names of the fields, and the values of the
    /// request that it answers. Those of credentials are left out.
    pub vary: Vec<(String, Option<String>)>,
    /// Whether it belongs to one user.
    pub per_user: bool,
    /// How often it was found.
    pub hits: u64,
    /// Whether a soft purge reached it.
    pub purged_softly: bool,
    /// The fields of its head, as they were stored; values of cookies are left
    /// out.
    pub head: Vec<String>,
}
