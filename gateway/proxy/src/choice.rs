//! Chooses the upstream of a request: that of its route, one of several among which the route
//! divides its requests, or the one that a policy has chosen.
//!
//! The choice is made after the policies of the request phase, so that it may depend on what they
//! have put into the head, and once: whatever is asked of the target later goes to the same
//! upstream.

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_upstream::split::NoWeight;
use janua_wasm::Facts as _;

use crate::exchange::{Exchange, Matched};
use crate::snapshot::{Chosen, Split, Target, To};

/// The upstream of the request, and how the request is sent to it.
///
/// # Errors
/// No upstream of the route has a weight.
pub(crate) fn choose<'m>(exchange: &mut Exchange, matched: &'m Matched) -> Result<&'m To, Failure> {
    let route = matched.route();
    let chosen = match (exchange.chosen, &route.target) {
        (Some(chosen), _) => chosen,
        (None, Target::Split(split)) => Chosen::Member(draw(exchange, split)?),
        (None, _) => Chosen::Member(0),
    };
    let to = route.to(chosen).ok_or(Kind::Internal)?;
    // After the phase `missing` the same upstream is asked again.
    if let Some(stats) = to.stats.as_ref().filter(|_| !exchange.was_missing) {
        stats.count(exchange.worker.index);
    }
    exchange.chosen = Some(chosen);
    Ok(to)
}

fn draw(exchange: &Exchange, split: &Split) -> Result<usize, Failure> {
    let mut key = Vec::new();
    if let Some(by) = &split.by {
        exchange.view(None).input(&by.input, &mut key);
    }
    // An empty value is none: it does not tell one user from another.
    let member = match key.is_empty() {
        false => split.weights.by_key(&key),
        true => split.weights.by_chance(exchange.worker.random_u64()),
    };
    member.map_err(|NoWeight| Kind::NoWeight.into())
}
