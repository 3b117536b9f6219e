//! The state of the gateway, as `GET /status` tells it and `janua status`
//! prints it. Times are milliseconds since the Unix epoch.

use serde::{Deserialize, Serialize};

/// Everything at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// The configuration file that is live.
    pub config: String,
    /// Counts the configurations that went live, from 1.
    pub generation: u64,
    /// When the process started.
    pub started_unix_ms: u64,
    /// For how long it has run, by a clock that is never set back.
    pub uptime_ms: u64,
    /// Whether requests are served; false while draining.
    pub ready: bool,
    /// Worker threads.
    pub workers: u32,
    /// Client connections open now.
    pub connections: u64,
    /// Requests being worked on now.
    pub in_flight: u64,
    /// Requests since the start.
    pub requests: u64,
    /// Sites of the live configuration.
    pub sites: u32,
    /// Routes of the live configuration, all sites together.
    pub routes: u32,
    /// By name.
    pub listeners: Vec<ListenerStatus>,
    /// By name.
    pub upstreams: Vec<UpstreamStatus>,
    /// By name.
    pub policies: Vec<PolicyStatus>,
    /// The last reload; none since the start.
    pub last_reload: Option<ReloadStatus>,
    /// What needs attention, a line each.
    pub warnings: Vec<String>,
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
    /// How an endpoint is chosen.
    pub balance: String,
    /// In the order of the configuration.
    pub endpoints: Vec<EndpointStatus>,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// As the configuration names it.
    pub address: String,
    /// What the name resolved to; the address itself where there is no name.
    pub addresses: Vec<AddressStatus>,
    /// Its share of requests.
    pub weight: u32,
    /// Whether it is given requests.
    pub health: Health,
    /// Requests there now, all workers together.
    pub in_flight: u64,
    /// Kept connections that wait for a request, all workers together.
    pub idle: u64,
    /// Requests since it is known.
    pub requests: u64,
    /// Failures in the current window of passive health.
    pub fails: u64,
    /// Since when every request to it has failed, if it is down.
    #[serde(default)]
    pub down_since_unix_ms: Option<u64>,
    /// Why it is down, in the word of the last failure; or why its name could not
    /// be looked up.
    pub last_error: Option<String>,
}

/// A resolved address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressStatus {
    /// Address and port.
    pub address: String,
    /// Whether it is given requests.
    pub health: Health,
}

/// Whether requests are given to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It is given requests.
    Up,
    /// It failed too often and is held back for a while; or it fails, and is
    /// given requests all the same because no endpoint would be left.
    Down,
    /// Its name has not been resolved.
    Unresolved,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Its name in the configuration.
    pub name: String,
    /// A bundled component's name or a file.
    pub component: String,
    /// The component's SHA-256, hexadecimal.
    pub hash: String,
    /// Of component, configuration and files referred to, hexadecimal: another
    /// identity is another policy, with an empty memo.
    pub identity: String,
    /// Whether it is called.
    pub state: PolicyState,
    /// Verdicts for which the component was called.
    pub calls: u64,
    /// Verdicts taken from the memo.
    pub hits: u64,
    /// Verdicts looked for in the memo and not found.
    pub misses: u64,
    /// Calls that trapped.
    pub traps: u64,
    /// Calls that ran out of time.
    pub overruns: u64,
    /// Calls that answered with an error.
    pub errors: u64,
    /// The last trap, overrun or error, in one line.
    pub last_error: Option<String>,
    /// Whether verdicts are reused.
    pub reuse: Reuse,
    /// Bytes held by its memo, all workers together.
    pub memo_bytes: u64,
    /// Verdicts held by its memo, all workers together.
    pub memo_entries: u64,
}

impl PolicyStatus {
    /// Hits among all look-ups, 0 to 1; none before the first.
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

/// Whether a policy is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyState {
    /// It is called.
    Ok,
    /// It failed too often, or used more than its share of a worker: its
    /// `on_error` decides until a probe succeeds.
    Open,
}

/// Whether a policy's verdicts are reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode", content = "why")]
pub enum Reuse {
    /// As the policy says.
    On,
    /// Never, and why.
    Off(String),
}

/// A reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadStatus {
    /// When it was over.
    pub at_unix_ms: u64,
    /// Why it was not put live; none if it was.
    pub error: Option<String>,
}
