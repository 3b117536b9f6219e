//! Compiles the configured sites and routes into the router's tables, and
//! collects every error on the way.

use std::fmt;
use std::sync::Arc;

use ahash::{HashMap, HashMapExt as _};
use regex::bytes::{Regex, RegexBuilder};

use crate::pattern::{Condition, Methods, Of, STANDARD, Value};
use crate::router::{Hosts, Router};
use crate::site::{Path, Route, Site};
use crate::spec::{HostPattern, PathPattern, RouteSpec, SiteSpec, ValuePattern};
use crate::trie::Trie;

/// The most memory that one compiled regular expression may occupy, in bytes.
/// The scratch space of its automaton on each thread has the same limit.
const REGEX_LIMIT: usize = 1 << 20;

/// Something wrong with a site or one of its routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    /// Index of the site in the given list.
    pub site: usize,
    /// Index of the route within the site; none if the error concerns the site
    /// itself.
    pub route: Option<usize>,
    /// The part of the route that the error is about.
    pub part: Part,
    /// Index of another route of the site that is involved, such as the one
    /// repeated.
    pub other: Option<usize>,
    /// The error in one line, for the operator.
    pub message: String,
}

/// A part of a route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// Its path, or all of it.
    #[default]
    Path,
    /// The method of this index.
    Method(usize),
    /// The condition on header fields of this index.
    Header(usize),
    /// The condition on query parameters of this index.
    Query(usize),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BuildError {}

pub(crate) fn build(specs: &[SiteSpec]) -> Result<Router, Vec<BuildError>> {
    let mut build = Build::default();
    let mut sites = Vec::with_capacity(specs.len());
    for (number, spec) in specs.iter().enumerate() {
        build.site = number;
        build.route = None;
        for host in &spec.hosts {
            build.host(host);
        }
        sites.push(build.routes(&spec.routes));
    }
    if !build.errors.is_empty() {
        return Err(build.errors);
    }
    let mut hosts = build.hosts;
    hosts.wildcard_lengths = hosts.wildcard.keys().map(|name| name.len()).collect();
    hosts.wildcard_lengths.sort_unstable_by(|a, b| b.cmp(a));
    hosts.wildcard_lengths.dedup();
    Ok(Router {
        hosts: Arc::new(hosts),
        sites: sites.into(),
        regexes: build.regexes,
    })
}

/// A build in progress. Errors are collected instead of returned, so that the
/// operator sees all of them at once.
#[derive(Default)]
struct Build {
    /// The site, the route and the part of it that is being built, for errors.
    site: usize,
    route: Option<usize>,
    part: Part,
    hosts: Hosts,
    regexes: Vec<Regex>,
    /// The index of each expression that is already compiled.
    regex_places: HashMap<String, usize>,
    errors: Vec<BuildError>,
}

impl Build {
    fn error(&mut self, message: String) {
        self.error_with(None, message);
    }

    fn error_with(&mut self, other: Option<usize>, message: String) {
        self.errors.push(BuildError {
            site: self.site,
            route: self.route,
            part: self.part,
            other,
            message,
        });
    }

    fn host(&mut self, host: &HostPattern) {
        let site = self.site;
        let (shown, taken) = match host {
            HostPattern::Default => ("*".to_owned(), self.hosts.default.replace(site)),
            HostPattern::Exact(name) => {
                self.check_host(name);
                let taken = self.hosts.exact.insert(name.as_str().into(), site);
                (name.clone(), taken)
            }
            HostPattern::Wildcard(name) => {
                self.check_host(name);
                let taken = self.hosts.wildcard.insert(name.as_str().into(), site);
                (format!("*.{name}"), taken)
            }
        };
        match taken {
            Some(other) if other == site => self.error(format!("host `{shown}` is named twice")),
            Some(_) => self.error(format!("host `{shown}` already belongs to another site")),
            None => {}
        }
    }

    fn check_host(&mut self, name: &str) {
        if let Some(fault) = host_fault(name) {
            self.error(format!("host `{name}` {fault}"));
        }
    }

    fn routes(&mut self, specs: &[RouteSpec]) -> Site {
        let mut site = Site {
            routes: Vec::with_capacity(specs.len()),
            exact: HashMap::new(),
            regexes: Vec::new(),
            suffixes: Trie::new(),
            prefixes: Trie::new(),
            any: Vec::new(),
        };
        let mut seen = HashMap::new();
        for (number, spec) in specs.iter().enumerate() {
            self.route = Some(number);
            let Some(route) = self.route(spec) else {
                continue;
            };
            let mut conditions = route.conditions.clone();
            conditions.sort_unstable();
            conditions.dedup();
            let identity = (route.path.clone(), route.methods.clone(), conditions);
            if let Some(first) = seen.insert(identity, number) {
                self.error_with(
                    Some(first),
                    "same path, methods and conditions as another route of this site, which takes \
                     every request of this one"
                        .to_owned(),
                );
            }
            site.place(number, &route);
            site.routes.push(route);
        }
        site.suffixes.link();
        site.prefixes.link();
        site
    }

    /// None if the route has an error, which is then in `errors`: the tables
    /// are not used in that case.
    fn route(&mut self, spec: &RouteSpec) -> Option<Route> {
        let before = self.errors.len();
        let path = self.path(&spec.path);
        for (place, method) in spec.methods.iter().enumerate() {
            self.part = Part::Method(place);
            if let Some(fault) = method_fault(method) {
                self.error(fault);
            }
        }
        let mut conditions = Vec::with_capacity(spec.headers.len() + spec.query.len());
        for (place, header) in spec.headers.iter().enumerate() {
            self.part = Part::Header(place);
            if !is_token(&header.name) {
                self.error(format!("`{}` is not the name of a head field", header.name));
            }
            let name = header.name.to_ascii_lowercase().into();
            conditions.push(self.condition(Of::Header(name), &header.value));
        }
        for (place, parameter) in spec.query.iter().enumerate() {
            self.part = Part::Query(place);
            if parameter.name.is_empty() {
                self.error("a query parameter has no name".to_owned());
            }
            let name = parameter.name.as_str().into();
            conditions.push(self.condition(Of::Query(name), &parameter.value));
        }
        self.part = Part::Path;
        (self.errors.len() == before).then(|| Route {
            path: path.unwrap_or(Path::Any),
            bare: spec.bare,
            methods: Methods::new(&spec.methods),
            conditions,
        })
    }

    fn condition(&mut self, of: Of, value: &ValuePattern) -> Condition {
        let value = match value {
            ValuePattern::Equals(text) => Value::Equals(text.as_bytes().into()),
            ValuePattern::Present => Value::Present,
            ValuePattern::Absent => Value::Absent,
            ValuePattern::Regex(text) => Value::Regex(self.regex(text).unwrap_or_default()),
        };
        Condition { of, value }
    }

    fn path(&mut self, path: &PathPattern) -> Option<Path> {
        match path {
            PathPattern::Any => Some(Path::Any),
            PathPattern::Exact(text) => self.rooted(text).map(Path::Exact),
            PathPattern::Prefix(text) => self.rooted(text).map(Path::Prefix),
            // After a trailing slash every byte begins a new segment, so the
            // two are equal.
            PathPattern::Segment(text) if text.ends_with('/') => {
                self.rooted(text).map(Path::Prefix)
            }
            PathPattern::Segment(text) => self.rooted(text).map(Path::Segment),
            PathPattern::Suffix(texts) => self.suffixes(texts),
            PathPattern::Regex(text) => self.regex(text).map(Path::Regex),
        }
    }

    fn rooted(&mut self, text: &str) -> Option<Box<[u8]>> {
        if !text.starts_with('/') {
            self.error(format!("path `{text}` does not begin with `/`"));
            return None;
        }
        if let Some(mark) = text.chars().find(|c| matches!(c, '?' | '#')) {
            self.error(format!(
                "path `{text}` contains `{mark}`: routes are matched without the query"
            ));
            return None;
        }
        Some(text.as_bytes().into())
    }

    fn suffixes(&mut self, texts: &[String]) -> Option<Path> {
        if texts.iter().any(String::is_empty) || texts.is_empty() {
            self.error("a suffix is empty: it would match every path".to_owned());
            return None;
        }
        let lower = |text: &String| text.to_ascii_lowercase().into_bytes().into();
        let mut texts: Vec<Box<[u8]>> = texts.iter().map(lower).collect();
        texts.sort_unstable();
        texts.dedup();
        Some(Path::Suffix(texts))
    }

    fn regex(&mut self, text: &str) -> Option<usize> {
        if let Some(&place) = self.regex_places.get(text) {
            return Some(place);
        }
        match expression(text) {
            Ok(regex) => {
                let place = self.regexes.len();
                self.regexes.push(regex);
                self.regex_places.insert(text.to_owned(), place);
                Some(place)
            }
            Err(error) => {
                // The parser prints the expression over several lines; the last
                // line has the reason.
                let error = error.to_string();
                let why = error.lines().last().unwrap_or_default();
                let why = why.trim().trim_start_matches("error: ");
                self.error(format!("regular expression `{text}`: {why}"));
                None
            }
        }
    }
}

impl Site {
    /// Adds a route to the table for its kind of path.
    fn place(&mut self, number: usize, route: &Route) {
        if let Some(routes) = route.bare_path().and_then(|bare| self.prefixes.entry(bare)) {
            routes.bare.push(number);
        }
        match &route.path {
            Path::Any => self.any.push(number),
            Path::Exact(text) => self.exact.entry(text.clone()).or_default().push(number),
            Path::Regex(at) => self.regexes.push((*at, number)),
            Path::Segment(text) => {
                if let Some(routes) = self.prefixes.entry(text) {
                    routes.segment.push(number);
                }
            }
            Path::Prefix(text) => {
                if let Some(routes) = self.prefixes.entry(text) {
                    routes.raw.push(number);
                }
            }
            Path::Suffix(texts) => {
                for text in texts {
                    let backwards: Vec<u8> = text.iter().rev().copied().collect();
                    if let Some(routes) = self.suffixes.entry(&backwards) {
                        routes.push(number);
                    }
                }
            }
        }
    }
}

/// Compiles a regular expression within its limit.
pub(crate) fn expression(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text)
        .size_limit(REGEX_LIMIT)
        .dfa_size_limit(REGEX_LIMIT)
        .build()
}

fn host_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Some("has an empty label");
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some("is not lower-case");
    }
    if !name.is_ascii() {
        return Some("is not ASCII: write an internationalised name in its `xn--` form");
    }
    if name.contains('*') {
        return Some("has `*` in the middle: only a whole first label can be a wildcard");
    }
    if name.starts_with('[') && name.ends_with(']') {
        return None;
    }
    if name.contains(':') {
        return Some("has a port: the port belongs to the listener");
    }
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (!name.bytes().all(known)).then_some("has a character that no host name has")
}

fn method_fault(method: &str) -> Option<String> {
    if !is_token(method) {
        return Some(format!("`{method}` is not a method"));
    }
    let upper = method.to_ascii_uppercase();
    (upper != method && STANDARD.contains(&upper.as_str())).then(|| {
        format!("method `{method}` never comes: methods are case-sensitive; write `{upper}`")
    })
}

/// Whether the text is a token as RFC 9110, section 5.6.2, defines it.
fn is_token(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(known)
}

#[cfg(test)]
mod tests;
