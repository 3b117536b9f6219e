//! The targets of routes, which answer requests.

use std::sync::Arc;
use std::time::Duration;

use janua_files::Root;

use crate::head_edits::HeadEdits;
use crate::location::Location;
use crate::prefix::PrefixEdit;
use crate::retries::Retries;
use crate::stats::ChoiceStats;
use crate::template::Template;

use super::choice::Split;

/// The target of a route, which answers its requests.
#[derive(Debug)]
pub(crate) enum Target {
    Upstream(To),
    Split(Split),
    Files(Tree),
    Respond(Fixed),
    Redirect(Redirect),
}

/// Files below a directory.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) root: Root,
    /// The prefix that is removed from the path.
    pub(crate) strip_prefix: Option<Arc<str>>,
}

/// The upstream of a route, and how its requests are edited.
#[derive(Debug)]
pub(crate) struct To {
    /// A digest of all settings that shape the stored response: the upstream, its `Host`,
    /// how path and head are edited, and the policies of the phase `fetched`. It is part of the
    /// cache key, so that routes that differ in them share no stored response. It does not
    /// depend on the names of routes, so that renaming one keeps what is stored.
    pub(crate) cache_scope: [u8; 8],
    /// The index of the upstream in the snapshot.
    pub(crate) upstream: usize,
    pub(crate) host: HostField,
    /// The prefix that is removed from the path.
    pub(crate) strip_prefix: Option<Arc<str>>,
    /// Edits of the head that this upstream gets, after those of the route.
    pub(crate) request_head: Option<Box<HeadEdits>>,
    /// Edits of the head that the client gets, after those of the route.
    pub(crate) response_head: Option<Box<HeadEdits>>,
    /// Counts its requests, if it is one of several.
    pub(crate) stats: Option<ChoiceStats>,
    /// How requests are repeated; none for as the upstream says.
    pub(crate) retries: Option<Arc<Retries>>,
    /// What is computed for each request; none if nothing is.
    pub(crate) rewrite: Option<Box<Rewrite>>,
    /// The longest time of an attempt, from when the request is being sent to the last byte of
    /// the response.
    pub(crate) upstream_timeout: Option<Duration>,
}

/// A host and a path for an upstream that are computed for each request.
#[derive(Debug)]
pub(crate) struct Rewrite {
    pub(crate) host: Option<RewrittenHost>,
    pub(crate) path: Option<PathEdit>,
}

/// A `Host` that is made of inputs.
#[derive(Debug)]
pub(crate) struct RewrittenHost {
    pub(crate) host: Template,
    pub(crate) port: Option<u16>,
}

/// How the path for an upstream is made of that of the request.
#[derive(Debug)]
pub(crate) enum PathEdit {
    Template(Template),
    Prefix(PrefixEdit),
}

/// The `Host` that an upstream gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostField {
    /// The client's.
    Preserve,
    /// The endpoint's own address, as configured.
    Endpoint,
    /// A configured value.
    Fixed(Arc<str>),
}

/// A response written in the configuration.
#[derive(Debug, Default)]
pub(crate) struct Fixed {
    pub(crate) status: u16,
    pub(crate) headers: Box<[(Box<str>, Box<str>)]>,
    pub(crate) body: Box<[u8]>,
}

/// A redirect with this status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) status: u16,
    pub(crate) to: Location,
}
