//! Where the endpoints of an upstream come from, if the configuration does not name all of them:
//! names with several addresses, SRV records, and files.
//!
//! The endpoints of a snapshot's upstreams are fixed. When a source says something else than
//! before, [`refresh`] makes the upstreams of another snapshot, which shares all else with the
//! published one. Nothing of the configuration is compiled again, and endpoints that stay keep
//! their health, connections and counts, because the registry finds them again.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use janua_upstream::{EndpointSpec, NameList, Question, Upstream, UpstreamSpec};

use crate::endpoint_file::EndpointFile;
use crate::estate::Estate;
use crate::snapshot::{Forwarding, Snapshot};
use crate::stats::UpstreamStats;

/// The sources of an upstream's endpoints, and what the upstream was made from.
#[derive(Debug)]
pub(crate) struct Discovery {
    sources: Arc<[Source]>,
    /// With the endpoints that the sources had at that time.
    spec: UpstreamSpec,
}

/// One element of `endpoints`.
#[derive(Debug)]
pub(crate) enum Source {
    /// An endpoint that the configuration names.
    Fixed(EndpointSpec),
    /// A name that stands for several. Each is like the pattern in all but its address.
    Name {
        list: Arc<NameList>,
        pattern: EndpointSpec,
    },
    /// A file that lists them.
    File(Arc<EndpointFile>),
}

/// The state of a source, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// The name or record as it is configured, or the path of the file.
    pub source: String,
    /// How many endpoints it has.
    pub endpoints: usize,
    /// Why it could not be asked the last time, or says that there is nothing.
    pub error: Option<String>,
}

/// What has changed in an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointsChange {
    /// The name of the upstream.
    pub upstream: String,
    /// How many endpoints it has now.
    pub endpoints: usize,
    /// The addresses that are new.
    pub added: Vec<String>,
    /// The addresses that are gone.
    pub removed: Vec<String>,
}

impl Discovery {
    /// The sources of an upstream that is otherwise like `spec`; none if the configuration names
    /// all of its endpoints. Fills in the endpoints that are known.
    pub(crate) fn new(sources: Vec<Source>, spec: &mut UpstreamSpec) -> Option<Self> {
        spec.endpoints = endpoints(&sources);
        let is_fixed = |source: &Source| matches!(source, Source::Fixed(_));
        (!sources.iter().all(is_fixed)).then(|| Self {
            sources: sources.into(),
            spec: spec.clone(),
        })
    }

    /// What the upstream would be made from now; none if that is what it was made from.
    fn changed(&self) -> Option<Self> {
        let endpoints = endpoints(&self.sources);
        (endpoints != self.spec.endpoints).then(|| Self {
            sources: Arc::clone(&self.sources),
            spec: UpstreamSpec {
                endpoints,
                ..self.spec.clone()
            },
        })
    }

    fn states(&self) -> impl Iterator<Item = SourceState> {
        self.sources.iter().filter_map(Source::state)
    }
}

impl Source {
    fn state(&self) -> Option<SourceState> {
        match self {
            Self::Fixed(_) => None,
            Self::Name { list, .. } => {
                let listed = list.listed();
                Some(SourceState {
                    source: list.question().to_string(),
                    endpoints: listed.found.len(),
                    error: listed.error.clone(),
                })
            }
            Self::File(file) => {
                let state = file.state();
                Some(SourceState {
                    source: file.path().display().to_string(),
                    endpoints: state.endpoints.len(),
                    error: state.error.clone(),
                })
            }
        }
    }

    fn add(&self, to: &mut Vec<EndpointSpec>) {
        match self {
            Self::Fixed(endpoint) => to.push(endpoint.clone()),
            Self::Name { list, pattern } => {
                to.extend(list.listed().found.iter().map(|found| EndpointSpec {
                    address: found.address.clone(),
                    weight: found.weight.unwrap_or(pattern.weight),
                    backup: found.backup || pattern.backup,
                    ..pattern.clone()
                }));
            }
            Self::File(file) => to.extend(file.state().endpoints.iter().cloned()),
        }
    }
}

/// The endpoints of all sources, each address once: the first source that has it decides about it.
fn endpoints(sources: &[Source]) -> Vec<EndpointSpec> {
    let mut all = Vec::new();
    for source in sources {
        source.add(&mut all);
    }
    let mut known = HashSet::new();
    // An address is shown, and labels metrics, as its text.
    all.retain(|endpoint| known.insert(endpoint.address.to_string()));
    all
}

/// Gives the upstreams of a snapshot the endpoints that their sources have now. Returns what has
/// changed.
pub fn refresh(snapshot: &mut Snapshot, estate: &Estate) -> Vec<EndpointsChange> {
    let mut changed = Vec::new();
    for (place, forwarding) in snapshot.upstreams.iter().enumerate() {
        let discovery = forwarding.discovery.as_deref();
        changed.extend(discovery.and_then(Discovery::changed).map(|it| (place, it)));
    }
    let specs: Vec<UpstreamSpec> = changed.iter().map(|(_, it)| it.spec.clone()).collect();
    let running = estate.endpoints.reconcile(&specs);
    let mut changes = Vec::with_capacity(changed.len());
    for ((place, discovery), upstream) in changed.into_iter().zip(running) {
        let Some(forwarding) = snapshot.upstreams.get_mut(place) else {
            continue;
        };
        changes.push(change(&forwarding.upstream, &upstream));
        let members = upstream.members().iter();
        let addresses = members.map(|member| member.endpoint.address().to_string());
        let sticky = forwarding.sticky.as_ref();
        *forwarding = Forwarding {
            sticky: sticky.map(|sticky| Arc::new(sticky.with(addresses))),
            stats: Arc::new(UpstreamStats::of(&estate.metrics, &upstream)),
            upstream,
            discovery: Some(Arc::new(discovery)),
            ..forwarding.clone()
        };
    }
    changes
}

/// The states of the sources of an upstream's endpoints; none if the configuration names all.
pub fn sources(snapshot: &Snapshot, upstream: &str) -> Vec<SourceState> {
    let mut upstreams = snapshot.upstreams.iter();
    let forwarding = upstreams.find(|it| it.upstream.name() == upstream);
    let discovery = forwarding.and_then(|it| it.discovery.as_deref());
    discovery.map_or_else(Vec::new, |it| it.states().collect())
}

fn change(before: &Upstream, now: &Upstream) -> EndpointsChange {
    let addresses = |upstream: &Upstream| -> HashSet<String> {
        let members = upstream.members().iter();
        members
            .map(|member| member.endpoint.address().to_string())
            .collect()
    };
    let (old, new) = (addresses(before), addresses(now));
    let only = |these: &HashSet<String>, those: &HashSet<String>| {
        let mut only: Vec<String> = these.difference(those).cloned().collect();
        only.sort();
        only
    };
    EndpointsChange {
        upstream: now.name().to_owned(),
        endpoints: now.members().len(),
        added: only(&new, &old),
        removed: only(&old, &new),
    }
}

/// The source for a file, and what is to be said about it if it cannot be used.
pub(crate) fn file_source(estate: &Estate, path: &Path) -> (Source, Option<String>) {
    let file = estate.endpoint_files.read(path);
    let error = file.state().error.clone();
    (Source::File(file), error)
}

/// The source for a name.
pub(crate) fn name_source(estate: &Estate, question: &Question, pattern: EndpointSpec) -> Source {
    Source::Name {
        list: estate.endpoints.names().follow(question),
        pattern,
    }
}

#[cfg(test)]
mod tests;
