//! The weights of splits as operators see them, and set them while the gateway runs.
//!
//! A weight that is set holds until a reload changes the split in the configuration, and not
//! beyond a restart: the configuration is what a gateway begins with.

use std::fmt;
use std::sync::Arc;

use janua_upstream::split::NoWeight;

use crate::estate::Estate;
use crate::snapshot::{Route, Site, Snapshot, Split, Target};

/// A route that divides its requests among upstreams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitStatus {
    /// The label of its site.
    pub site: Arc<str>,
    /// Its label.
    pub route: Box<str>,
    /// The value by which it divides them, as it is written in the file; none if each request
    /// draws anew.
    pub by: Option<Box<str>>,
    /// The upstreams, in the order of the file.
    pub shares: Vec<ShareStatus>,
}

/// An upstream of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareStatus {
    /// Its name.
    pub upstream: Box<str>,
    /// Its present weight.
    pub weight: u32,
    /// The weight that the configuration gives it.
    pub configured: u32,
}

/// Why a weight was not set. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetWeightError {
    /// No route of this name divides its requests. With the names of those that do.
    NoSplit(Vec<String>),
    /// Several routes of this name divide their requests.
    Ambiguous,
    /// The split has no such upstream. With the names of those that it has.
    NoUpstream(Vec<Box<str>>),
    /// No other upstream of the split has a weight, so that every request would fail.
    LastWeight,
}

impl fmt::Display for SetWeightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSplit(known) if known.is_empty() => {
                f.write_str("no route divides its requests (`upstream = { split = [...] }`)")
            }
            Self::NoSplit(known) => write!(
                f,
                "no route of this name divides its requests; those that do are {}",
                known.join(", ")
            ),
            Self::Ambiguous => {
                f.write_str("several routes of this name divide their requests: give each a `name`")
            }
            Self::NoUpstream(known) => write!(
                f,
                "the route does not divide its requests with this upstream; it has {}",
                known.join(", ")
            ),
            Self::LastWeight => f.write_str(
                "no upstream would have a weight, and every request would fail: set another one \
                 first",
            ),
        }
    }
}

impl SplitStatus {
    /// Site and route, as commands name them.
    pub fn name(&self) -> String {
        let slash = if self.route.starts_with('/') { "" } else { "/" };
        format!("{}{slash}{}", self.site, self.route)
    }
}

impl Snapshot {
    /// The routes that divide their requests, with their present weights.
    pub fn splits(&self) -> impl Iterator<Item = SplitStatus> {
        self.split_routes()
            .map(|(site, route, split)| status(site, route, split))
    }

    fn split_routes<'a>(&'a self) -> impl Iterator<Item = (&'a Site, &'a Route, &'a Split)> {
        let of_site = |site: &'a Site| site.routes.iter().map(move |route| (site, route));
        let routes = self.sites.iter().flat_map(of_site);
        routes.filter_map(|(site, route)| match &route.target {
            Target::Split(split) => Some((site, route, split)),
            _ => None,
        })
    }
}

impl Estate {
    /// The routes of the published snapshot that divide their requests.
    pub fn splits(&self) -> Vec<SplitStatus> {
        let snapshot = self.snapshot();
        snapshot.map_or_else(Vec::new, |snapshot| snapshot.splits().collect())
    }

    /// Sets the weight of an upstream in the split of a route, which is named as
    /// [`SplitStatus::name`] does, or with a slash between site and route in any case. Requests
    /// that arrive from now on are divided by it, on all workers.
    ///
    /// # Errors
    /// There is no such route or upstream, or no weight would be left.
    pub fn set_split_weight(
        &self,
        route: &str,
        upstream: &str,
        weight: u32,
    ) -> Result<SplitStatus, SetWeightError> {
        let Some(snapshot) = self.snapshot() else {
            return Err(SetWeightError::NoSplit(Vec::new()));
        };
        let is_meant = |site: &Site, of: &Route| {
            let label = &of.terms.label;
            let rest = route.strip_prefix(&*site.name).unwrap_or_default();
            rest == &**label && label.starts_with('/') || rest.strip_prefix('/') == Some(label)
        };
        let mut meant = snapshot
            .split_routes()
            .filter(|(site, route, _)| is_meant(site, route));
        let Some((site, of, split)) = meant.next() else {
            let known = snapshot.splits().map(|split| split.name());
            return Err(SetWeightError::NoSplit(known.collect()));
        };
        if meant.next().is_some() {
            return Err(SetWeightError::Ambiguous);
        }
        match split.weights.set_weight(upstream, weight) {
            Ok(true) => Ok(status(site, of, split)),
            Ok(false) => {
                let known = split.weights.weights();
                let known = known.map(|(upstream, _, _)| upstream.into());
                Err(SetWeightError::NoUpstream(known.collect()))
            }
            Err(NoWeight) => Err(SetWeightError::LastWeight),
        }
    }
}

fn status(site: &Site, route: &Route, split: &Split) -> SplitStatus {
    let shares = split.weights.weights();
    SplitStatus {
        site: Arc::clone(&site.name),
        route: route.terms.label.clone(),
        by: split.by.as_ref().map(|by| by.word.clone()),
        shares: shares
            .map(|(upstream, weight, configured)| ShareStatus {
                upstream: upstream.into(),
                weight,
                configured,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
