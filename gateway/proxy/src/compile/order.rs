//! The order in which sites and routes are tried, for whoever shows it.

use janua_config::Config;
use janua_router::{host_order, route_order, shadowed};

use super::listeners::{host_pattern, site_spec};

/// A site, in the order of precedence of its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedSite {
    /// The index of the site in the configuration.
    pub site: usize,
    /// The indices of its hosts, the most specific first.
    pub hosts: Vec<usize>,
    /// Its routes, in the order in which they are tried.
    pub routes: Vec<OrderedRoute>,
}

/// A route in the order in which it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderedRoute {
    /// The index of the route in its site.
    pub route: usize,
    /// The index of the route that takes all of its requests.
    pub shadowed_by: Option<usize>,
}

/// The sites in the order of their most specific hosts, and each with its routes in the order in
/// which they are tried. Sites and routes of the same rank stay in the order of the file.
pub fn routing_order(config: &Config) -> Vec<OrderedSite> {
    let mut sites: Vec<_> = (config.sites.iter().enumerate())
        .map(|(place, site)| {
            let mut hosts: Vec<_> = (site.hosts.iter())
                .map(|host| host_pattern(host))
                .enumerate()
                .collect();
            hosts.sort_by(|(_, a), (_, b)| host_order(a, b));
            let first = hosts.first().map(|(_, host)| host.clone());
            let routes = site_spec(site).routes;
            let shadowed = shadowed(&routes);
            let by = |route| shadowed.iter().find(|found| found.route == route);
            let routes = route_order(&routes).into_iter().map(|route| OrderedRoute {
                route,
                shadowed_by: by(route).map(|found| found.by),
            });
            let site = OrderedSite {
                site: place,
                hosts: hosts.into_iter().map(|(place, _)| place).collect(),
                routes: routes.collect(),
            };
            (first, site)
        })
        .collect();
    sites.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) => host_order(a, b),
        // The file model refuses a site without a host.
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    sites.into_iter().map(|(_, site)| site).collect()
}
