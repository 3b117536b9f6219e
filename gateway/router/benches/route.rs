//! What routing one request costs with 10, 100 and 10,000 routes. The times of
//! one line should not grow from left to right.

#![allow(
    clippy::panic,
    reason = "a benchmark whose routes do not compile has nothing to measure"
)]

use std::borrow::Cow;

use divan::{Bencher, black_box};
use janua_router::{HostPattern, PathPattern, Request, RouteSpec, Router, SiteSpec};

const SIZES: [usize; 3] = [10, 100, 10_000];

fn main() {
    divan::main();
}

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
    fn query_parameter(&self, _: &str) -> Option<Cow<'_, [u8]>> {
        None
    }
}

fn site(hosts: HostPattern, paths: Vec<PathPattern>) -> SiteSpec {
    let route = |path| RouteSpec {
        path,
        bare: false,
        methods: Vec::new(),
        headers: Vec::new(),
        query: Vec::new(),
    };
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
