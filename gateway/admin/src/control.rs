//! The interface through which the admin endpoint controls the gateway.

use serde::{Deserialize, Serialize};

use crate::{
    Asker, CacheEntry, CacheStatus, DeployAnswer, DeployRequest, EndpointAnswer, EndpointCommand,
    PurgeRequest, PurgeSummary, SplitStatus, SplitWeightRequest, Status,
};

/// The gateway as the admin endpoint sees it. Methods are called on threads
/// that serve no traffic; all except [`Control::ready`] may block.
pub trait Control: Send + Sync + 'static {
    /// Whether requests are served: false until the first snapshot is live, and
    /// again once draining begins.
    fn ready(&self) -> bool;

    /// The metrics in the Prometheus text format 0.0.4.
    fn metrics(&self) -> String;

    /// The current state of the gateway.
    fn status(&self) -> Status;

    /// Reads the configuration again and makes it live, or changes nothing.
    /// Returns when every worker uses the new snapshot.
    ///
    /// # Errors
    /// If the configuration was refused; the old one is then still live. So it is if the
    /// asker leaves while components are compiled.
    fn reload(&self, asker: &Asker) -> Result<ReloadSummary, ReloadError>;

    /// Purges the cache, and then calls the webhooks.
    ///
    /// # Errors
    /// Why nothing was purged, for the operator. A failed webhook is not an
    /// error; it is reported in the summary.
    fn purge(&self, request: &PurgeRequest) -> Result<PurgeSummary, String>;

    /// The state of the cache.
    ///
    /// # Errors
    /// Why it is not available, for the operator.
    fn cache(&self) -> Result<CacheStatus, String>;

    /// All responses stored for a URL.
    ///
    /// # Errors
    /// Why there is no result, for the operator: the text is not a URL.
    fn cache_entries(&self, url: &str) -> Result<Vec<CacheEntry>, String>;

    /// Orders a new certificate by ACME for a name, and waits for it. Returns what was
    /// done, as a sentence.
    ///
    /// # Errors
    /// Why there is no new certificate, for the operator.
    fn renew_certificate(&self, name: &str) -> Result<String, String>;

    /// Replaces a certificate by ACME, and has its authority revoke it. Returns what was
    /// done, as a sentence.
    ///
    /// # Errors
    /// Why it was not revoked, or not replaced, for the operator.
    fn revoke_certificate(&self, name: &str) -> Result<String, String>;

    /// Takes an endpoint out, lets it in again, or gives it another weight.
    ///
    /// # Errors
    /// Why nothing was done, for the operator: there is no such endpoint.
    fn endpoint(&self, command: &EndpointCommand<'_>) -> Result<EndpointAnswer, String>;

    /// Gives an upstream another weight in the split of a route.
    ///
    /// # Errors
    /// Why nothing was done, for the operator: there is no such split or upstream.
    fn split_weight(&self, request: &SplitWeightRequest) -> Result<SplitStatus, String>;

    /// Carries out a step of a deploy.
    ///
    /// # Errors
    /// Why it was not carried out, for the operator.
    fn deploy(&self, request: &DeployRequest) -> Result<DeployAnswer, String>;
}

/// The result of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadSummary {
    /// The number of the generation that is live now.
    pub generation: u64,
    /// The differences from the previous generation; empty if there are none.
    pub changed: Vec<ReloadChange>,
    /// Warnings about the configuration, one line each.
    pub warnings: Vec<String>,
    /// Milliseconds from the request until the last worker uses the new
    /// snapshot.
    pub took_ms: u64,
}

/// One difference from the previous generation. It contains no secret: for a
/// value that may be one, it states only that it differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadChange {
    /// The whole difference as text: `upstream sales: retries 1 → 2`.
    pub text: String,
    /// The object that differs: `site shop: route /api`, `server`.
    pub what: String,
    /// The field that differs, if it is a single field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// `added`, `removed`, `changed` or `reordered`.
    pub change: String,
    /// The old value, if there was one that may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The new value, if there is one that may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// Why a reload was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadError {
    /// All errors, formatted for a terminal: files, lines, carets, suggestions.
    pub rendered: String,
    /// The same errors, as data.
    pub errors: Vec<ReloadDiagnostic>,
}

/// One error in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadDiagnostic {
    /// The file, if the error is in a file.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// How to correct it.
    pub help: Option<String>,
}

impl ReloadError {
    /// A refusal without a position in a file.
    #[must_use]
    pub fn plain(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            rendered: message.clone(),
            errors: vec![ReloadDiagnostic {
                file: None,
                line: None,
                column: None,
                message,
                help: None,
            }],
        }
    }
}
