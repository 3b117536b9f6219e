//! Checks the zones of endpoints against that of the gateway.

use crate::diagnostic::Diagnostic;
use crate::document::Config;

/// Warns of zones that have no effect.
pub(crate) fn check(config: &Config, found: &mut Vec<Diagnostic>) {
    if config.server.zone.is_some() {
        return;
    }
    let upstreams = config.upstreams.values();
    let mut endpoints = upstreams.flat_map(|upstream| upstream.endpoints.iter());
    if let Some(zone) = endpoints.find_map(|endpoint| endpoint.zone.as_ref()) {
        found.push(
            Diagnostic::warning(
                zone.span,
                "endpoints have zones, but the gateway has none, so that none is preferred",
            )
            .help(format!(
                "write `zone = \"{}\"` in `[server]`, if the gateway runs there",
                zone.value
            )),
        );
    }
}
