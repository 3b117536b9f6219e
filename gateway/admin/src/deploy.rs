//! The gateway's part in a deploy of static files: it reports where the files of
//! a site are, retains files that must outlive the deploy, and notices new ones.
//! The deploying user puts the files in place.

use serde::{Deserialize, Serialize};

use crate::PurgeSummary;

/// A step of a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// A host of the site, or the site's name.
    pub site: String,
    /// The label of the route, needed if several routes of the site serve files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The step to carry out.
    pub phase: DeployPhase,
    /// Tags to purge in addition to the hosts of the site.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether the configured webhooks are told about the purge.
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
    /// Reports where the files would go; changes nothing.
    Look,
    /// Before the new files go live: retains the files that must outlive the old
    /// release.
    Begin,
    /// The new files are live: makes the gateway notice them, retains files, and
    /// purges the site's responses from the cache. The response is sent when all
    /// of this is done.
    Commit,
}

/// The result of a step of a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployAnswer {
    /// The site's name.
    pub site: String,
    /// The route's label.
    pub route: String,
    /// The directory of the files, as an absolute path.
    pub root: String,
    /// Whether removed files are retained for a while.
    pub retains: bool,
    /// The hosts of the site that are purged from the cache.
    pub hosts: Vec<String>,
    /// The site's host patterns, if they cannot be purged: other sites use the
    /// cache, and stored responses do not record their site.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// Whether the gateway's whole cache is purged. This is done if the site has
    /// host patterns and no other site uses the cache, which then contains only
    /// responses of this site.
    #[serde(default)]
    pub everything: bool,
    /// The site's host patterns, if webhooks are told only about the other hosts
    /// and the tags: a CDN may hold responses of other sites, whether they are
    /// cached here or not.
    #[serde(default)]
    pub untold: Vec<String>,
    /// The purge; only present for a commit.
    pub purge: Option<PurgeSummary>,
}
