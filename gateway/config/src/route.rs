//! `[[sites.routes]]`: conditions on requests, and how matching requests are
//! handled.

use std::time::Duration;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::files::FilesRoot;
use crate::header::{HeaderMatches, Method};
use crate::header_edits::HeaderEdits;
use crate::ignored;
use crate::list::OneOrMany;
use crate::macros::{table, words};
use crate::mirror::Mirror;
use crate::names::PolicyName;
use crate::path::{PathPattern, normal};
use crate::policy::PolicyUse;
use crate::query::QueryMatches;
use crate::retries::{Hedge, Retries};
use crate::rewrite::{self, Rewrite};
use crate::sent_host::is_host;
use crate::span::Spanned;
use crate::switch::OrFalse;
use crate::target::Target;
use crate::units::Size;

table! {
    /// Conditions on requests, and how matching requests are handled.
    pub struct Route("a route (`[[sites.routes]]`)") {
        /// Which paths match. `"/api"`: `/api` and all paths below; `"/api/"`:
        /// all paths below; or a table with one of `exact`, `prefix` (which also
        /// matches `/apifoo`), `segment`, `suffix` or `regex`.
        path: Option<Spanned<PathPattern>> = optional("all paths");
        /// Whether a route for `/api/` also matches the bare path `/api`.
        /// `"ignore"`: no; `"redirect"`: it is answered with 301 to `/api/`,
        /// keeping the query, unless another route matches `/api`.
        bare: Spanned<Bare> = default("\"ignore\"");
        /// Which methods match. An empty list: all of them.
        methods: Vec<Spanned<Method>> = default("[]");
        /// Conditions on header fields of the request: `{ x-canary = "1" }`,
        /// `{ x-canary = { present = true } }`, `{ x-canary = { absent = true } }` or
        /// `{ x-canary = { regex = "^[0-9]+$" } }`.
        headers: HeaderMatches = default("{}");
        /// Conditions on parameters of the query, written as those on header fields:
        /// `{ v = "2" }`. Names and values are compared decoded, and of several parameters
        /// with one name the first counts.
        query: QueryMatches = default("{}");
        /// A label for logs and metrics.
        name: Option<Spanned<String>> = optional("the path as it is written");
        /// The policies of the route, after those of the site.
        policies: Vec<PolicyUse> = default("[]");
        /// Policies of the site that are not used on this route.
        without: Vec<Spanned<PolicyName>> = default("[]");
        /// How requests are handled: one of these fields.
        target: Target = flatten;
        /// A prefix that is removed from the path before the request is sent to
        /// the upstream.
        strip_prefix: Option<Spanned<String>> = optional("nothing");
        /// The `Host` that the upstream gets: the client's (`"preserve"`), the
        /// endpoint's (`"upstream"`), or this value.
        host: Spanned<UpstreamHost> = default("\"preserve\"");
        /// Upstreams that get copies of the requests. The client waits for none of them, and
        /// requests that switch to another protocol are not copied.
        mirror: Option<OneOrMany<Mirror>> = optional("none");
        /// Another host or path for the upstream: `{ prefix = "/v2" }`.
        rewrite: Option<Rewrite> = optional("as `strip_prefix` and `host` say");
        /// Edits of the header fields that the upstream gets, after those of policies.
        request_headers: HeaderEdits = default("{}");
        /// Edits of the header fields that clients get, after those of policies, whatever the
        /// response comes from.
        response_headers: HeaderEdits = default("{}");
        /// The time limit of a whole request. `0s`: no limit.
        request_timeout: Option<Duration> = optional("as the site says");
        /// The time limit of each attempt at an endpoint, from when the request is being sent
        /// until the whole response is there. If it passes before the head of the response, the
        /// answer is 504. `0s`: no limit. It does not apply once a connection is upgraded.
        upstream_timeout: Option<Spanned<Duration>> = optional("no limit");
        /// The longest time between two reads or writes of a body, or of an
        /// upgraded connection. `0s`: no limit. WebSockets and event streams need
        /// a long one.
        idle_timeout: Option<Duration> = optional("as the upstream says");
        /// The maximum size of a request body; a larger one is answered with 413.
        /// 0: no limit.
        max_body: Option<Size> = optional("as the site says");
        /// How a request is repeated. What it leaves out is as the upstream says.
        retries: Option<Retries> = optional("as the upstream says");
        /// When a request is sent to a second endpoint, in place of the upstream's
        /// `hedge`.
        hedge: Option<Spanned<OrFalse<Hedge>>> = optional("as the upstream says");
        /// How long a request waits while no endpoint can be reached, in place of
        /// the upstream's `hold`. `0s`: not at all.
        hold: Option<Spanned<Duration>> = optional("as the upstream says");
        /// Whether responses of the upstream are stored in the shared cache, as
        /// far as RFC 9111 allows.
        cache: Option<Spanned<bool>> = optional("as the site says");
        /// Whether responses are compressed, with the settings in
        /// `[compression]`.
        compress: Option<bool> = optional("as the site says");
        /// Whether after a 404 of the upstream the policies of the phase
        /// `missing` choose what to serve instead. For a missing file they always
        /// do.
        missing: Spanned<bool> = default("false");
        /// Whether calls of gRPC-Web are translated to gRPC. The upstream needs
        /// `http = "2"` or `http = "auto"`.
        grpc_web: Spanned<bool> = default("false");
        /// Whether requests are written to the access log.
        access_log: bool = default("true");
    }
    called "route" by label
    refused {
        "query_params": "write `query = { v = \"2\" }`",
        "queries": "write `query = { v = \"2\" }`",
        "timeout": "write `request_timeout` for a whole request, or `upstream_timeout` for each attempt",
        "backend_timeout": "write `upstream_timeout`",
        "add_headers": "write `request_headers` or `response_headers`",
    }
    check whole
}

fn whole(route: &Route, decoder: &mut Decoder<'_>) {
    bare(route, decoder);
    strip(route, decoder);
    rewrite::check(route, decoder);
    redirect(route, decoder);
    route.request_headers.check_request(decoder);
    alias(route, decoder);
    ignored::check(route, decoder);
}

/// A bare path exists only for a path that ends in a slash.
fn bare(route: &Route, decoder: &mut Decoder<'_>) {
    if route.bare.value == Bare::Ignore || route.bare_path().is_some() {
        return;
    }
    let fault = Diagnostic::error(
        route.bare.span,
        "`bare = \"redirect\"` needs a prefix that ends with `/` and is not the root",
    )
    .help("write a path such as `path = \"/api/\"`: `/api` is then sent to `/api/`");
    decoder.push(match &route.path {
        Some(path) => fault.note(path.span, "the paths of this route"),
        None => fault,
    });
}

/// `prefix` of a redirect takes the place of the route's own path.
fn redirect(route: &Route, decoder: &mut Decoder<'_>) {
    if let Target::Redirect(redirect) = &route.target
        && let Some(prefix) = &redirect.prefix
    {
        rewrite::check_prefix(prefix, route, decoder);
    }
}

/// `alias` removes the route's path from the request's path, so the route must
/// match by a fixed prefix.
fn alias(route: &Route, decoder: &mut Decoder<'_>) {
    let Target::Files(files) = &route.target else {
        return;
    };
    let FilesRoot::Alias(directory) = &files.root else {
        return;
    };
    let fault = || {
        Diagnostic::error(
            directory.span,
            "`alias` takes the route's path off, and this route has none that begins its paths",
        )
        .help("write `root`, or a path such as `path = \"/static/\"`")
    };
    match &route.path {
        None => decoder.push(fault()),
        Some(path) => match path.value {
            PathPattern::Prefix(_) | PathPattern::Segment(_) => {}
            PathPattern::Exact(_) | PathPattern::Suffix(_) | PathPattern::Regex(_) => {
                decoder.push(fault().note(path.span, "the paths of this route"));
            }
        },
    }
}

/// Checks the value of `strip_prefix`.
fn strip(route: &Route, decoder: &mut Decoder<'_>) {
    let Some(strip) = &route.strip_prefix else {
        return;
    };
    if check_prefix(strip, decoder)
        && let Some(path) = &route.path
        && let PathPattern::Exact(text) | PathPattern::Prefix(text) | PathPattern::Segment(text) =
            &path.value
        && !is_below(text.trim_end_matches('/'), strip)
        && !is_below(strip, text.trim_end_matches('/'))
    {
        decoder.push(
            Diagnostic::error(
                strip.span,
                format!("no path of this route begins with `{}`", strip.value),
            )
            .note(path.span, "the paths of this route"),
        );
    }
}

/// Checks the form of a prefix that is removed, and returns whether it is right.
pub(crate) fn check_prefix(prefix: &Spanned<String>, decoder: &mut Decoder<'_>) -> bool {
    let is_right = prefix.starts_with('/') && !prefix.ends_with('/');
    if !is_right {
        decoder.push(
            Diagnostic::error(
                prefix.span,
                "`strip_prefix` begins with `/`, and does not end with it",
            )
            .help(match prefix.trim_matches('/') {
                "" => "leave it out: nothing would be removed".to_owned(),
                segments => format!("write \"/{segments}\""),
            }),
        );
        return false;
    }
    let normal = normal(prefix);
    if normal.as_ref() == Some(&prefix.value) {
        return true;
    }
    let message = "`strip_prefix` is not in the normal form of a path, and would never be there";
    decoder.push(Diagnostic::error(prefix.span, message).help(match normal {
        Some(normal) => format!("write \"{normal}\""),
        None => "write `%25` for a `%`".to_owned(),
    }));
    false
}

/// Whether `path` is `top`, or below it by whole segments.
fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Route {
    /// The path that is redirected to the route's own path with 301: `/api` to
    /// `/api/`. None if the route has no redirect or no such path.
    pub fn bare_path(&self) -> Option<&str> {
        match self.path.as_deref()? {
            PathPattern::Prefix(path) if self.bare.value == Bare::Redirect => {
                path.strip_suffix('/').filter(|bare| !bare.is_empty())
            }
            _ => None,
        }
    }

    /// The label of the route in logs and metrics.
    pub fn label(&self) -> String {
        match (&self.name, &self.path) {
            (Some(name), _) => name.value.clone(),
            (None, Some(path)) => path.to_string(),
            (None, None) => "/".to_owned(),
        }
    }
}

words! {
    /// How a path without the final slash of the route's path is handled.
    pub enum Bare {
        /// The route does not match it.
        Ignore = "ignore",
        /// It is answered with 301 to the path with the slash.
        Redirect = "redirect",
    }
}

/// The `Host` that an upstream gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamHost {
    /// The one that the client sent.
    Preserve,
    /// The address of the endpoint.
    Upstream,
    /// This value.
    Literal(String),
}

impl Decode for UpstreamHost {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match decoder.text(node, &Self::kind())? {
            "preserve" => Some(Self::Preserve),
            "upstream" => Some(Self::Upstream),
            host => {
                if is_host(host) {
                    return Some(Self::Literal(host.to_owned()));
                }
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(span, format!("`{host}` cannot be sent as a `Host`"))
                        .help("write \"preserve\", \"upstream\" or a name: \"app.example.com\""),
                )
            }
        }
    }

    fn kind() -> String {
        "\"preserve\" or \"upstream\" or a host".to_owned()
    }
}
