use crate::build::Part;
use crate::router::Router;
use crate::spec::{
    HeaderPattern, HostPattern, PathPattern, QueryPattern, RouteSpec, SiteSpec, ValuePattern,
};

fn exact(name: &str) -> HostPattern {
    HostPattern::Exact(name.to_owned())
}

fn route(path: PathPattern, methods: &[&str], headers: &[(&str, ValuePattern)]) -> RouteSpec {
    RouteSpec {
        path,
        bare: false,
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        headers: headers
            .iter()
            .map(|(name, value)| HeaderPattern {
                name: (*name).to_owned(),
                value: value.clone(),
            })
            .collect(),
        query: Vec::new(),
    }
}

fn with_parameter(path: &PathPattern, name: &str, value: ValuePattern) -> RouteSpec {
    RouteSpec {
        query: vec![QueryPattern {
            name: name.to_owned(),
            value,
        }],
        ..route(path.clone(), &[], &[])
    }
}

/// The only error of a site with these hosts and routes.
fn error(hosts: Vec<HostPattern>, routes: Vec<RouteSpec>) -> (Option<usize>, String) {
    let mut errors = Router::new(&[SiteSpec { hosts, routes }]).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let error = errors.remove(0);
    (error.route, error.message)
}

#[test]
fn bad_hosts_are_refused() {
    let wildcard = |name: &str| HostPattern::Wildcard(name.to_owned());
    let cases = [
        (exact(""), "has an empty label"),
        (exact("a..b"), "has an empty label"),
        (exact("a."), "has an empty label"),
        (wildcard(".a"), "has an empty label"),
        (exact("A.com"), "is not lower-case"),
        (exact("a.com:80"), "has a port"),
        (exact("a.*.com"), "`*` in the middle"),
        (exact("bücher.de"), "xn--"),
        (exact("a b"), "no host name has"),
    ];
    for (host, expected) in cases {
        let (route, message) = error(vec![host], Vec::new());
        assert_eq!(route, None);
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains('\n'), "one line: {message}");
    }
}

#[test]
fn bad_routes_are_refused_by_their_number() {
    let any = PathPattern::Any;
    let exact = |text: &str| PathPattern::Exact(text.to_owned());
    let cases = [
        (route(exact("api"), &[], &[]), "does not begin with `/`"),
        (route(exact("/a?b"), &[], &[]), "contains `?`"),
        (
            route(PathPattern::Prefix(String::new()), &[], &[]),
            "does not begin",
        ),
        (route(PathPattern::Suffix(Vec::new()), &[], &[]), "empty"),
        (
            route(PathPattern::Suffix(vec![String::new()]), &[], &[]),
            "empty",
        ),
        (
            route(PathPattern::Regex("(".to_owned()), &[], &[]),
            "regular expression `(`",
        ),
        (
            route(PathPattern::Regex("(a{500}){500}".to_owned()), &[], &[]),
            "size limit",
        ),
        (route(any.clone(), &["get"], &[]), "write `GET`"),
        (route(any.clone(), &["GET POST"], &[]), "is not a method"),
        (
            route(any.clone(), &[], &[("a b", ValuePattern::Present)]),
            "head field",
        ),
        (
            route(
                any.clone(),
                &[],
                &[("a", ValuePattern::Regex("[".to_owned()))],
            ),
            "regular expression",
        ),
        (
            with_parameter(&any, "a", ValuePattern::Regex("[".to_owned())),
            "regular expression",
        ),
        (with_parameter(&any, "", ValuePattern::Present), "no name"),
    ];
    for (bad, expected) in cases {
        let good = route(PathPattern::Exact("/good".to_owned()), &[], &[]);
        let (number, message) = error(vec![HostPattern::Default], vec![good, bad]);
        assert_eq!(number, Some(1));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn repeated_routes_are_refused_however_they_are_written() {
    let suffix = |all: &[&str]| PathPattern::Suffix(all.iter().map(|s| (*s).to_owned()).collect());
    let (a, b) = (("a", ValuePattern::Present), ("B", ValuePattern::Absent));
    let segment = |text: &str| PathPattern::Segment(text.to_owned());
    let same = [
        (
            route(segment("/a/"), &[], &[]),
            route(PathPattern::Prefix("/a/".to_owned()), &[], &[]),
        ),
        (
            route(PathPattern::Any, &["GET"], &[]),
            route(PathPattern::Any, &["HEAD", "GET"], &[]),
        ),
        (
            route(suffix(&[".js", ".CSS"]), &[], &[]),
            route(suffix(&[".css", ".js"]), &[], &[]),
        ),
        (
            route(segment("/"), &[], &[a.clone(), b.clone()]),
            route(segment("/"), &[], &[("b", ValuePattern::Absent), a.clone()]),
        ),
        (
            route(PathPattern::Regex("a".to_owned()), &[], &[]),
            route(PathPattern::Regex("a".to_owned()), &[], &[]),
        ),
        (
            with_parameter(&PathPattern::Any, "v", ValuePattern::Present),
            with_parameter(&PathPattern::Any, "v", ValuePattern::Present),
        ),
    ];
    for (first, second) in same {
        let routes = vec![first, second];
        let hosts = Vec::new();
        let errors = Router::new(&[SiteSpec { hosts, routes }]).unwrap_err();
        let [error] = errors.as_slice() else {
            panic!("{errors:?}");
        };
        assert_eq!((error.route, error.other), (Some(1), Some(0)), "{error}");
    }
    let different = SiteSpec {
        hosts: Vec::new(),
        routes: vec![
            route(segment("/a"), &[], &[]),
            route(PathPattern::Prefix("/a".to_owned()), &[], &[]),
            route(segment("/a"), &["GET"], &[]),
            route(segment("/a"), &[], &[a, b]),
            with_parameter(&segment("/a"), "a", ValuePattern::Present),
            // Names of parameters are case-sensitive.
            with_parameter(&segment("/a"), "A", ValuePattern::Present),
        ],
    };
    assert!(Router::new(&[different]).is_ok());
}

#[test]
fn an_error_names_the_part_of_the_route() {
    let bad = || ValuePattern::Regex("(".to_owned());
    let mut faulty = with_parameter(&PathPattern::Segment("/a".to_owned()), "a", bad());
    faulty.methods = ["GET", "P T"].map(str::to_owned).to_vec();
    faulty.headers = vec![HeaderPattern {
        name: "x-a".to_owned(),
        value: bad(),
    }];
    let routes = vec![faulty, route(PathPattern::Regex("[".to_owned()), &[], &[])];
    let hosts = Vec::new();
    let errors = Router::new(&[SiteSpec { hosts, routes }]).unwrap_err();
    let found: Vec<_> = errors.iter().map(|it| (it.route, it.part)).collect();
    let expected = [
        (Some(0), Part::Method(1)),
        (Some(0), Part::Header(0)),
        (Some(0), Part::Query(0)),
        (Some(1), Part::Path),
    ];
    assert_eq!(found, expected, "{errors:?}");
}

#[test]
fn a_host_belongs_to_one_site_and_all_errors_come_at_once() {
    let site = |hosts: Vec<HostPattern>| SiteSpec {
        hosts,
        routes: vec![route(PathPattern::Exact("x".to_owned()), &[], &[])],
    };
    let errors = Router::new(&[
        site(vec![exact("a"), HostPattern::Default, exact("a")]),
        site(vec![exact("a"), HostPattern::Default]),
    ])
    .unwrap_err();
    let found: Vec<_> = errors
        .iter()
        .map(|e| (e.site, e.route, e.to_string()))
        .collect();
    let bad_path = "path `x` does not begin with `/`".to_owned();
    let expected = [
        (0, None, "host `a` is named twice".to_owned()),
        (0, Some(0), bad_path.clone()),
        (
            1,
            None,
            "host `a` already belongs to another site".to_owned(),
        ),
        (
            1,
            None,
            "host `*` already belongs to another site".to_owned(),
        ),
        (1, Some(0), bad_path),
    ];
    assert_eq!(found, expected);
}
