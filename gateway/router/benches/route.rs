//! What routing one request costs with 10, 100 and 10,000 routes. The times of
//! one line should not grow from left to right.

#![allow(
    clippy::panic,
    reason = "a benchmark whose routes do not compile has nothing to measure"
)]

use std::borrow::Cow;

use divan::{Bencher, black_box};
use janua_router::{
    HostPattern, PathPattern, QueryPattern, Request, RouteSpec, Router, SiteSpec, ValuePattern,
};

const SIZES: [usize; 3] = [10, 100, 10_000];

fn main() {
    divan::main();
}

/// The query of all requests. The gateway's own reader of queries is not measured.
const QUERY: &str = "q=tea&page=3&v=2";

struct Asked(String, String);

impl Request for Asked {
    fn host(&self) -> &str {
        &self.0
    }
    fn path(&self) -> &[u8] {
        self.1.as_bytes()
    }
    fn method(&self) -> &[u8] {
        b"GET"
    }
    fn header(&self, _: &str) -> Option<Cow<'_, [u8]>> {
        None
    }
    fn query_parameter(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut pairs = QUERY.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(known, _)| *known == name)?;
        Some(value.as_bytes().into())
    }
}

fn route(path: PathPattern) -> RouteSpec {
    RouteSpec {
        path,
        bare: false,
        methods: Vec::new(),
        headers: Vec::new(),
        query: Vec::new(),
    }
}

fn site(hosts: HostPattern, paths: Vec<PathPattern>) -> SiteSpec {
    SiteSpec {
        hosts: vec![hosts],
        routes: paths.into_iter().map(route).collect(),
    }
}

fn run(bencher: Bencher<'_, '_>, sites: &[SiteSpec], requests: &[Asked]) {
    let router = Router::new(sites).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut requests = requests.iter().cycle();
    bencher.bench_local(move || {
        requests
            .next()
            .map(|request| router.route(black_box(request)))
    });
}

/// Sixteen requests, spread over the routes.
fn spread(size: usize, request: impl Fn(usize) -> Asked) -> Vec<Asked> {
    (0..16).map(|i| request(i * 7919 % size)).collect()
}

#[divan::bench(args = SIZES)]
fn exact(bencher: Bencher<'_, '_>, size: usize) {
    let paths = (0..size).map(|i| PathPattern::Exact(format!("/api/v1/resource-{i}/list")));
    let asked = |i| Asked(String::new(), format!("/api/v1/resource-{i}/list"));
    let sites = [site(HostPattern::Default, paths.collect())];
    run(bencher, &sites, &spread(size, asked));
}

#[divan::bench(args = SIZES)]
fn segment(bencher: Bencher<'_, '_>, size: usize) {
    let paths = (0..size).map(|i| PathPattern::Segment(format!("/api/v1/resource-{i}")));
    let asked = |i| Asked(String::new(), format!("/api/v1/resource-{i}/42"));
    let sites = [site(HostPattern::Default, paths.collect())];
    run(bencher, &sites, &spread(size, asked));
}

/// Each path has three routes, of which a condition on the query decides: a value that the request
/// has not, an expression that does not match, and a value that it has.
#[divan::bench(args = SIZES)]
fn query(bencher: Bencher<'_, '_>, size: usize) {
    let tests = [
        ValuePattern::Equals("1".to_owned()),
        ValuePattern::Regex("^3[0-9]*$".to_owned()),
        ValuePattern::Equals("2".to_owned()),
    ];
    let routes = (0..size).map(|i| RouteSpec {
        query: vec![QueryPattern {
            name: "v".to_owned(),
            value: tests.get(i % 3).cloned().unwrap_or(ValuePattern::Present),
        }],
        ..route(PathPattern::Segment(format!("/api/v1/resource-{}", i / 3)))
    });
    let asked = |i| Asked(String::new(), format!("/api/v1/resource-{}/42", i / 3));
    let sites = [SiteSpec {
        hosts: vec![HostPattern::Default],
        routes: routes.collect(),
    }];
    run(bencher, &sites, &spread(size, asked));
}

#[divan::bench(args = SIZES)]
fn suffix_over_prefixes(bencher: Bencher<'_, '_>, size: usize) {
    let kinds = ["js", "css", "png", "jpg", "gif", "ico", "svg", "woff2"];
    let mut paths = vec![PathPattern::Suffix(
        kinds.iter().map(|kind| format!(".{kind}")).collect(),
    )];
    paths.extend((1..size).map(|i| PathPattern::Prefix(format!("/static/{i}/"))));
    let asked = |i| Asked(String::new(), format!("/static/{i}/app.4f3a.js"));
    let sites = [site(HostPattern::Default, paths)];
    run(bencher, &sites, &spread(size, asked));
}

#[divan::bench(args = SIZES)]
fn hosts(bencher: Bencher<'_, '_>, size: usize) {
    let sites: Vec<SiteSpec> = (0..size)
        .map(|i| {
            let name = format!("site-{i}.example.com");
            let host = if i % 2 == 0 {
                HostPattern::Exact(name)
            } else {
                HostPattern::Wildcard(name)
            };
            site(host, vec![PathPattern::Prefix("/".to_owned())])
        })
        .collect();
    let asked = |i: usize| {
        let front = if i.is_multiple_of(2) { "" } else { "www." };
        Asked(
            format!("{front}site-{i}.example.com"),
            "/index.html".to_owned(),
        )
    };
    run(bencher, &sites, &spread(size, asked));
}
