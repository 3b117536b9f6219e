//! The configuration that most tests use.

use std::fmt;

/// A configuration that forwards everything: a listener `public` on a free
/// port, an upstream `app`, a site `*`, and one route. Further lines can be
/// added to each table.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    endpoints: Vec<String>,
    listener: String,
    upstream: String,
    site: String,
    route: String,
    also: String,
    beside: String,
}

impl Proxy {
    /// Forwards to an endpoint, given as an address or a table.
    #[must_use]
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self::default().and(endpoint)
    }

    /// Adds another endpoint.
    #[must_use]
    pub fn and(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Adds these lines to the listener.
    #[must_use]
    pub fn listener(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.listener);
        self
    }

    /// Adds these lines to the upstream.
    #[must_use]
    pub fn upstream(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.upstream);
        self
    }

    /// Adds these lines to the site.
    #[must_use]
    pub fn site(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.site);
        self
    }

    /// Adds these lines to the route.
    #[must_use]
    pub fn route(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.route);
        self
    }

    /// Adds another route to the site. Its target is the same upstream, unless
    /// its lines name another target.
    #[must_use]
    pub fn also(mut self, path: &str, lines: &str) -> Self {
        let targets = ["upstream", "files", "respond", "redirect"];
        let has_target = lines
            .lines()
            .filter_map(|line| line.split([' ', '=', '.']).next())
            .any(|field| targets.contains(&field));
        let target = if has_target {
            ""
        } else {
            "upstream = \"app\"\n"
        };
        self.also += &format!("\n[[sites.routes]]\npath = \"{path}\"\n{target}{lines}\n");
        self
    }

    /// Adds another upstream with one endpoint.
    #[must_use]
    pub fn beside(mut self, name: &str, endpoint: &str) -> Self {
        self.beside += &format!("\n[upstreams.{name}]\nendpoints = [\"{endpoint}\"]\n");
        self
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoints,
            listener,
            upstream,
            site,
            route,
            also,
            beside,
        } = self;
        let quoted = endpoints.iter().map(|endpoint| {
            if endpoint.starts_with('{') {
                endpoint.clone()
            } else {
                format!("\"{endpoint}\"")
            }
        });
        let endpoints = quoted.collect::<Vec<_>>().join(", ");
        write!(
            formatter,
            r#"
[listeners.public]
address = "127.0.0.1:0"
{listener}

[upstreams.app]
endpoints = [{endpoints}]
{upstream}
{beside}
[[sites]]
hosts = ["*"]
{site}

[[sites.routes]]
upstream = "app"
{route}
{also}"#
        )
    }
}
