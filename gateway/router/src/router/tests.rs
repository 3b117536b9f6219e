use std::borrow::Cow;

use proptest::prelude::*;

use super::{Match, Request, Router};
use crate::explain::Reason;
use crate::order::{host_order, route_order};
use crate::shadow::shadowed;
use crate::spec::{
    HeaderPattern, HostPattern, PathPattern, QueryPattern, RouteSpec, SiteSpec, ValuePattern,
};

/// A request as the tests write it: method, host, path and header lines.
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    host: String,
    path: String,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

impl Request for Asked {
    fn host(&self) -> &str {
        &self.host
    }
    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let found = self.headers.iter().find(|(n, _)| n == name)?;
        Some(Cow::Borrowed(found.1.as_bytes()))
    }
    fn query_parameter(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let found = self.query.iter().find(|(n, _)| n == name)?;
        Some(Cow::Borrowed(found.1.as_bytes()))
    }
}

fn ask(method: &str, host: &str, path: &str) -> Asked {
    Asked {
        method: method.to_owned(),
        host: host.to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        query: Vec::new(),
    }
}

fn path(text: &str) -> PathPattern {
    let (kind, rest) = text.split_at(1);
    let rest = rest.to_owned();
    match kind {
        "=" => PathPattern::Exact(rest),
        "^" => PathPattern::Prefix(rest),
        "/" => PathPattern::Segment(text.to_owned()),
        "*" => PathPattern::Any,
        "~" => PathPattern::Regex(rest),
        "$" => PathPattern::Suffix(rest.split(' ').map(str::to_owned).collect()),
        other => panic!("no such kind of path: {other}"),
    }
}

/// `GET,POST /path`, or `/path` for all methods; `/path/!` takes `/path` too.
pub(crate) fn route(text: &str) -> RouteSpec {
    let (methods, text) = match text.split_once(' ') {
        Some((methods, path)) if methods.starts_with(char::is_uppercase) => {
            (methods.split(',').map(str::to_owned).collect(), path)
        }
        _ => (Vec::new(), text),
    };
    let bare = text.strip_suffix('!');
    RouteSpec {
        path: path(bare.unwrap_or(text)),
        bare: bare.is_some(),
        methods,
        headers: Vec::new(),
        query: Vec::new(),
    }
}

fn site(hosts: &[&str], routes: &[&str]) -> SiteSpec {
    let host = |text: &&str| match (*text, text.strip_prefix("*.")) {
        ("*", _) => HostPattern::Default,
        (_, Some(rest)) => HostPattern::Wildcard(rest.to_owned()),
        (text, None) => HostPattern::Exact(text.to_owned()),
    };
    SiteSpec {
        hosts: hosts.iter().map(host).collect(),
        routes: routes.iter().map(|text| route(text)).collect(),
    }
}

fn chosen(routes: &[&str], method: &str, target: &str) -> Match {
    let router = Router::new(&[site(&["*"], routes)]).unwrap();
    router.route(&ask(method, "", target))
}

#[test]
fn the_most_specific_host_wins() {
    let router = Router::new(&[
        site(&["example.com", "www.example.com"], &["*"]),
        site(&["*.example.com"], &["*"]),
        site(&["*.qa.example.com", "[::1]"], &["*"]),
        site(&["*"], &["*"]),
        site(&["empty.org"], &[]),
    ])
    .unwrap();
    let cases = [
        ("example.com", 0),
        ("www.example.com", 0),
        ("a.example.com", 1),
        ("a.b.example.com", 1),
        ("qa.example.com", 1),
        ("a.qa.example.com", 2),
        ("a.b.qa.example.com", 2),
        ("[::1]", 2),
        (".example.com", 3),
        ("aexample.com", 3),
        ("example.com.evil.org", 3),
        ("é.example.org", 3),
        ("", 3),
    ];
    for (host, site) in cases {
        let expected = Match::Route { site, route: 0 };
        assert_eq!(router.route(&ask("GET", host, "/")), expected, "{host}");
    }
    // A site without a matching route does not fall back to the default site.
    let empty = router.route(&ask("GET", "empty.org", "/"));
    assert_eq!(empty, Match::NoRoute { site: 4 });
}

#[test]
fn without_a_default_site_an_unknown_host_has_none() {
    let router = Router::new(&[site(&["example.com"], &["*"])]).unwrap();
    assert_eq!(router.route(&ask("GET", "example.org", "/")), Match::NoSite);
    assert_eq!(router.route(&ask("GET", "", "/")), Match::NoSite);
}

#[test]
fn the_most_specific_path_wins() {
    let routes = [
        "*",                        // 0
        "^/",                       // 1
        "/api",                     // 2: segments
        "^/api",                    // 3: raw
        "/api/",                    // 4
        "/api/v1/tracking/ws",      // 5
        "=/api/v1",                 // 6
        "~^/reports/[0-9]+\\.css$", // 7
        "$.js .CSS",                // 8
        "~\\.min\\.js$",            // 9: never, .js is above it
        "$.map",                    // 10
        "$.js.map",                 // 11: never, .map is above it
        "=/exact.js",               // 12
    ];
    let cases = [
        ("/", 1),
        ("*", 0),
        ("", 0),
        ("/index.html", 1),
        ("/api", 2),
        ("/apifoo", 3),
        ("/api/", 4),
        ("/api/x", 4),
        ("/api/v1", 6),
        ("/api/v1/", 4),
        ("/api/v1/tracking/ws", 5),
        ("/api/v1/tracking/ws/a", 5),
        ("/api/v1/tracking/wss", 4),
        ("/reports/7.css", 7),
        ("/reports/x.css", 8),
        ("/api/style.CsS", 8),
        ("/x.min.js", 8),
        ("/x.js.map", 10),
        ("/exact.js", 12),
        ("/js", 1),
    ];
    for (target, route) in cases {
        let expected = Match::Route { site: 0, route };
        assert_eq!(chosen(&routes, "GET", target), expected, "{target}");
    }
}

#[test]
fn a_segment_with_a_slash_does_not_take_the_bare_path() {
    let no = Match::NoRoute { site: 0 };
    assert_eq!(chosen(&["/api/"], "GET", "/api"), no);
    assert_eq!(chosen(&["/api"], "GET", "/apix"), no);
    assert_eq!(chosen(&["=/"], "GET", "/x"), no);
}

#[test]
fn a_refused_method_goes_on_to_the_next_path_and_then_is_405() {
    let routes = [
        "GET /api/read",
        "POST /api",
        "DELETE,PURGE,AAA =/api/read/1",
    ];
    let allow = |allow: &str| Match::MethodNotAllowed {
        site: 0,
        allow: allow.to_owned(),
    };
    let cases = [
        ("GET", "/api/read", Match::Route { site: 0, route: 0 }),
        ("HEAD", "/api/read", Match::Route { site: 0, route: 0 }),
        ("POST", "/api/read", Match::Route { site: 0, route: 1 }),
        ("PURGE", "/api/read/1", Match::Route { site: 0, route: 2 }),
        ("PUT", "/api/x", allow("POST")),
        ("PUT", "/api/read", allow("GET, HEAD, POST")),
        (
            "get",
            "/api/read/1",
            allow("GET, HEAD, POST, DELETE, AAA, PURGE"),
        ),
        ("PUT", "/other", Match::NoRoute { site: 0 }),
    ];
    for (method, target, expected) in cases {
        assert_eq!(
            chosen(&routes, method, target),
            expected,
            "{method} {target}"
        );
    }
}

#[test]
fn head_goes_elsewhere_if_a_route_above_names_it() {
    let routes = ["HEAD /", "GET /"];
    assert_eq!(
        chosen(&routes, "HEAD", "/"),
        Match::Route { site: 0, route: 0 }
    );
    assert_eq!(
        chosen(&routes, "GET", "/"),
        Match::Route { site: 0, route: 1 }
    );
}

pub(crate) fn with_header(path: &str, name: &str, value: ValuePattern) -> RouteSpec {
    let headers = vec![HeaderPattern {
        name: name.to_owned(),
        value,
    }];
    RouteSpec {
        headers,
        ..route(path)
    }
}

pub(crate) fn with_parameter(path: &str, name: &str, value: ValuePattern) -> RouteSpec {
    let query = vec![QueryPattern {
        name: name.to_owned(),
        value,
    }];
    RouteSpec {
        query,
        ..route(path)
    }
}

#[test]
fn a_bare_path_is_taken_unless_another_route_does() {
    for (routes, method, target, expected) in [
        (&["/api/!"][..], "GET", "/api", Some(0)),
        (&["/api/!"], "GET", "/api/x", Some(0)),
        (&["/api/!"], "GET", "/apix", None),
        (&["/api/!"], "GET", "/ap", None),
        (&["/api/"], "GET", "/api", None),
        // Only a slash at the end leaves something out, and all paths have the root.
        (&["=/api/!"], "GET", "/api", None),
        (&["/!"], "GET", "", None),
        (&["/", "/api/!"], "GET", "/api", Some(1)),
        (&["*", "/api/!"], "GET", "/api", Some(1)),
        (&["/api/!", "=/api"], "GET", "/api", Some(1)),
        (&["/api/!", "/api"], "GET", "/api", Some(1)),
        (&["/api/!", "/api"], "GET", "/api/", Some(0)),
        (&["/api/!", "^/api"], "GET", "/api", Some(1)),
        (&["/api/!", "~^/a"], "GET", "/api", Some(1)),
        (&["/api/!", "$pi"], "GET", "/api", Some(1)),
        (&["/api/!", "POST /api"], "GET", "/api", Some(0)),
        (&["GET /api/!", "POST /api/!"], "POST", "/api", Some(1)),
    ] {
        let found = match chosen(routes, method, target) {
            Match::Route { route, .. } => Some(route),
            _ => None,
        };
        assert_eq!(found, expected, "{routes:?} {method} {target}");
    }
}

#[test]
fn conditions_on_head_fields_are_tried_in_the_order_of_the_file() {
    let router = Router::new(&[SiteSpec {
        hosts: vec![HostPattern::Default],
        routes: vec![
            with_header("/", "X-Canary", ValuePattern::Equals("yes".to_owned())),
            with_header("/", "X-Canary", ValuePattern::Regex("^v[0-9]+$".to_owned())),
            with_header("/", "x-canary", ValuePattern::Present),
            with_header("GET /", "x-user", ValuePattern::Absent),
        ],
    }])
    .unwrap();
    let with = |method: &str, lines: &[(&str, &str)]| {
        let lines = lines
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        router.route(&Asked {
            headers: lines.collect(),
            ..ask(method, "", "/x")
        })
    };
    let cases = [
        (vec![("x-canary", "yes")], 0),
        (vec![("x-canary", "v12")], 1),
        (vec![("x-canary", "Yes")], 2),
        (vec![("x-canary", "")], 2),
        (vec![], 3),
    ];
    for (lines, route) in cases {
        assert_eq!(
            with("GET", &lines),
            Match::Route { site: 0, route },
            "{lines:?}"
        );
    }
    // Its header condition fails too, so the method is not the only reason.
    let refused = with("PUT", &[("x-user", "a")]);
    assert_eq!(refused, Match::NoRoute { site: 0 });
    let allow = "GET, HEAD".to_owned();
    let refused = with("PUT", &[]);
    assert_eq!(refused, Match::MethodNotAllowed { site: 0, allow });
}

#[test]
fn conditions_on_query_parameters_are_tried_in_the_order_of_the_file() {
    let both = RouteSpec {
        headers: with_header("/", "x-a", ValuePattern::Present).headers,
        ..with_parameter("/", "v", ValuePattern::Equals("2".to_owned()))
    };
    let router = Router::new(&[SiteSpec {
        hosts: vec![HostPattern::Default],
        routes: vec![
            both,
            with_parameter("/", "v", ValuePattern::Equals("2".to_owned())),
            with_parameter("/", "v", ValuePattern::Regex("^[0-9]+$".to_owned())),
            with_parameter("/", "v", ValuePattern::Present),
            with_parameter("GET /", "old", ValuePattern::Absent),
        ],
    }])
    .unwrap();
    let owned = |lines: &[(&str, &str)]| {
        let lines = lines.iter();
        let lines = lines.map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        lines.collect::<Vec<_>>()
    };
    let with = |method: &str, query: &[(&str, &str)], headers: &[(&str, &str)]| {
        router.route(&Asked {
            query: owned(query),
            headers: owned(headers),
            ..ask(method, "", "/x")
        })
    };
    for (query, headers, expected) in [
        (&[("v", "2")][..], &[("x-a", "1")][..], Some(0)),
        (&[("v", "2")], &[], Some(1)),
        (&[("v", "12")], &[], Some(2)),
        (&[("v", "two")], &[], Some(3)),
        (&[("v", "")], &[], Some(3)),
        (&[("V", "2")], &[], Some(4)),
        (&[], &[("v", "2")], Some(4)),
        (&[("old", "1")], &[], None),
    ] {
        let expected = match expected {
            Some(route) => Match::Route { site: 0, route },
            None => Match::NoRoute { site: 0 },
        };
        assert_eq!(
            with("GET", query, headers),
            expected,
            "{query:?} {headers:?}"
        );
    }
    // Its condition fails too, so the method is not the only reason.
    assert_eq!(
        with("PUT", &[("old", "1")], &[]),
        Match::NoRoute { site: 0 }
    );
    let allow = "GET, HEAD".to_owned();
    assert_eq!(
        with("PUT", &[], &[]),
        Match::MethodNotAllowed { site: 0, allow }
    );
}

/// The rules of the Gateway API for an `HTTPRoute` (`HTTPRouteRule.matches`), in their order,
/// each with a request that two routes match. `Same` marks those that hold here whatever the
/// order in the file is, and `Order` those for which the file decides, on purpose: the first
/// route that matches is the one that a reader finds first, and `check` warns of one that is
/// never reached.
#[test]
fn the_precedence_of_the_gateway_api() {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Here {
        Same,
        Order,
    }
    use Here::{Order, Same};
    let equals = |value: &str| ValuePattern::Equals(value.to_owned());
    let header = |path: &str, name: &str| with_header(path, name, equals("1"));
    let parameter = |path: &str, name: &str| with_parameter(path, name, equals("1"));
    let headers = |path: &str, names: [&str; 2]| RouteSpec {
        headers: names
            .iter()
            .flat_map(|it| header(path, it).headers)
            .collect(),
        ..route(path)
    };
    let parameters = |path: &str, names: [&str; 2]| RouteSpec {
        query: names
            .iter()
            .flat_map(|it| parameter(path, it).query)
            .collect(),
        ..route(path)
    };
    let request = Asked {
        headers: vec![
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "1".to_owned()),
        ],
        query: vec![
            ("p".to_owned(), "1".to_owned()),
            ("q".to_owned(), "1".to_owned()),
        ],
        ..ask("GET", "", "/shop/cart")
    };
    for (rule, here, preferred, other) in [
        (
            "an exact path",
            Same,
            route("=/shop/cart"),
            route("/shop/cart"),
        ),
        (
            "an exact path",
            Same,
            route("=/shop/cart"),
            headers("/shop", ["a", "b"]),
        ),
        (
            "the longest prefix",
            Same,
            route("/shop/cart"),
            route("/shop"),
        ),
        ("the longest prefix", Same, route("/shop"), header("/", "a")),
        ("a method", Order, route("GET /shop"), route("/shop")),
        ("a method", Order, route("GET /shop"), header("/shop", "a")),
        (
            "more header fields",
            Order,
            headers("/shop", ["a", "b"]),
            header("/shop", "a"),
        ),
        (
            "more header fields",
            Order,
            header("/shop", "a"),
            parameter("/shop", "p"),
        ),
        (
            "more parameters",
            Order,
            parameters("/shop", ["p", "q"]),
            parameter("/shop", "p"),
        ),
        (
            "the first in the list",
            Order,
            header("/shop", "a"),
            header("/shop", "b"),
        ),
        // The specification leaves expressions to implementations. As in nginx, they come
        // between exact paths and prefixes.
        (
            "an expression",
            Same,
            route("~^/shop/c"),
            route("/shop/cart"),
        ),
        (
            "an exact path",
            Same,
            route("=/shop/cart"),
            route("~^/shop/c"),
        ),
    ] {
        let first = |routes: [&RouteSpec; 2]| {
            let routes = routes.map(RouteSpec::clone).to_vec();
            let hosts = vec![HostPattern::Default];
            let router = Router::new(&[SiteSpec { hosts, routes }]).unwrap();
            match router.route(&request) {
                Match::Route { route, .. } => route,
                other => panic!("{rule}: {other:?}"),
            }
        };
        // In the order that the specification prefers, both agree.
        assert_eq!(first([&preferred, &other]), 0, "{rule}");
        let expected = if here == Same { 1 } else { 0 };
        assert_eq!(first([&other, &preferred]), expected, "{rule}");
    }
}

#[test]
fn hosts_and_routes_are_listed_in_the_order_in_which_they_are_tried() {
    let wildcard = |name: &str| HostPattern::Wildcard(name.to_owned());
    let exact = |name: &str| HostPattern::Exact(name.to_owned());
    let mut hosts = vec![
        HostPattern::Default,
        wildcard("a.example"),
        wildcard("qa.a.example"),
        exact("b.example"),
        exact("a.example"),
    ];
    hosts.sort_by(host_order);
    let expected = [
        exact("b.example"),
        exact("a.example"),
        wildcard("qa.a.example"),
        wildcard("a.example"),
        HostPattern::Default,
    ];
    assert_eq!(hosts, expected);
    let routes = [
        "*", "^/api", "/api", "$.js", "/api/v1", "~^/a", "=/x", "/api/", "GET /api",
    ];
    let routes = routes.map(route);
    assert_eq!(route_order(&routes), [6, 3, 5, 4, 7, 2, 8, 1, 0]);
}

#[test]
fn an_explanation_names_a_reason_for_every_route() {
    let mut spec = site(&["*"], &["/", "/api", "POST /api/x", "=/y", "*"]);
    spec.routes
        .push(with_header("/api/x", "x-a", ValuePattern::Present));
    spec.routes.push(RouteSpec {
        headers: with_header("/", "x-a", ValuePattern::Absent).headers,
        ..with_parameter("/api/x", "v", ValuePattern::Present)
    });
    let explanation = Router::new(&[spec])
        .unwrap()
        .explain(&ask("GET", "", "/api/x"));
    assert_eq!(explanation.answer, Match::Route { site: 0, route: 1 });
    let reasons: Vec<_> = explanation
        .candidates
        .into_iter()
        .map(|c| c.reason)
        .collect();
    let expected = [
        Reason::LessSpecific,
        Reason::Chosen,
        Reason::Method {
            allow: "POST".to_owned(),
        },
        Reason::Path,
        Reason::LessSpecific,
        Reason::Header { condition: 0 },
        Reason::Query { condition: 0 },
    ];
    assert_eq!(reasons, expected);
}

/// The documented order of precedence, implemented as a scan over all routes.
fn scan(routes: &[RouteSpec], request: &Asked) -> Match {
    let mut matching: Vec<(usize, (u8, usize, u8, usize))> = Vec::new();
    let target = request.path.as_str();
    for (i, route) in routes.iter().enumerate() {
        let under = |p: &str| target.starts_with(p);
        let rank = match &route.path {
            PathPattern::Exact(p) if target == p => (0, 0, 0, i),
            PathPattern::Regex(p) if regex::Regex::new(p).unwrap().is_match(target) => (1, 0, 0, i),
            PathPattern::Suffix(all)
                if all
                    .iter()
                    .any(|s| target.to_lowercase().ends_with(&s.to_lowercase())) =>
            {
                (1, 0, 0, i)
            }
            PathPattern::Segment(p) if target == p || under(&format!("{p}/")) => {
                (2, usize::MAX - p.len(), 0, i)
            }
            PathPattern::Segment(p) if p.ends_with('/') && under(p) => {
                (2, usize::MAX - p.len(), 1, i)
            }
            PathPattern::Prefix(p) if under(p) => (2, usize::MAX - p.len(), 1, i),
            PathPattern::Segment(p) | PathPattern::Prefix(p)
                if route.bare && p.len() > 1 && format!("{target}/") == *p =>
            {
                (2, usize::MAX - target.len(), 2, i)
            }
            PathPattern::Any => (3, 0, 0, i),
            _ => continue,
        };
        // A segment that ends in a slash ranks as a raw prefix, which it
        // equals.
        let rank = match &route.path {
            PathPattern::Segment(p) if p.ends_with('/') => (rank.0, rank.1, rank.2.max(1), i),
            _ => rank,
        };
        matching.push((i, rank));
    }
    matching.sort_by_key(|(_, rank)| *rank);
    let takes = |route: &RouteSpec| {
        let named = |m: &str| route.methods.iter().any(|have| have == m);
        route.methods.is_empty()
            || named(&request.method)
            || (request.method == "HEAD" && named("GET"))
    };
    let is = |value: Option<&(String, String)>, pattern: &ValuePattern| match pattern {
        ValuePattern::Present => value.is_some(),
        ValuePattern::Absent => value.is_none(),
        ValuePattern::Equals(v) => value.is_some_and(|(_, have)| have == v),
        ValuePattern::Regex(r) => {
            let regex = regex::Regex::new(r).unwrap();
            value.is_some_and(|(_, have)| regex.is_match(have))
        }
    };
    let holds = |route: &RouteSpec| {
        let header = |name: &str| request.headers.iter().find(|(n, _)| n == name);
        let parameter = |name: &str| request.query.iter().find(|(n, _)| n == name);
        let mut headers = route.headers.iter();
        let mut query = route.query.iter();
        headers.all(|it| is(header(&it.name), &it.value))
            && query.all(|it| is(parameter(&it.name), &it.value))
    };
    let found = matching
        .iter()
        .find(|(i, _)| takes(&routes[*i]) && holds(&routes[*i]));
    if let Some(&(route, _)) = found {
        return Match::Route { site: 0, route };
    }
    let mut refused: Vec<&str> = Vec::new();
    for (i, _) in &matching {
        if holds(&routes[*i]) {
            for method in &routes[*i].methods {
                refused.push(method);
                if method == "GET" {
                    refused.push("HEAD");
                }
            }
        }
    }
    if refused.is_empty() {
        return Match::NoRoute { site: 0 };
    }
    let order = ["GET", "HEAD", "POST", "PUT"];
    let listed: Vec<&str> = order.into_iter().filter(|m| refused.contains(m)).collect();
    Match::MethodNotAllowed {
        site: 0,
        allow: listed.join(", "),
    }
}

fn some_path() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec!["/", "a", "b", ".js", ".JS", "/a"]),
        0..6,
    )
    .prop_map(|parts| format!("/{}", parts.concat()))
}

fn some_route() -> impl Strategy<Value = RouteSpec> {
    let suffix = prop::sample::select(vec!["a", ".js", "a.JS", "b.js", "/"]);
    let path = prop_oneof![
        1 => Just(PathPattern::Any),
        3 => some_path().prop_map(PathPattern::Exact),
        4 => some_path().prop_map(PathPattern::Segment),
        4 => some_path().prop_map(PathPattern::Prefix),
        2 => prop::collection::vec(suffix.prop_map(str::to_owned), 1..3)
            .prop_map(PathPattern::Suffix),
        1 => prop::sample::select(vec!["^/a", "b$", "a.*b", r"\.js"])
            .prop_map(|text| PathPattern::Regex(text.to_owned())),
    ];
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "PUT"]);
    let value = prop_oneof![
        Just(ValuePattern::Present),
        Just(ValuePattern::Absent),
        Just(ValuePattern::Equals("1".to_owned())),
        Just(ValuePattern::Regex("^[13]$".to_owned())),
    ]
    .boxed();
    let parameter = (prop::sample::select(vec!["x", "y"]), value.clone());
    let parameter = parameter.prop_map(|(name, value)| QueryPattern {
        name: name.to_owned(),
        value,
    });
    let header =
        (prop::sample::select(vec!["x", "y"]), value).prop_map(|(name, value)| HeaderPattern {
            name: name.to_owned(),
            value,
        });
    let methods = prop::collection::vec(method.prop_map(str::to_owned), 0..2);
    let headers = prop::collection::vec(header, 0..2);
    let bare = any::<bool>();
    let query = prop::collection::vec(parameter, 0..2);
    let parts = (path, bare, methods, headers, query);
    parts.prop_map(|(path, bare, methods, headers, query)| RouteSpec {
        path,
        bare,
        methods,
        headers,
        query,
    })
}

fn some_request() -> impl Strategy<Value = Asked> {
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "PUT"]);
    let line = (
        prop::sample::select(vec!["x", "y"]),
        prop::sample::select(vec!["1", "2"]),
    );
    let lines = prop::collection::btree_map(line.0, line.1, 0..3);
    let parts = (method, some_path(), lines.clone(), lines);
    parts.prop_map(|(method, path, headers, query)| {
        let owned = |lines: std::collections::BTreeMap<&str, &str>| {
            let lines = lines.into_iter();
            lines.map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
        };
        Asked {
            headers: owned(headers),
            query: owned(query),
            ..ask(method, "", &path)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_tables_agree_with_a_scan(
        mut routes in prop::collection::vec(some_route(), 0..30),
        requests in prop::collection::vec(some_request(), 8),
    ) {
        // Repeated routes are an error; keep only the first of each.
        let build = |routes: &[RouteSpec]| Router::new(&[SiteSpec {
            hosts: vec![HostPattern::Default],
            routes: routes.to_vec(),
        }]);
        let router = match build(&routes) {
            Ok(router) => router,
            Err(errors) => {
                for error in errors.iter().rev() {
                    routes.remove(error.route.unwrap());
                }
                build(&routes).unwrap()
            }
        };
        for request in requests {
            let expected = scan(&routes, &request);
            prop_assert_eq!(router.route(&request), expected, "{:?} {:?}", request, routes);
        }
    }

    /// Of all routes that take a request, the one that is listed first is chosen. Only a bare
    /// path is taken later than its route is listed.
    #[test]
    fn the_listed_order_is_that_of_the_tables(
        mut routes in prop::collection::vec(some_route(), 0..30),
        requests in prop::collection::vec(some_request(), 8),
    ) {
        for route in &mut routes {
            route.bare = false;
        }
        let build = |routes: &[RouteSpec]| Router::new(&[SiteSpec {
            hosts: vec![HostPattern::Default],
            routes: routes.to_vec(),
        }]);
        while let Err(errors) = build(&routes) {
            routes.remove(errors[0].route.unwrap());
        }
        let router = build(&routes).unwrap();
        for request in requests {
            let explanation = router.explain(&request);
            let takes = |route: &usize| matches!(
                explanation.candidates[*route].reason,
                Reason::Chosen | Reason::LessSpecific
            );
            let chosen = match explanation.answer {
                Match::Route { route, .. } => Some(route),
                _ => None,
            };
            prop_assert_eq!(route_order(&routes).into_iter().find(takes), chosen, "{:?}", request);
        }
    }

    #[test]
    fn a_shadowed_route_is_never_chosen(
        mut routes in prop::collection::vec(some_route(), 0..30),
        requests in prop::collection::vec(some_request(), 20),
    ) {
        let build = |routes: &[RouteSpec]| Router::new(&[SiteSpec {
            hosts: vec![HostPattern::Default],
            routes: routes.to_vec(),
        }]);
        while let Err(errors) = build(&routes) {
            routes.remove(errors[0].route.unwrap());
        }
        let router = build(&routes).unwrap();
        let shadowed: Vec<usize> = shadowed(&routes).iter().map(|it| it.route).collect();
        for request in requests {
            if let Match::Route { route, .. } = router.route(&request) {
                prop_assert!(!shadowed.contains(&route), "{} {:?}", route, routes);
            }
        }
    }

    #[test]
    fn nothing_that_a_client_sends_panics(
        host in ".{0,40}",
        target in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        struct Raw(String, Vec<u8>);
        impl Request for Raw {
            fn host(&self) -> &str { &self.0 }
            fn path(&self) -> &[u8] { &self.1 }
            fn method(&self) -> &[u8] { &self.1 }
            fn header(&self, _: &str) -> Option<Cow<'_, [u8]>> { None }
            fn query_parameter(&self, _: &str) -> Option<Cow<'_, [u8]>> { None }
        }
        let router = Router::new(&[
            site(&["*.a"], &["/", "$.js é"]),
            site(&["*"], &["GET /a", "~a.*b", "$.js a"]),
        ]).unwrap();
        let raw = Raw(host, target);
        prop_assert_eq!(router.explain(&raw).answer, router.route(&raw));
    }
}
