//! Checks that calls of gRPC-Web are translated only for upstreams that may take them: gRPC needs
//! HTTP/2.

use crate::diagnostic::Diagnostic;
use crate::document::Config;
use crate::upstream::UpstreamHttp;

/// Finds routes with `grpc_web` whose upstream speaks HTTP/1.1. Those that have another target are
/// refused by [`crate::ignored`].
pub(crate) fn check(config: &Config, found: &mut Vec<Diagnostic>) {
    let routes = config.sites.iter().flat_map(|site| site.routes.iter());
    for route in routes.filter(|route| route.grpc_web.value) {
        for name in route.target.upstreams() {
            // A name that nothing has is reported by `names::check`.
            let Some(upstream) = config.upstreams.get(name.as_str()) else {
                continue;
            };
            if upstream.http.value != UpstreamHttp::Http11 {
                continue;
            }
            found.push(
                Diagnostic::error(
                    route.grpc_web.span,
                    format!("gRPC needs HTTP/2, and the upstream `{name}` speaks HTTP/1.1"),
                )
                .note(upstream.http.span, "the upstream")
                .help("give the upstream `http = \"2\"`"),
            );
        }
    }
}
