//! The order of precedence of hosts and of routes, for whoever shows it. Requests
//! are routed by tables that are made for the search.

use std::cmp::{Ordering, Reverse};

use crate::spec::{HostPattern, PathPattern, RouteSpec};

/// Compares two patterns of hosts: the one that is asked first is less.
pub fn host_order(a: &HostPattern, b: &HostPattern) -> Ordering {
    let rank = |host: &HostPattern| match host {
        HostPattern::Exact(_) => (0, Reverse(0)),
        HostPattern::Wildcard(name) => (1, Reverse(name.len())),
        HostPattern::Default => (2, Reverse(0)),
    };
    rank(a).cmp(&rank(b))
}

/// The routes of a site in the order in which they are tried, by their index in
/// the file. Of a request, those whose paths do not match are passed over.
pub fn route_order(routes: &[RouteSpec]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..routes.len()).collect();
    // The sort is stable: what is equal stays in the order of the file.
    order.sort_by_key(|&route| routes.get(route).map(rank));
    order
}

/// The kind of the path, its length if it is a prefix, and which of the prefixes
/// of one length it is.
fn rank(route: &RouteSpec) -> (u8, Reverse<usize>, u8) {
    match &route.path {
        PathPattern::Exact(_) => (0, Reverse(0), 0),
        PathPattern::Regex(_) | PathPattern::Suffix(_) => (1, Reverse(0), 0),
        PathPattern::Segment(path) if !path.ends_with('/') => (2, Reverse(path.len()), 0),
        PathPattern::Segment(path) | PathPattern::Prefix(path) => (2, Reverse(path.len()), 1),
        PathPattern::Any => (3, Reverse(0), 0),
    }
}
