//! `[[sites]]`: hosts and their routes.

use std::fmt;
use std::time::Duration;

use crate::certificate::Certificate;
use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::list::NonEmpty;
use crate::macros::{table, words};
use crate::names::{ListenerName, PolicyName};
use crate::policy::PolicyUse;
use crate::redirect_http::{RedirectHost, RedirectHttp};
use crate::route::Route;
use crate::site_tls::SiteTls;
use crate::span::Spanned;
use crate::switch::Switch;
use crate::units::Size;

table! {
    /// Hosts that have the same routes.
    pub struct Site("a site") {
        /// The hosts: `"a.example"`, `"*.b.example"` for all names below it, `"*"` for every
        /// host that no other site has.
        hosts: NonEmpty<Spanned<HostPattern>> = required;
        /// A label for logs and metrics.
        name: Option<Spanned<String>> = optional("the first host");
        /// The listeners on which the site is served.
        listeners: Option<NonEmpty<Spanned<ListenerName>>> = optional("all");
        /// The certificate that the site proves its name with on listeners with `tls`:
        /// `"auto"` for one that is ordered for all hosts from the authority in `[acme]` and
        /// renewed in time, or a table for another authority; files, or a list of them for
        /// keys of different types; or `"self-signed"` for development. Without one it is not
        /// served there.
        certificate: Option<Spanned<Certificate>> = optional("none");
        /// TLS as the site speaks it.
        tls: SiteTls = default("{}");
        /// Whether requests over `http` are redirected to `https`: with this status to the
        /// same host, `true` for 308, or a table. Path and query are kept. The scheme is the
        /// one that the client used, as stated by `trusted_proxies`. `false`: the site is
        /// served in clear text where a listener has no `tls`.
        redirect_http: Switch<RedirectHttp> = default("false");
        /// The policies of all routes, in order; those of the route follow.
        policies: Vec<PolicyUse> = default("[]");
        /// Whether `%2F` in a path is kept as it is, or the request is refused with 400.
        encoded_slash: EncodedSlash = default("\"keep\"");
        /// Whether a request is refused with 400 if its path hides `.` or `..` beside `%2F`,
        /// `%5C`, `\` or `;`, as `/a/..%2Fadmin` and `/a/..;/admin` do. Some upstreams leave
        /// `/a` there, and so the route whose policies were asked. `"keep"` passes such a path
        /// on, for upstreams that take each segment literally.
        hidden_dots: HiddenDots = default("\"refuse\"");
        /// The maximum size of a request body; a larger one is answered with 413. 0: no
        /// limit. Routes may override it.
        max_body: Size = default("\"1MiB\"");
        /// The time limit of a whole request. `0s`: no limit. Routes may override it.
        request_timeout: Duration = default("\"0s\"");
        /// Whether responses of upstreams are stored in the shared cache, as far as RFC 9111
        /// allows. Routes may override it.
        cache: bool = default("false");
        /// Whether responses are compressed, with the settings in `[compression]`. Routes
        /// may override it.
        compress: bool = default("false");
        /// Which requests are handled how.
        routes: NonEmpty<Route> = required;
    }
    called "site" by label
    check first_host
}

/// A redirect to the first host needs one that is a single name.
fn first_host(site: &Site, decoder: &mut Decoder<'_>) {
    let (Some(redirect), Some(first)) = (site.redirect_http.on(), site.hosts.first()) else {
        return;
    };
    let is_name = matches!(first.value, HostPattern::Exact(_));
    if redirect.to.value == RedirectHost::First && !is_name {
        decoder.push(
            Diagnostic::error(
                redirect.to.span,
                format!("the first host of the site is `{first}`, which is not a single name"),
            )
            .note(first.span, "the first host")
            .help("put the name first in `hosts`, or write `to = \"host\"`"),
        );
    }
}

impl Site {
    /// The label of the site in logs and metrics.
    pub fn label(&self) -> String {
        match (&self.name, self.hosts.first()) {
            (Some(name), _) => name.value.clone(),
            (None, Some(host)) => host.to_string(),
            (None, None) => String::new(),
        }
    }

    /// The body limit of a route in bytes; `None` means no limit.
    pub fn max_body(&self, route: &Route) -> Option<u64> {
        let limit = route.max_body.unwrap_or(self.max_body).bytes();
        (limit > 0).then_some(limit)
    }

    /// The time limit of a whole request; `None` means no limit.
    pub fn request_timeout(&self, route: &Route) -> Option<Duration> {
        let limit = route.request_timeout.unwrap_or(self.request_timeout);
        (!limit.is_zero()).then_some(limit)
    }

    /// Whether a route uses the shared cache; only possible if its target is an upstream.
    pub fn cache(&self, route: &Route) -> bool {
        route.target.is_upstream() && route.cache.map_or(self.cache, |it| it.value)
    }

    /// Whether the responses of a route are compressed.
    pub fn compress(&self, route: &Route) -> bool {
        route.compress.unwrap_or(self.compress)
    }

    /// Whether the site is served on the listener with this name.
    pub fn is_served_on(&self, listener: &str) -> bool {
        let names = self.listeners.as_ref();
        names.is_none_or(|names| names.iter().any(|name| name.as_str() == listener))
    }

    /// Whether there is a listener on which both sites are served.
    pub(crate) fn shares_listener(&self, other: &Self) -> bool {
        match (&self.listeners, &other.listeners) {
            (Some(mine), Some(others)) => mine.iter().any(|name| others.contains(name)),
            _ => true,
        }
    }

    /// The policies of a route, in the order of the request phase: those of the site except
    /// the ones in `without`, then those of the route.
    pub fn policies<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = &'a PolicyUse> {
        let kept = move |used: &&PolicyUse| !route.without.contains(&used.name);
        self.policies.iter().filter(kept).chain(&route.policies)
    }
}

words! {
    /// How a path that contains `%2F` is handled.
    pub enum EncodedSlash {
        /// It is passed on as `%2F`, which does not separate segments.
        Keep = "keep",
        /// The request is answered with 400.
        Refuse = "refuse",
    }
}

words! {
    /// How a path with a hidden dot segment is handled.
    pub enum HiddenDots {
        /// The request is answered with 400.
        Refuse = "refuse",
        /// It is passed on.
        Keep = "keep",
    }
}

/// The hosts that a site serves, in lower case, without port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// One host.
    Exact(String),
    /// All names below this one: `*.b.example` is stored as `b.example`.
    Below(String),
    /// Every host that no other site has.
    Any,
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Below(host) => write!(f, "*.{host}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl Decode for HostPattern {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        host(text).map_or_else(
            |help| {
                decoder
                    .refuse(Diagnostic::error(span, format!("`{text}` is not a host")).help(help))
            },
            Some,
        )
    }

    fn kind() -> String {
        "a host such as \"www.example.com\"".to_owned()
    }
}

/// Parses a host, or returns advice on what to write instead.
fn host(text: &str) -> Result<HostPattern, String> {
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    let (below, name) = match text.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, text),
    };
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        return Err(format!("write the name alone: \"{host}\""));
    }
    if name.starts_with('.') {
        return Err(format!("for all names below write \"*{name}\""));
    }
    if name.contains('*') {
        return Err("`*` stands alone, or before the first dot: \"*.example.com\"".to_owned());
    }
    if let Some((host, port)) = name.rsplit_once(':')
        && !name.ends_with(']')
        && port.parse::<u16>().is_ok()
    {
        return Err(format!(
            "a host has no port here, the listener has it: write \"{host}\""
        ));
    }
    if !name.is_ascii() {
        return Err("write the name as it is sent: in Punycode, \"xn--…\"".to_owned());
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_name = name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
    let is_ipv6 = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    match (below, is_name, is_ipv6) {
        (true, true, _) => Ok(HostPattern::Below(name)),
        (false, true, _) | (false, _, true) => Ok(HostPattern::Exact(name)),
        _ => Err("write a name: \"www.example.com\", \"*.example.com\" or \"*\"".to_owned()),
    }
}

/// The names in `without` that have no effect because the site does not use them.
pub(crate) fn without_effect(site: &Site) -> impl Iterator<Item = &Spanned<PolicyName>> {
    let used = |name: &PolicyName| site.policies.iter().any(|used| used.name.value == *name);
    site.routes
        .iter()
        .flat_map(|route| &route.without)
        .filter(move |name| !used(name))
}
