//! What the endpoint asks of the gateway.

use serde::{Deserialize, Serialize};

use crate::{
    CacheEntry, CacheStatus, DeployAnswer, DeployRequest, PurgeRequest, PurgeSummary, Status,
};

/// The gateway, as the admin endpoint sees it. Methods are called on threads
/// that serve no traffic; all but [`Control::ready`] may block.
pub trait Control: Send + Sync + 'static {
    /// Whether requests are served: false before the first snapshot is live and
    /// from the moment draining begins.
    fn ready(&self) -> bool;

    /// The exposition in the Prometheus text format 0.0.4.
    fn metrics(&self) -> String;

    /// The state of everything, as of now.
    fn status(&self) -> Status;

    /// Reads the configuration anew and puts it live, or changes nothing.
    /// Returns once every worker has the new snapshot.
    ///
    /// # Errors
    /// The configuration was refused; the old one is still live.
    fn reload(&self) -> Result<ReloadSummary, ReloadError>;

    /// Takes out of the cache what is named, and then tells the webhooks.
    ///
    /// # Errors
    /// Why nothing was purged, in words. A webhook that fails is none: the
    /// summary says so.
    fn purge(&self, request: &PurgeRequest) -> Result<PurgeSummary, String>;

    /// What the cache holds and does.
    ///
    /// # Errors
    /// Why that cannot be said, in words.
    fn cache(&self) -> Result<CacheStatus, String>;

    /// All that is stored for an address.
    ///
    /// # Errors
    /// Why that cannot be said, in words: it is no address.
    fn cache_entries(&self, url: &str) -> Result<Vec<CacheEntry>, String>;

    /// Carries out a step of a deploy.
    ///
    /// # Errors
    /// Why it cannot be done, in words.
    fn deploy(&self, request: &DeployRequest) -> Result<DeployAnswer, String>;
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadSummary {
    /// The generation that is live now.
    pub generation: u64,
    /// What differs from the generation before. Empty: nothing does.
    pub changed: Vec<ReloadChange>,
    /// What was accepted but deserves a look, a line each.
    pub warnings: Vec<String>,
    /// Milliseconds from the request to the last worker's switch.
    pub took_ms: u64,
}

/// One thing that differs from the generation before. Holds no secret: of
/// what may be one it says only that it differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadChange {
    /// All of it, for a person: `upstream sales: retries 1 → 2`.
    pub text: String,
    /// What it is about: `site shop: route /api`, `server`.
    pub what: String,
    /// The field, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// `added`, `removed`, `changed` or `reordered`.
    pub change: String,
    /// The value before, if there was one that may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The value now, if there is one that may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// Why a reload changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadError {
    /// All errors for a terminal: files, lines, carets, suggestions.
    pub rendered: String,
    /// The same, apart.
    pub errors: Vec<ReloadDiagnostic>,
}

/// One error in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadDiagnostic {
    /// The file, if it is about one.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ReloadError {
    /// A refusal that is about no place in a file.
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
