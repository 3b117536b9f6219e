//! Routes that no request can reach, because another one takes all of theirs.
//!
//! For people, before the router is built. Only pairs are looked at, and of
//! regular expressions only those that stand for a plain text: what is found is
//! certain, and what is not found may still be unreachable.

use ahash::HashMap;

use crate::pattern::Methods;
use crate::spec::{HeaderPattern, PathPattern, RouteSpec, ValuePattern};

/// A route of a site that is never chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadowed {
    /// The route's place within the site.
    pub route: usize,
    /// The place of the route that takes its requests.
    pub by: usize,
}

/// The routes of a site that are never chosen, each once, in the file's order.
/// Routes that repeat another one's path, methods and headers are not among
/// them: [`crate::Router::new`] refuses those.
pub fn shadowed(routes: &[RouteSpec]) -> Vec<Shadowed> {
    let known: Vec<Known<'_>> = routes.iter().map(Known::of).collect();
    let index = Index::of(&known);
    let found = known.iter().enumerate().filter_map(|(number, route)| {
        let by = index.above(number, route, &known).find(|&other| {
            known
                .get(other)
                .is_some_and(|other| other.takes_all_of(route))
        })?;
        Some(Shadowed { route: number, by })
    });
    found.collect()
}

/// A route in the form in which two can be compared.
struct Known<'a> {
    path: Path<'a>,
    /// It takes its prefix without the slash too: `/api` beside `/api/`.
    bare: Option<&'a str>,
    methods: Methods,
    headers: Vec<(String, &'a ValuePattern)>,
}

/// A path in the order in which they are tried: see the crate's documentation.
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

/// Where the routes are that may take another one's requests.
#[derive(Default)]
struct Index<'a> {
    /// Routes by their whole path.
    same: HashMap<Path<'a>, Vec<usize>>,
    /// Routes by each of their suffixes.
    suffixes: HashMap<String, Vec<usize>>,
    /// Expressions that stand for a text, and their routes.
    texts: Vec<(Text, usize)>,
}

/// What an expression without operators finds.
struct Text {
    /// It is found only where the path begins (`^`).
    is_start: bool,
    /// It is found only where the path ends (`$`).
    is_end: bool,
    text: String,
}

impl<'a> Known<'a> {
    fn of(spec: &'a RouteSpec) -> Self {
        let header = |header: &'a HeaderPattern| (header.name.to_ascii_lowercase(), &header.value);
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
            headers: spec.headers.iter().map(header).collect(),
        }
    }

    /// Whether its methods and headers let through whatever those of `other` do,
    /// and are not simply the same: then one of the two is refused.
    fn takes_all_of(&self, other: &Self) -> bool {
        let holds = |(name, value): &(String, &ValuePattern)| {
            other.headers.iter().any(|(other_name, other_value)| {
                let is_implied =
                    **value == ValuePattern::Present && **other_value != ValuePattern::Absent;
                name == other_name && (value == other_value || is_implied)
            })
        };
        let is_repeated = self.path == other.path
            && self.methods == other.methods
            && self.headers.len() == other.headers.len()
            && other.headers.iter().all(|it| self.headers.contains(it));
        // A path beside that of a prefix is taken by the same, or by an expression.
        let takes_bare =
            other.bare.is_none() || self.bare == other.bare || matches!(self.path, Path::Regex(_));
        takes_bare
            && self.methods.covers(&other.methods)
            && self.headers.iter().all(holds)
            && !is_repeated
    }
}

impl<'a> Index<'a> {
    fn of(routes: &[Known<'a>]) -> Self {
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
                        .extend(Text::of(expression).map(|text| (text, number)));
                }
                _ => {}
            }
        }
        index
    }

    /// The routes that are tried before this one for every path that it takes.
    fn above<'i>(
        &'i self,
        number: usize,
        route: &'i Known<'a>,
        routes: &'i [Known<'a>],
    ) -> impl Iterator<Item = usize> + 'i {
        let before = move |other: &&usize| **other < number;
        let same = self.same.get(&route.path).into_iter().flatten();
        // Expressions and suffixes are tried in the order of the file, and
        // before all prefixes.
        let is_pattern = matches!(route.path, Path::Suffix(_) | Path::Regex(_));
        let path = match route.bare {
            Some(bare) => Path::Segment(bare),
            None => route.path.clone(),
        };
        let texts = self.texts.iter().filter(move |(text, other)| {
            (!is_pattern || *other < number) && text.is_in_all_of(&path)
        });
        let suffixes = match &route.path {
            Path::Suffix(ends) => self.wider(ends, routes),
            _ => Vec::new(),
        };
        same.filter(before)
            .copied()
            .chain(
                texts
                    .map(|(_, other)| *other)
                    .filter(move |other| *other != number),
            )
            .chain(suffixes.into_iter().filter(move |other| *other < number))
    }

    /// Routes of which each of these suffixes ends in one.
    fn wider(&self, ends: &[String], routes: &[Known<'a>]) -> Vec<usize> {
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

impl Text {
    /// None for an expression with operators.
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
                // An escaped mark is itself, but for the ends of words; an escaped
                // letter is a class.
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

    /// Whether it is found in every path that such a route takes. Routes with a
    /// less specific path only: an exact one is tried before.
    fn is_in_all_of(&self, path: &Path<'_>) -> bool {
        match path {
            Path::Prefix(prefix) | Path::Segment(prefix) => {
                !self.is_end
                    && if self.is_start {
                        prefix.starts_with(&self.text)
                    } else {
                        prefix.contains(&self.text)
                    }
            }
            // Any path at all, where only the empty expression is found.
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
