//! The state of the gateway, returned by `GET /status` and printed by `janua
//! status`. Times are in milliseconds since the Unix epoch.

use serde::{Deserialize, Serialize};

use crate::{AbsentEndpoint, CertificateStatus, SplitStatus};

/// The whole state at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's version.
    pub version: String,
    /// The process id.
    pub pid: u32,
    /// The configuration file that is live.
    pub config: String,
    /// The number of the live configuration; they are counted from 1.
    pub generation: u64,
    /// When the process started.
    pub started_unix_ms: u64,
    /// How long it has run, measured by a monotonic clock.
    pub uptime_ms: u64,
    /// Whether requests are served; false while draining.
    pub ready: bool,
    /// The number of worker threads.
    pub workers: u32,
    /// Client connections open now.
    pub connections: u64,
    /// Requests in progress.
    pub in_flight: u64,
    /// Requests since the start.
    pub requests: u64,
    /// Sites of the live configuration.
    pub sites: u32,
    /// Routes of the live configuration, over all sites.
    pub routes: u32,
    /// By name.
    pub listeners: Vec<ListenerStatus>,
    /// By name.
    pub upstreams: Vec<UpstreamStatus>,
    /// Routes that divide their requests among upstreams.
    #[serde(default)]
    pub splits: Vec<SplitStatus>,
    /// Endpoints that commands have taken out and that are not there now.
    #[serde(default)]
    pub absent: Vec<AbsentEndpoint>,
    /// By name.
    pub policies: Vec<PolicyStatus>,
    /// The memory for the reusable verdicts of all policies.
    pub memos: MemosStatus,
    /// By name.
    #[serde(default)]
    pub secrets: Vec<SecretStatus>,
    /// By name.
    #[serde(default)]
    pub datasets: Vec<DatasetStatus>,
    /// Those of the sites, each once.
    pub certificates: Vec<CertificateStatus>,
    /// The files whose changes take effect by themselves; none if `watch` is off.
    pub watching: Option<WatchStatus>,
    /// The last reload; none if there was none since the start.
    pub last_reload: Option<ReloadStatus>,
    /// Conditions that need attention, one line each.
    pub warnings: Vec<String>,
}

/// A secret that policies use. Nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretStatus {
    /// Its name in the configuration, or the one that the gateway made for a secret that
    /// stands in the configuration of a policy.
    pub name: String,
    /// `raw`, `users`, `pem` or `jwks`.
    pub kind: String,
    /// Its keys, in order.
    pub keys: Vec<SecretKeyStatus>,
    /// The number of its users.
    pub users: u64,
}

/// A key of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretKeyStatus {
    /// Its identifier (`kid`).
    pub id: Option<String>,
    /// For example `RSA, 2048 bits`.
    pub key_type: String,
    /// The only algorithm that it works with, if its file states one.
    pub algorithm: Option<String>,
}

/// A dataset in which policies look keys up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetStatus {
    /// Its name in the configuration.
    pub name: String,
    /// `networks`, `strings`, `regexes` or `mmdb`.
    pub kind: String,
    /// The number of its entries.
    pub entries: u64,
    /// The memory that it takes; of regular expressions, that of their texts.
    pub bytes: u64,
    /// A number that is another one after each change.
    pub generation: u64,
    /// The policies that use it, by name.
    pub users: Vec<String>,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// The addresses it is bound to.
    pub addresses: Vec<String>,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Client connections open now.
    pub connections: u64,
}

/// An upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    /// Its name in the configuration.
    pub name: String,
    /// How endpoints are chosen.
    pub balance: String,
    /// In the order of the configuration.
    pub endpoints: Vec<EndpointStatus>,
    /// How much of it is in use.
    #[serde(default)]
    pub limits: Vec<LimitStatus>,
    /// The names, records and files that have further endpoints.
    #[serde(default)]
    pub sources: Vec<SourceStatus>,
}

/// How much of an upstream is in use at once, over all workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitStatus {
    /// What is counted: the field of `limits`.
    pub name: String,
    /// How much there is.
    pub in_use: u64,
    /// The most that there may be, if that is limited. The adaptive limit changes.
    pub limit: Option<u64>,
}

/// A name, a record or a file that has endpoints of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// As it is configured.
    pub source: String,
    /// How many endpoints it has, or had when it could last be used.
    pub endpoints: u64,
    /// Why it cannot be used now.
    pub error: Option<String>,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// The address as configured, or as it was found.
    pub address: String,
    /// The name of which it is one of the addresses.
    #[serde(default)]
    pub name: Option<String>,
    /// The addresses that the name resolved to, or the address itself.
    pub addresses: Vec<AddressStatus>,
    /// Its share of requests relative to the other endpoints.
    pub weight: u32,
    /// The weight in the configuration, if a command has set another until the next reload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_weight: Option<u32>,
    /// Whether a command has taken it out, so that it gets only requests of its sessions.
    #[serde(default)]
    pub draining: bool,
    /// Whether it gets requests only if no other endpoint can.
    #[serde(default)]
    pub backup: bool,
    /// Where it is, if the configuration says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whether it gets requests.
    pub health: Health,
    /// Requests in flight to it, over all workers.
    pub in_flight: u64,
    /// Idle connections kept for reuse, over all workers.
    pub idle: u64,
    /// Requests since the endpoint was first configured.
    pub requests: u64,
    /// Failures in the current window of the passive health check.
    pub fails: u64,
    /// Since when its checks or requests have failed, if it is down.
    #[serde(default)]
    pub down_since_unix_ms: Option<u64>,
    /// The word of the last failure, if it is down; or why its name could not
    /// be resolved.
    pub last_error: Option<String>,
    /// What failed, if it is down: `check` or `requests`.
    #[serde(default)]
    pub failed: Option<String>,
    /// How many checks or requests have failed in a row, if it is down.
    #[serde(default)]
    pub failed_count: u32,
    /// What is known of the last failure beyond its word.
    #[serde(default)]
    pub last_error_detail: Option<String>,
    /// Whether it is down and gets requests nevertheless.
    #[serde(default)]
    pub is_tried: bool,
    /// What its active checks say; none if there are none.
    #[serde(default)]
    pub check: Option<CheckStatus>,
}

/// The active checks of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStatus {
    /// `waiting`: it is new and gets nothing before its first pass; `up`; `down`; `unchecked`:
    /// it was in use before there were checks, which have not decided yet.
    pub state: String,
    /// Results in a row that contradict the state.
    pub contrary: u32,
    /// When the last check ended; none if there was none yet.
    pub checked_unix_ms: Option<u64>,
}

/// A resolved address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressStatus {
    /// Address and port.
    pub address: String,
    /// Whether it gets requests.
    pub health: Health,
}

/// Whether an endpoint or address gets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It gets requests.
    Up,
    /// Its checks fail; or it is ejected for a while after too many failures; or its requests
    /// fail, but it still gets them because no other endpoint would be left.
    Down,
    /// It is new, and gets no requests before the first check, whose result is not known yet.
    Waiting,
    /// Its name has not been resolved.
    Unresolved,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Its name in the configuration.
    pub name: String,
    /// The name of a bundled component, or a file.
    pub component: String,
    /// The component's SHA-256, hexadecimal.
    pub hash: String,
    /// The hash of the component, its configuration and the files it refers to,
    /// in hexadecimal. A different identity is a different policy, with an
    /// empty memo.
    pub identity: String,
    /// Whether it is called, or its circuit breaker is open.
    pub state: PolicyState,
    /// Verdicts for which the component was called.
    pub calls: u64,
    /// Verdicts taken from the memo.
    pub hits: u64,
    /// Look-ups in the memo that found no verdict.
    pub misses: u64,
    /// Calls that trapped.
    pub traps: u64,
    /// Calls that exceeded their deadline.
    pub overruns: u64,
    /// Calls that returned an error.
    pub errors: u64,
    /// Calls that were not made because the circuit breaker was open.
    pub suspended: u64,
    /// Calls that were not made because the policy's CPU time was short and the client had
    /// used much of it.
    pub throttled: u64,
    /// Calls that were not made because the policy's CPU time was used up.
    pub overloaded: u64,
    /// The last trap, exceeded deadline or error, in one line.
    pub last_error: Option<String>,
    /// Whether its verdicts are reused.
    pub reuse: Reuse,
    /// Bytes used by its reusable verdicts, over all workers.
    pub memo_bytes: u64,
    /// Verdicts in its memo, over all workers.
    pub memo_entries: u64,
}

impl PolicyStatus {
    /// The share of hits among all look-ups, 0 to 1; none before the first
    /// look-up.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio for a person; the 53rd bit of a count does not show"
    )]
    pub fn hit_ratio(&self) -> Option<f64> {
        let lookups = self.hits + self.misses;
        (lookups > 0).then(|| self.hits as f64 / lookups as f64)
    }
}

/// The memory for the reusable verdicts of all policies and workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemosStatus {
    /// Bytes taken.
    pub bytes: u64,
    /// The most that may be taken: `server.memos`.
    pub budget: u64,
}

impl MemosStatus {
    /// Whether there may be no room for another verdict: memory is taken in chunks of at most
    /// 64 KiB.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.budget > 0 && self.bytes + 64 * 1024 > self.budget
    }
}

/// Whether a policy is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyState {
    /// It is called.
    Ok,
    /// Its circuit breaker is open, because it failed for too many clients: requests
    /// that need a call are refused for a while.
    Open,
}

/// Whether a policy's verdicts are reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode", content = "why")]
pub enum Reuse {
    /// As the policy's rules allow.
    On,
    /// Never, for this reason.
    Off(String),
}

/// The files whose changes take effect by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchStatus {
    /// How many files.
    pub files: u64,
    /// The directories in which changes of them can happen.
    pub directories: u64,
    /// Files for which the system reports no changes, so that they are looked at in intervals.
    pub polled: u64,
}

/// A reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadStatus {
    /// When it ended.
    pub at_unix_ms: u64,
    /// Why it was refused; none if it was applied.
    pub error: Option<String>,
}
