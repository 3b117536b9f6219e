//! Commands about endpoints and splits: taking one out, letting it in again, another weight.

use std::sync::Arc;

use janua_admin::{
    AbsentEndpoint, EndpointAnswer, EndpointCommand, EndpointRequest, ShareStatus, SplitStatus,
    SplitWeightRequest,
};
use janua_config::Config;
use janua_proxy::{Estate, Snapshot};
use janua_upstream::{Address, Member, Upstream};

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
    let found = find(&snapshot, command.upstream(), command.endpoint());
    let (upstream, member) = match (found, command) {
        (Ok(found), _) => found,
        (Err(why), EndpointCommand::Undrain(request)) => {
            return undrain_absent(estate, request).ok_or(why);
        }
        (Err(why), _) => return Err(why),
    };
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
            // What else was taken out and is shown in this way: an address that a name had before
            // the configuration had it.
            let shown = endpoint.address().to_string();
            let is_meant = |known: &Address| known.to_string() == shown;
            estate.endpoints.undrain(upstream.name(), is_meant);
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
    if let EndpointCommand::Undrain(_) = command
        && member.current_weight() == 0
    {
        warnings.push("with the weight 0 it gets only requests of its sessions".to_owned());
    }
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
        address: endpoint.address().to_string(),
        endpoint: Some(endpoint_status(upstream, member, now_ms)),
        changed,
        warnings,
    })
}

/// Lets an endpoint in again that was taken out and is not there at the moment, so that it gets
/// requests when it comes back. None if there is no such endpoint.
fn undrain_absent(estate: &Estate, request: &EndpointRequest) -> Option<EndpointAnswer> {
    let wanted = as_shown(&request.endpoint);
    let is_meant = |known: &Address| known.to_string() == wanted;
    let let_in = estate.endpoints.undrain(&request.upstream, is_meant);
    let address = let_in.first()?.to_string();
    log(&EndpointCommand::Undrain(request), 0);
    Some(EndpointAnswer {
        upstream: request.upstream.clone(),
        address,
        endpoint: None,
        changed: true,
        warnings: Vec::new(),
    })
}

/// The endpoints that were taken out and that the snapshot does not have.
pub(super) fn absent(estate: &Estate, snapshot: &Snapshot) -> Vec<AbsentEndpoint> {
    let is_absent = |(name, address): &(Box<str>, Address)| {
        let mut upstreams = snapshot.upstreams();
        let upstream = upstreams.find(|upstream| upstream.name() == &**name);
        let members = upstream.into_iter().flat_map(|upstream| upstream.members());
        let mut addresses = members.map(|member| member.endpoint.address());
        !addresses.any(|known| known == address)
    };
    let drained = estate.endpoints.drained().into_iter().filter(is_absent);
    let absent = drained.map(|(upstream, address)| AbsentEndpoint {
        upstream: upstream.into(),
        address: address.to_string(),
    });
    absent.collect()
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

/// An endpoint of an upstream of the snapshot.
fn find<'s>(
    snapshot: &'s Snapshot,
    name: &str,
    address: &str,
) -> Result<(&'s Arc<Upstream>, &'s Member), String> {
    let upstream = upstream(snapshot.upstreams(), name)?;
    Ok((upstream, member(upstream, address)?))
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

/// An address as it is shown, whichever way it is written: the case of a name does not matter, nor
/// how zeros of an IPv6 address are left out.
fn as_shown(address: &str) -> String {
    Address::parse(address).map_or_else(|_| address.to_owned(), |address| address.to_string())
}

/// The endpoint with this address.
fn member<'s>(upstream: &'s Upstream, address: &str) -> Result<&'s Member, String> {
    let addresses = || {
        let members = upstream.members().iter();
        members.map(|member| member.endpoint.address().to_string())
    };
    let wanted = as_shown(address);
    let found = addresses().position(|known| known == wanted);
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
        let addresses = [
            "127.0.0.1:80",
            "app.internal:80",
            "unix:/run/App.sock",
            "[fd00::1]:80",
        ];
        let endpoints = addresses.map(|text| EndpointSpec::new(Address::parse(text).unwrap()));
        let spec = UpstreamSpec::new("app", endpoints.into());
        let registry = Registry::start("/dev/null".into()).unwrap();
        let built = registry.reconcile(&[spec]);
        let app = upstream(built.iter(), "app").unwrap();
        for (written, shown) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("APP.internal:80", "app.internal:80"),
            ("unix:/run/App.sock", "unix:/run/App.sock"),
            ("[FD00:0:0::0001]:80", "[fd00::1]:80"),
        ] {
            let found = member(app, written).unwrap().endpoint.address();
            assert_eq!(found.to_string(), shown);
        }
        for address in ["127.0.0.1:81", "unix:/run/app.sock", "127.0.0.1", ""] {
            assert_eq!(
                member(app, address).unwrap_err(),
                format!(
                    "the upstream `app` has no endpoint `{address}`; there are `127.0.0.1:80`, \
                     `app.internal:80`, `unix:/run/App.sock`, `[fd00::1]:80`"
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
