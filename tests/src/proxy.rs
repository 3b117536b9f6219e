//! The configuration that most tests need.

use std::fmt;

/// A configuration that passes everything on: a listener `public` on a free
/// port, an upstream `app`, a site `*`, one route. Further lines go into each
/// of the tables.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    endpoints: Vec<String>,
    listener: String,
    upstream: String,
    site: String,
    route: String,
}

impl Proxy {
    /// To an endpoint: an address, or a table with one.
    #[must_use]
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self::default().and(endpoint)
    }

    /// To another endpoint too.
    #[must_use]
    pub fn and(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// With these lines in the listener.
    #[must_use]
    pub fn listener(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.listener);
        self
    }

    /// With these lines in the upstream.
    #[must_use]
    pub fn upstream(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.upstream);
        self
    }

    /// With these lines in the site.
    #[must_use]
    pub fn site(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.site);
        self
    }

    /// With these lines in the route.
    #[must_use]
    pub fn route(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.route);
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

[[sites]]
hosts = ["*"]
{site}

[[sites.routes]]
upstream = "app"
{route}
"#
        )
    }
}
