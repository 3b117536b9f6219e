//! Finds routes that no request can reach because another route takes all of their
//! requests.
//!
//! The result is a warning for the operator, computed before the router is built.
//! Routes are compared in pairs only, and a regular expression is understood only
//! if it is a literal text. Every route reported is certainly unreachable; a route
//! that is not reported may still be.

use ahash::HashMap;

use crate::build::expression as expression_of;
use crate::pattern::{Methods, Of};
use crate::spec::{PathPattern, RouteSpec, ValuePattern};

/// A route of a site that is never chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadowed {
    /// Index of the unreachable route within the site.
    pub route: usize,
    /// Index of the route that takes all of its requests.
    pub by: usize,
}

/// The routes of a site that are never chosen, in the order of the file. Routes
/// that repeat another route's path, methods and conditions are not included, because
/// [`crate::Router::new`] refuses them.
pub fn shadowed(routes: &[RouteSpec]) -> Vec<Shadowed> {
    let known: Vec<ComparableRoute<'_>> = routes.iter().map(ComparableRoute::of).collect();
    let index = Index::of(&known);
    let found = known.iter().enumerate().filter_map(|(number, route)| {
        let by = index.tried_before(number, route, &known).find(|&other| {
            known
                .get(other)
                .is_some_and(|other| other.takes_all_of(route))
        })?;
        Some(Shadowed { route: number, by })
    });
    found.collect()
}

/// A route in a normalised form, so that two routes can be compared.
struct ComparableRoute<'a> {
    path: Path<'a>,
    /// The prefix without its slash, if the route takes that path too: `/api` for
    /// `/api/`.
    bare: Option<&'a str>,
    methods: Methods,
    conditions: Vec<(Of, &'a ValuePattern)>,
}

/// The kinds of path in the order in which they are tried: see the crate's
/// documentation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Path<'a> {
    Exact(&'a str),
    /// Lower-case.
    Suffix(Vec<String>),
    Regex(&'a str),
    Segment(&'a str),
    Prefix(&'a str),
    Any,
}

/// Finds the routes that may take all requests of another route.
#[derive(Default)]
struct Index<'a> {
    /// Routes by their path pattern.
    same: HashMap<Path<'a>, Vec<usize>>,
    /// Routes by each of their suffixes.
    suffixes: HashMap<String, Vec<usize>>,
    /// Regular expressions that are a literal text, and their routes.
    texts: Vec<(Literal, usize)>,
}

/// A regular expression without operators, which is a literal text to find.
struct Literal {
    /// It begins with `^`: the text must be at the start of the path.
    is_start: bool,
    /// It ends with `$`: the text must be at the end of the path.
    is_end: bool,
    text: String,
}

impl<'a> ComparableRoute<'a> {
    fn of(spec: &'a RouteSpec) -> Self {
        let headers = spec.headers.iter().map(|header| {
            let name = header.name.to_ascii_lowercase().into();
            (Of::Header(name), &header.value)
        });
        let query = spec.query.iter();
        let query = query.map(|it| (Of::Query(it.name.as_str().into()), &it.value));
        let prefix = match &spec.path {
            PathPattern::Segment(path) | PathPattern::Prefix(path) => path.strip_suffix('/'),
            _ => None,
        };
        Self {
            bare: prefix.filter(|bare| spec.bare && !bare.is_empty()),
            path: match &spec.path {
                PathPattern::Any => Path::Any,
                PathPattern::Exact(path) => Path::Exact(path),
                PathPattern::Segment(path) if path.ends_with('/') => Path::Prefix(path),
                PathPattern::Segment(path) => Path::Segment(path),
                PathPattern::Prefix(path) => Path::Prefix(path),
                PathPattern::Suffix(ends) => {
                    let mut ends: Vec<_> = ends.iter().map(|it| it.to_ascii_lowercase()).collect();
                    ends.sort_unstable();
                    ends.dedup();
                    Path::Suffix(ends)
                }
                PathPattern::Regex(expression) => Path::Regex(expression),
            },
            methods: Methods::new(&spec.methods),
            conditions: headers.chain(query).collect(),
        }
    }

    /// Whether this route's methods and conditions accept every request that those of
    /// `other` accept. False for an exact repetition, which is an error already.
    fn takes_all_of(&self, other: &Self) -> bool {
        let holds = |(of, value): &(Of, &ValuePattern)| {
            let mut others = other.conditions.iter();
            others.any(|(other_of, other)| of == other_of && is_implied(value, other))
        };
        let is_repeated = self.path == other.path
            && self.methods == other.methods
            && self.conditions.len() == other.conditions.len()
            && other
                .conditions
                .iter()
                .all(|it| self.conditions.contains(it));
        // The bare path is taken as well by a route with the same one, or by an
        // expression.
        let takes_bare =
            other.bare.is_none() || self.bare == other.bare || matches!(self.path, Path::Regex(_));
        takes_bare
            && self.methods.covers(&other.methods)
            && self.conditions.iter().all(holds)
            && !is_repeated
    }
}

/// Whether every value that `by` accepts is accepted by `value`.
fn is_implied(value: &ValuePattern, by: &ValuePattern) -> bool {
    match (value, by) {
        (ValuePattern::Present, by) => *by != ValuePattern::Absent,
        // An expression that does not compile is reported elsewhere.
        (ValuePattern::Regex(expression), ValuePattern::Equals(text)) => {
            expression_of(expression).is_ok_and(|regex| regex.is_match(text.as_bytes()))
        }
        (value, by) => value == by,
    }
}

impl<'a> Index<'a> {
    fn of(routes: &[ComparableRoute<'a>]) -> Self {
        let mut index = Self::default();
        for (number, route) in routes.iter().enumerate() {
            index
                .same
                .entry(route.path.clone())
                .or_default()
                .push(number);
            match &route.path {
                Path::Suffix(ends) => {
                    for end in ends {
                        index.suffixes.entry(end.clone()).or_default().push(number);
                    }
                }
                Path::Regex(expression) => {
                    index
                        .texts
                        .extend(Literal::of(expression).map(|text| (text, number)));
                }
                _ => {}
            }
        }
        index
    }

    /// The routes that are tried before `route` and match every path that it
    /// matches.
    fn tried_before<'i>(
        &'i self,
        number: usize,
        route: &'i ComparableRoute<'a>,
        routes: &'i [ComparableRoute<'a>],
    ) -> impl Iterator<Item = usize> + 'i {
        let before = move |other: &&usize| **other < number;
        let same = self.same.get(&route.path).into_iter().flatten();
        // Every path is below the root; of request targets only `*` is not, which is answered
        // before it is routed.
        let root = self.same.get(&Path::Prefix("/")).into_iter().flatten();
        let root = root.filter(|_| route.path == Path::Any);
        // Expressions and suffixes are tried in the order of the file, and before
        // all prefixes.
        let is_pattern = matches!(route.path, Path::Suffix(_) | Path::Regex(_));
        let path = match route.bare {
            Some(bare) => Path::Segment(bare),
            None => route.path.clone(),
        };
        let texts = self.texts.iter().filter(move |(text, other)| {
            (!is_pattern || *other < number) && text.occurs_in_all(&path)
        });
        let suffixes = match &route.path {
            Path::Suffix(ends) => self.with_shorter_suffixes(ends, routes),
            _ => Vec::new(),
        };
        same.filter(before)
            .chain(root)
            .copied()
            .chain(
                texts
                    .map(|(_, other)| *other)
                    .filter(move |other| *other != number),
            )
            .chain(suffixes.into_iter().filter(move |other| *other < number))
    }

    /// Suffix routes in which each of `ends` has a suffix: a route for `.js`
    /// contains one for `.min.js`.
    fn with_shorter_suffixes(&self, ends: &[String], routes: &[ComparableRoute<'a>]) -> Vec<usize> {
        let Some((first, rest)) = ends.split_first() else {
            return Vec::new();
        };
        let tails = first.char_indices().filter_map(|(at, _)| first.get(at..));
        let candidates = tails.filter_map(|tail| self.suffixes.get(tail)).flatten();
        let is_wider = |&&other: &&usize| match routes.get(other).map(|route| &route.path) {
            Some(Path::Suffix(wider)) => rest
                .iter()
                .all(|end| wider.iter().any(|wide| end.ends_with(wide.as_str()))),
            _ => false,
        };
        let mut found: Vec<usize> = candidates.filter(is_wider).copied().collect();
        found.sort_unstable();
        found
    }
}

impl Literal {
    /// None if the expression has operators.
    fn of(expression: &str) -> Option<Self> {
        let (is_start, rest) = match expression.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, expression),
        };
        let mut text = String::new();
        let mut characters = rest.chars().peekable();
        let mut is_end = false;
        while let Some(character) = characters.next() {
            match character {
                '$' if characters.peek().is_none() => is_end = true,
                // An escaped punctuation mark stands for itself, except `\<` and
                // `\>`, which are word boundaries; an escaped letter is a class.
                '\\' => text.push(
                    characters
                        .next()
                        .filter(char::is_ascii_punctuation)
                        .filter(|mark| !matches!(mark, '<' | '>'))?,
                ),
                '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => {
                    return None;
                }
                character => text.push(character),
            }
        }
        Some(Self {
            is_start,
            is_end,
            text,
        })
    }

    /// Whether the text occurs in every path that matches `path`. Exact paths are
    /// left out: they are tried before any expression.
    fn occurs_in_all(&self, path: &Path<'_>) -> bool {
        match path {
            Path::Prefix(prefix) | Path::Segment(prefix) => {
                !self.is_end
                    && if self.is_start {
                        prefix.starts_with(&self.text)
                    } else {
                        prefix.contains(&self.text)
                    }
            }
            // Only the empty expression is found in every path.
            Path::Any | Path::Suffix(_) => self.text.is_empty() && !(self.is_start && self.is_end),
            Path::Regex(expression) => Self::of(expression).is_some_and(|other| {
                let is_found = match (self.is_start, self.is_end) {
                    (true, true) => other.text == self.text,
                    (true, false) => other.text.starts_with(&self.text),
                    (false, true) => other.text.ends_with(&self.text),
                    (false, false) => other.text.contains(&self.text),
                };
                is_found && (!self.is_start || other.is_start) && (!self.is_end || other.is_end)
            }),
            Path::Exact(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
