//! The routes of one site, in tables by kind of path, and the search from the
//! most specific to the least specific.

use std::ops::ControlFlow;

use ahash::HashMap;
use regex::bytes::Regex;

use crate::pattern::{Condition, Methods};
use crate::router::Request;
use crate::trie::{Entry, Trie};

/// The routes of one site. Each list is in the order of the file.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) routes: Vec<Route>,
    pub(crate) exact: HashMap<Box<[u8]>, Vec<usize>>,
    /// Pairs of a regular expression's index in the router and a route's index.
    pub(crate) regexes: Vec<(usize, usize)>,
    /// Lower-case suffixes, with their bytes reversed.
    pub(crate) suffixes: Trie<Vec<usize>>,
    pub(crate) prefixes: Trie<PrefixRoutes>,
    pub(crate) any: Vec<usize>,
}

/// The conditions of a route. Its index in [`Site::routes`] is its number.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) path: Path,
    /// See [`crate::RouteSpec::bare`].
    pub(crate) bare: bool,
    pub(crate) methods: Methods,
    /// Those on header fields, in the order of the file, then those on query
    /// parameters.
    pub(crate) conditions: Vec<Condition>,
}

/// A route's path, normalised so that equal patterns compare as equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Path {
    Any,
    Exact(Box<[u8]>),
    /// Has no slash at its end: a segment that ends in a slash becomes a
    /// prefix.
    Segment(Box<[u8]>),
    Prefix(Box<[u8]>),
    /// Lower-case, sorted, each once.
    Suffix(Vec<Box<[u8]>>),
    /// Index into the router's expressions; equal texts share one index.
    Regex(usize),
}

/// Routes that have the same prefix.
#[derive(Debug, Default, Clone)]
pub(crate) struct PrefixRoutes {
    pub(crate) segment: Vec<usize>,
    pub(crate) raw: Vec<usize>,
    /// Routes whose prefix is this one with a slash, and that also take the
    /// bare path.
    pub(crate) bare: Vec<usize>,
}

impl Site {
    /// The route that takes the request.
    pub(crate) fn route(&self, request: &impl Request, regexes: &[Regex]) -> Option<usize> {
        let method = request.method();
        let found = self.visit(request.path(), regexes, |number, route| {
            if route.methods.take(method) && route.conditions_hold(request, regexes) {
                ControlFlow::Break(number)
            } else {
                ControlFlow::Continue(())
            }
        });
        found.break_value()
    }

    /// The value of `Allow`, if there are routes that would take the request
    /// with another method. It is computed only if [`Site::route`] found
    /// nothing, so that requests that match do not pay for it.
    pub(crate) fn allow(&self, request: &impl Request, regexes: &[Regex]) -> Option<String> {
        let mut methods = Methods::default();
        let _ = self.visit(request.path(), regexes, |_, route| {
            if !route.methods.take(request.method()) && route.conditions_hold(request, regexes) {
                methods.join(&route.methods);
            }
            ControlFlow::<()>::Continue(())
        });
        (!methods.is_any()).then(|| methods.allow())
    }

    /// Calls `visit` with each route whose path matches, the most specific
    /// first, until it returns `Break`.
    fn visit<B>(
        &self,
        path: &[u8],
        regexes: &[Regex],
        mut visit: impl FnMut(usize, &Route) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut each = |numbers: &[usize]| {
            for &number in numbers {
                if let Some(route) = self.routes.get(number) {
                    visit(number, route)?;
                }
            }
            ControlFlow::Continue(())
        };
        if let Some(numbers) = self.exact.get(path) {
            each(numbers)?;
        }
        self.visit_patterns(path, regexes, &mut each)?;
        let mut at = self.prefixes.deepest(path.iter().copied());
        while let Some(entry) = at {
            if matches!(path.get(entry.len), None | Some(b'/')) {
                each(&entry.value.segment)?;
            }
            each(&entry.value.raw)?;
            if path.len() == entry.len {
                each(&entry.value.bare)?;
            }
            at = self.prefixes.shorter(entry);
        }
        each(&self.any)
    }

    /// Visits regular expressions and suffixes, merged in the order of the
    /// file.
    fn visit_patterns<B>(
        &self,
        path: &[u8],
        regexes: &[Regex],
        each: &mut impl FnMut(&[usize]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let deepest = self.deepest_suffix(path);
        let mut expressions = self.regexes.iter().copied().peekable();
        let mut from = 0;
        loop {
            let suffix = self.next_suffix(deepest, from);
            match (expressions.peek(), suffix) {
                (Some(&(at, number)), suffix) if suffix.is_none_or(|s| number < s) => {
                    expressions.next();
                    if regexes.get(at).is_some_and(|regex| regex.is_match(path)) {
                        each(&[number])?;
                    }
                }
                (_, Some(number)) => {
                    each(&[number])?;
                    from = number + 1;
                }
                (_, None) => return ControlFlow::Continue(()),
            }
        }
    }

    fn deepest_suffix(&self, path: &[u8]) -> Option<&Entry<Vec<usize>>> {
        if self.suffixes.is_empty() {
            return None;
        }
        let backwards = path.iter().rev().map(u8::to_ascii_lowercase);
        self.suffixes.deepest(backwards)
    }

    /// The first route numbered `from` or above whose suffix matches.
    fn next_suffix(&self, deepest: Option<&Entry<Vec<usize>>>, from: usize) -> Option<usize> {
        let mut first = None;
        let mut at = deepest;
        while let Some(entry) = at {
            let place = entry.value.partition_point(|&number| number < from);
            let here = entry.value.get(place).copied();
            first = match (first, here) {
                (Some(a), Some(b)) => Some(usize::min(a, b)),
                (a, b) => a.or(b),
            };
            at = self.suffixes.shorter(entry);
        }
        first
    }
}

impl Route {
    /// Whether the path matches, checked without the tables. Only for
    /// explanations; requests are routed by [`Site::route`].
    pub(crate) fn takes_path(&self, path: &[u8], regexes: &[Regex]) -> bool {
        let is_bare = self.bare_path().is_some_and(|bare| bare == path);
        is_bare || self.path.matches(path, regexes)
    }

    /// The prefix without its slash, if the route takes that path too.
    pub(crate) fn bare_path(&self) -> Option<&[u8]> {
        match &self.path {
            Path::Prefix(text) if self.bare => {
                text.strip_suffix(b"/").filter(|bare| !bare.is_empty())
            }
            _ => None,
        }
    }

    pub(crate) fn conditions_hold(&self, request: &impl Request, regexes: &[Regex]) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.all(|condition| condition.holds(request, regexes))
    }
}

impl Path {
    fn matches(&self, path: &[u8], regexes: &[Regex]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(text) => **text == *path,
            Self::Segment(text) => path
                .strip_prefix(&**text)
                .is_some_and(|rest| matches!(rest.first(), None | Some(b'/'))),
            Self::Prefix(text) => path.starts_with(text),
            Self::Suffix(texts) => {
                let lower = path.to_ascii_lowercase();
                texts.iter().any(|text| lower.ends_with(text))
            }
            Self::Regex(at) => regexes.get(*at).is_some_and(|r| r.is_match(path)),
        }
    }
}
