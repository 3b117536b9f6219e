//! Commands about endpoints and splits: taking one out, letting it in again, another weight.

use std::sync::Arc;

use janua_admin::{EndpointAnswer, EndpointCommand, ShareStatus, SplitStatus, SplitWeightRequest};
use janua_config::Config;
use janua_proxy::Estate;
use janua_upstream::{Member, Upstream};

use super::status::endpoint_status;

/// How many names an error lists.
const NAMES: usize = 20;

/// Carries out a command. It has an effect on every request that comes later. `config` is that of the
/// snapshot.
///
/// # Errors
/// There is no such endpoint, for the operator.
pub(super) fn carry_out(
    estate: &Estate,
    config: &Config,
    command: &EndpointCommand<'_>,
) -> Result<EndpointAnswer, String> {
    let snapshot = estate.snapshot();
    let snapshot = snapshot.ok_or("the gateway is not serving yet")?;
    let upstream = upstream(snapshot.upstreams(), command.upstream())?;
    let member = member(upstream, command.endpoint())?;
    let endpoint = &member.endpoint;
    let changed = match command {
        EndpointCommand::Drain(_) => {
            let changed = !endpoint.is_draining();
            endpoint.drain(true);
            changed
        }
        EndpointCommand::Undrain(_) => {
            let changed = endpoint.is_draining();
            if changed {
                // What its checks have said before is nothing that its replacement has earned.
                estate.restart_checks(endpoint);
            }
            endpoint.drain(false);
            changed
        }
        EndpointCommand::Weight(request) => {
            let changed = member.current_weight() != request.weight;
            endpoint.set_weight(Some(request.weight));
            changed
        }
    };
    let now_ms = estate.now_ms();
    if changed {
        log(command, endpoint.in_flight());
    }
    let gets_some = |member: &Member| upstream.admission(member, now_ms).entry.is_eligible();
    let takes_away = match command {
        EndpointCommand::Drain(_) => true,
        EndpointCommand::Undrain(_) => false,
        EndpointCommand::Weight(request) => request.weight == 0,
    };
    let mut warnings = Vec::new();
    if takes_away && !upstream.members().iter().any(gets_some) {
        warnings.push(format!(
            "no other endpoint of the upstream `{}` gets requests now",
            upstream.name()
        ));
    }
    let configured = config.upstreams.get(upstream.name());
    if takes_away && configured.is_some_and(|upstream| upstream.sticky.is_some()) {
        warnings
            .push("clients that have a session there (`sticky`) are still sent there".to_owned());
    }
    Ok(EndpointAnswer {
        upstream: upstream.name().to_owned(),
        endpoint: endpoint_status(upstream, member, now_ms),
        changed,
        warnings,
    })
}

/// Gives an upstream another weight in the split of a route.
///
/// # Errors
/// There is no such split or upstream, for the operator.
pub(super) fn weigh_split(
    estate: &Estate,
    request: &SplitWeightRequest,
) -> Result<SplitStatus, String> {
    let SplitWeightRequest {
        route,
        upstream,
        weight,
    } = request;
    let split = estate
        .set_split_weight(route, upstream, *weight)
        .map_err(|error| error.to_string())?;
    tracing::info!(
        route,
        upstream,
        weight,
        "upstream has another weight by command"
    );
    Ok(split_status(&split))
}

/// The state of a split.
pub(super) fn split_status(split: &janua_proxy::SplitStatus) -> SplitStatus {
    let shares = split.shares.iter().map(|share| ShareStatus {
        upstream: share.upstream.to_string(),
        weight: share.weight,
        configured_weight: (share.weight != share.configured).then_some(share.configured),
    });
    SplitStatus {
        route: split.name(),
        shares: shares.collect(),
    }
}

fn log(command: &EndpointCommand<'_>, in_flight: u32) {
    let (upstream, endpoint) = (command.upstream(), command.endpoint());
    match command {
        EndpointCommand::Drain(_) => {
            tracing::info!(
                upstream,
                endpoint,
                in_flight,
                "endpoint is taken out by command"
            );
        }
        EndpointCommand::Undrain(_) => {
            tracing::info!(upstream, endpoint, "endpoint is let in again by command");
        }
        EndpointCommand::Weight(request) => {
            let weight = request.weight;
            tracing::info!(
                upstream,
                endpoint,
                weight,
                "endpoint has another weight by command"
            );
        }
    }
}

/// The upstream of this name.
fn upstream<'s>(
    upstreams: impl Iterator<Item = &'s Arc<Upstream>> + Clone,
    name: &str,
) -> Result<&'s Arc<Upstream>, String> {
    let mut all = upstreams.clone();
    let found = all.find(|upstream| upstream.name() == name);
    found.ok_or_else(|| {
        let known = upstreams.map(|upstream| upstream.name().to_owned());
        format!("there is no upstream `{name}`; {}", names(known))
    })
}

/// The endpoint with this address, which is written as in the configuration; the case of a name
/// does not matter.
fn member<'s>(upstream: &'s Upstream, address: &str) -> Result<&'s Member, String> {
    let addresses = || {
        let members = upstream.members().iter();
        members.map(|member| member.endpoint.address().to_string())
    };
    let is_path = address.starts_with("unix:");
    let found = addresses().position(|known| match is_path {
        true => known == address,
        false => known.eq_ignore_ascii_case(address),
    });
    let member = found.and_then(|index| upstream.members().get(index));
    member.ok_or_else(|| {
        let name = upstream.name();
        let known = names(addresses());
        format!("the upstream `{name}` has no endpoint `{address}`; {known}")
    })
}

/// What there is instead.
fn names(known: impl Iterator<Item = String>) -> String {
    let known: Vec<String> = known.collect();
    let listed = known.get(..NAMES).unwrap_or(&known).join("`, `");
    match known.len() {
        0 => "there is none".to_owned(),
        1 => format!("there is `{listed}`"),
        count if count > NAMES => format!("there are `{listed}` and {} more", count - NAMES),
        _ => format!("there are `{listed}`"),
    }
}

#[cfg(test)]
mod tests {
    use janua_upstream::{Address, EndpointSpec, Registry, UpstreamSpec};

    use super::{member, names, upstream};

    #[test]
    fn names_are_found_and_listed() {
        let addresses = ["127.0.0.1:80", "app.internal:80", "unix:/run/App.sock"];
        let endpoints = addresses.map(|text| EndpointSpec::new(Address::parse(text).unwrap()));
        let spec = UpstreamSpec::new("app", endpoints.into());
        let registry = Registry::start("/dev/null".into()).unwrap();
        let built = registry.reconcile(&[spec]);
        let app = upstream(built.iter(), "app").unwrap();
        for address in ["127.0.0.1:80", "APP.internal:80", "unix:/run/App.sock"] {
            let found = member(app, address).unwrap().endpoint.address();
            assert!(found.to_string().eq_ignore_ascii_case(address), "{found}");
        }
        for address in ["127.0.0.1:81", "unix:/run/app.sock"] {
            assert_eq!(
                member(app, address).unwrap_err(),
                format!(
                    "the upstream `app` has no endpoint `{address}`; there are `127.0.0.1:80`, \
                     `app.internal:80`, `unix:/run/App.sock`"
                )
            );
        }
        let why = upstream(built.iter(), "App").unwrap_err();
        assert_eq!(why, "there is no upstream `App`; there is `app`");
        let why = upstream([].iter(), "app").unwrap_err();
        assert_eq!(why, "there is no upstream `app`; there is none");
        let many = (0..23).map(|number| number.to_string());
        assert!(names(many).ends_with("`19` and 3 more"));
    }
}
