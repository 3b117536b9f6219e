//! A deploy of files, as far as the gateway takes part in it: it says where the
//! files of a site are, keeps those that must outlive the deploy, and notices
//! what is new. The files themselves are put in place by who deploys.

use serde::{Deserialize, Serialize};

use crate::PurgeSummary;

/// A step of a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// A host of the site, or its name.
    pub site: String,
    /// The label of the route, where several of the site have files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Which step.
    pub phase: DeployPhase,
    /// Tags to purge besides the hosts of the site.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether the webhooks of the configuration are told of the purge.
    #[serde(default = "yes")]
    pub webhooks: bool,
}

fn yes() -> bool {
    true
}

/// The steps of a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeployPhase {
    /// Where would it go? Does nothing.
    Look,
    /// Before the new files go live: what must outlive the old ones is kept.
    Begin,
    /// The new files are live: they are noticed, what must outlive them is kept,
    /// and what the cache holds of the site is purged. Answered when all of that
    /// is done.
    Commit,
}

/// What a step of a deploy came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployAnswer {
    /// The site's name.
    pub site: String,
    /// The route's label.
    pub route: String,
    /// The directory of the files, an absolute path.
    pub root: String,
    /// Whether removed files are kept for a while.
    pub retains: bool,
    /// The hosts of the site that are purged.
    pub hosts: Vec<String>,
    /// The hosts that are patterns, where they cannot be purged: other sites
    /// use the cache, and what is stored does not say whose it is.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// Whether everything in the gateway's own cache is purged: the site has
    /// hosts that are patterns, and no other site uses the cache, so that all of
    /// it is this site's.
    #[serde(default)]
    pub everything: bool,
    /// The hosts that are patterns, where the webhooks are told of the other
    /// hosts and the tags alone: a CDN may hold what is another site's, cached
    /// here or not.
    #[serde(default)]
    pub untold: Vec<String>,
    /// What was purged; only by a commit.
    pub purge: Option<PurgeSummary>,
}
