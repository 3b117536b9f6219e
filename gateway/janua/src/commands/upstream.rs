//! `janua upstream`: the commands `list`, `drain`, `undrain` and `weight`.

mod wait;

use janua_admin::{
    AbsentEndpoint, EndpointAnswer, EndpointCommand, EndpointRequest, EndpointStatus, Health,
    SplitStatus, SplitWeightRequest, UpstreamStatus, WeightRequest,
};

use super::table::{Table, counted, number};
use super::{CommandResult, Output, printable, reach, status};
use crate::cli::{OneEndpoint, Reach, Weight};
use wait::{Wait, until};

pub(super) fn list(reach: &Reach) -> CommandResult {
    let client = reach::client(reach)?;
    let list = client.upstreams().map_err(Output::failure)?;
    let page = match list.splits.is_empty() {
        true => table(&list.upstreams, &list.absent),
        false => format!(
            "{}\n\n{}",
            table(&list.upstreams, &list.absent),
            splits(&list.splits)
        ),
    };
    Ok(Output::new(page.trim_end().to_owned(), &list))
}

/// Takes an endpoint out.
pub(super) fn drain(one: &OneEndpoint) -> CommandResult {
    let client = reach::client(&one.reach)?;
    let request = request(one);
    let answer = client.endpoint(&EndpointCommand::Drain(&request));
    let answer = answer.map_err(failure)?;
    match one.wait {
        true => until(Wait::Drained, &client, answer, one.timeout),
        false => Ok(said(drained(&answer), &answer)),
    }
}

/// Lets an endpoint in again.
pub(super) fn undrain(one: &OneEndpoint) -> CommandResult {
    let client = reach::client(&one.reach)?;
    let request = request(one);
    let answer = client.endpoint(&EndpointCommand::Undrain(&request));
    let answer = answer.map_err(failure)?;
    match one.wait {
        true => until(Wait::Up, &client, answer, one.timeout),
        false => Ok(said(undrained(&answer), &answer)),
    }
}

/// Gives an endpoint another weight, or an upstream in the split of a route.
pub(super) fn weight(one: &Weight) -> CommandResult {
    let client = reach::client(&one.reach)?;
    if let Some(route) = &one.route {
        let request = SplitWeightRequest {
            route: route.clone(),
            upstream: one.upstream.clone(),
            weight: one.weight,
        };
        let split = client.split_weight(&request).map_err(failure)?;
        let person = printable(splits(std::slice::from_ref(&split)).trim_end());
        return Ok(Output::new(person, &split));
    }
    let request = WeightRequest {
        upstream: one.upstream.clone(),
        endpoint: one.endpoint.clone().unwrap_or_default(),
        weight: one.weight,
    };
    let answer = client.endpoint(&EndpointCommand::Weight(&request));
    let answer = answer.map_err(failure)?;
    Ok(said(weighed(&answer), &answer))
}

fn request(one: &OneEndpoint) -> EndpointRequest {
    EndpointRequest {
        upstream: one.upstream.clone(),
        endpoint: one.endpoint.clone(),
    }
}

/// The gateway's message may contain text of the command line.
fn failure(error: impl ToString) -> Output {
    Output::failure(printable(&error.to_string()))
}

/// What was done, and the warnings about it.
fn said(done: String, answer: &EndpointAnswer) -> Output {
    let warnings = answer.warnings.iter();
    let warnings = warnings.map(|warning| format!("\nwarning: {warning}"));
    let person = done + &warnings.collect::<String>();
    Output::new(printable(&person), answer)
}

fn name(answer: &EndpointAnswer) -> String {
    format!("{}: {}", answer.upstream, answer.address)
}

fn drained(answer: &EndpointAnswer) -> String {
    let how = match answer.changed {
        true => "is taken out",
        false => "was taken out before",
    };
    let in_flight = answer.endpoint.as_ref().map_or(0, |it| it.in_flight);
    let in_flight = match in_flight {
        0 => "no request is in flight there".to_owned(),
        count => format!("{} in flight there", counted(count, "request")),
    };
    format!("{} {how}; {in_flight}", name(answer))
}

fn undrained(answer: &EndpointAnswer) -> String {
    let how = match answer.changed {
        true => "is let in again",
        false => "was not taken out",
    };
    let endpoint = answer.endpoint.as_ref();
    // A first check may have failed already.
    let check = endpoint.and_then(|endpoint| endpoint.check.as_ref());
    let is_waiting = endpoint.is_some_and(|endpoint| endpoint.health == Health::Waiting)
        || check.is_some_and(|check| check.state == "waiting");
    let when = match (endpoint, is_waiting) {
        (None, _) => ", and gets requests if it comes back: it is not there now",
        (Some(_), true) => ", and gets requests once a check has passed",
        (Some(_), false) => "",
    };
    format!("{} {how}{when}", name(answer))
}

fn weighed(answer: &EndpointAnswer) -> String {
    let weights = answer.endpoint.as_ref().map(|endpoint| {
        let configured = endpoint.configured_weight;
        (endpoint.weight, configured.unwrap_or(endpoint.weight))
    });
    let (weight, configured) = weights.unwrap_or_default();
    let (weight, configured) = (number(weight.into()), number(configured.into()));
    format!(
        "{} has the weight {weight} until the next reload; in the configuration it has {configured}",
        name(answer)
    )
}

/// A row for each endpoint, and for each that was taken out and is not there.
fn table(upstreams: &[UpstreamStatus], absent: &[AbsentEndpoint]) -> String {
    if upstreams.is_empty() && absent.is_empty() {
        return "there is no upstream".to_owned();
    }
    let mut table = Table::new([
        "upstream",
        "endpoint",
        "state",
        "weight",
        "in flight",
        "requests",
        "failures",
        "backup",
        "zone",
        "notes",
    ]);
    for upstream in upstreams {
        for endpoint in &upstream.endpoints {
            table.row([
                upstream.name.clone(),
                endpoint.address.clone(),
                status::state(endpoint),
                number(u64::from(endpoint.weight)),
                number(endpoint.in_flight),
                number(endpoint.requests),
                number(endpoint.fails),
                status::backup(endpoint),
                status::zone(endpoint),
                notes(endpoint),
            ]);
        }
    }
    for AbsentEndpoint { upstream, address } in absent {
        let none = || "-".to_owned();
        table.row([
            upstream.clone(),
            address.clone(),
            "absent".to_owned(),
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            "taken out; stays out if it comes back, until `janua upstream undrain`".to_owned(),
        ]);
    }
    table.render().trim_end().to_owned()
}

/// A row for each upstream of each split.
pub(super) fn splits(splits: &[SplitStatus]) -> String {
    let mut table = Table::new(["route", "upstream", "weight", "share", "notes"]);
    for split in splits {
        let weights = split.shares.iter().map(|share| u64::from(share.weight));
        let all: u64 = weights.sum();
        for share in &split.shares {
            let percent = (u64::from(share.weight) * 100).checked_div(all);
            let notes = share.configured_weight.map(|configured| {
                let configured = number(u64::from(configured));
                format!("weight {configured} in the configuration")
            });
            table.row([
                split.route.clone(),
                share.upstream.clone(),
                number(u64::from(share.weight)),
                percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent} %")),
                notes.unwrap_or_default(),
            ]);
        }
    }
    table.render()
}

/// What else there is to say about an endpoint.
fn notes(endpoint: &EndpointStatus) -> String {
    let weight = endpoint.configured_weight.map(|configured| {
        let configured = number(u64::from(configured));
        format!("weight {configured} in the configuration")
    });
    let trouble = status::trouble(endpoint, status::now());
    let notes: Vec<String> = weight.into_iter().chain(trouble).collect();
    notes.join("; ")
}

#[cfg(test)]
mod tests;
