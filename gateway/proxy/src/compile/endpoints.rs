//! Compiles the endpoints of an upstream: those that the configuration names, and the sources of
//! others.

use std::path::PathBuf;

use janua_config::{self as config, Diagnostic, Diagnostics, EndpointAddress, Spanned};
use janua_upstream::{Address, EndpointSpec, Family, Question};

use crate::discovery::{Source, file_source, name_source};
use crate::estate::Estate;

/// The sources of an upstream's endpoints, in the order of the file, those that it names first.
pub(super) fn sources(
    upstream: &config::Upstream,
    estate: &Estate,
    found: &mut Diagnostics,
) -> Vec<Source> {
    let named = upstream.endpoints.iter();
    let mut sources: Vec<Source> = named
        .map(|endpoint| named_source(endpoint, estate))
        .collect();
    for file in upstream.endpoints.files() {
        sources.push(listed(&file.file, estate, found));
    }
    sources
}

fn named_source(endpoint: &config::Endpoint, estate: &Estate) -> Source {
    let spec = |address| EndpointSpec {
        weight: endpoint.weight.get(),
        max_connections: endpoint.max_connections.map(std::num::NonZeroU32::get),
        backup: endpoint.backup,
        zone: endpoint.zone.as_deref().cloned(),
        ..EndpointSpec::new(address)
    };
    match &endpoint.address.value {
        EndpointAddress::Socket(address) => Source::Fixed(spec(Address::Ip(*address))),
        EndpointAddress::Unix(path) => Source::Fixed(spec(Address::Unix(path.clone()))),
        EndpointAddress::Name { host, port } => {
            let (host, port) = (host.clone(), *port);
            match endpoint.resolve.value {
                config::Resolve::One => Source::Fixed(spec(Address::Name { host, port })),
                config::Resolve::All => {
                    let question = Question::Addresses {
                        host: host.clone(),
                        port,
                        family: family(endpoint.family.value),
                    };
                    name_source(estate, &question, spec(Address::Name { host, port }))
                }
            }
        }
        EndpointAddress::Srv(name) => {
            let question = Question::Services { name: name.clone() };
            // The address of the pattern is replaced by those of the targets.
            let pattern = spec(Address::Name {
                host: name.clone(),
                port: 1,
            });
            name_source(estate, &question, pattern)
        }
    }
}

/// A file that cannot be used is no error: it may be written at any time.
fn listed(path: &Spanned<PathBuf>, estate: &Estate, found: &mut Diagnostics) -> Source {
    let (source, error) = file_source(estate, &path.value);
    if let Some(error) = error {
        found.push(
            Diagnostic::warning(path.span, format!("this list cannot be used: {error}")).help(
                "until it can, the upstream has the endpoints that it said before, and none after \
                 a start",
            ),
        );
    }
    source
}

fn family(family: config::Family) -> Family {
    match family {
        config::Family::Any => Family::Any,
        config::Family::Ipv4 => Family::Ipv4,
        config::Family::Ipv6 => Family::Ipv6,
    }
}
