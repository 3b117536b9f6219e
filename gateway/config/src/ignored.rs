//! Refuses fields that the target of a route would ignore: every setting must
//! either have an effect or cause an error.

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::route::Route;
use crate::span::Span;

/// Refuses fields that apply only to an upstream if the route has none.
/// `cache = false`, `missing = false` and `grpc_web = false` are allowed, because
/// they state what is the case.
pub(crate) fn check(route: &Route, decoder: &mut Decoder<'_>) {
    if route.target.is_upstream() {
        return;
    }
    let target = route.target.name();
    let is_files = target == "files";
    let strip_prefix = route.strip_prefix.as_ref().map(|it| it.span);
    let cache = route.cache.filter(|it| it.value).map(|it| it.span);
    let missing = Some(route.missing.span).filter(|_| route.missing.value);
    let grpc_web = Some(route.grpc_web.span).filter(|_| route.grpc_web.value);
    // The position of a default is its table.
    let host = Some(route.host.span).filter(|span| *span != route.span);
    let retries = route.retries.as_ref().map(|it| it.span);
    let mirror = route.mirror.as_ref().and_then(|it| it.first());
    let mirror = mirror.map(|it| it.span);
    let hedge = route.hedge.as_ref().map(|it| it.span);
    let hold = route.hold.as_ref().map(|it| it.span);
    let rewrite = route.rewrite.as_ref().map(|it| it.span);
    let request_headers = (!route.request_headers.is_empty()).then_some(route.request_headers.span);
    let timeout = route.upstream_timeout.as_ref().map(|it| it.span);
    let fields: [(&str, Option<Span>, &str); 12] = [
        (
            "strip_prefix",
            strip_prefix,
            match target {
                "files" => "leave it out; `alias` in place of `root` takes the route's path off",
                "redirect" => {
                    "leave it out, and write the new path in `to`: `{path}` is the whole path of \
                     the request"
                }
                _ => "leave it out",
            },
        ),
        ("host", host, "leave it out"),
        (
            "rewrite",
            rewrite,
            match target {
                "redirect" => "leave it out, and write `host`, `path` or `prefix` of `redirect`",
                _ => "leave it out",
            },
        ),
        (
            "request_headers",
            request_headers,
            "leave it out: nobody else gets the request",
        ),
        ("upstream_timeout", timeout, "leave it out"),
        ("retries", retries, "leave it out"),
        ("hedge", hedge, "leave it out"),
        ("hold", hold, "leave it out"),
        (
            "mirror",
            mirror,
            "leave it out: only what is sent to an upstream is copied",
        ),
        (
            "cache",
            cache,
            "leave it out: only the responses of upstreams are stored",
        ),
        (
            "missing",
            missing,
            match is_files {
                true => "leave it out: a file that is not there always asks the policies",
                false => "leave it out",
            },
        ),
        (
            "grpc_web",
            grpc_web,
            "leave it out: only an upstream takes calls",
        ),
    ];
    for (name, span, help) in fields {
        if let Some(span) = span {
            decoder.push(
                Diagnostic::error(
                    span,
                    format!("`{name}` is for routes with `upstream`; this one has `{target}`"),
                )
                .help(help),
            );
        }
    }
}
