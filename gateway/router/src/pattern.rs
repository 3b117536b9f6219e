//! The compiled conditions of one route on methods, header fields and query
//! parameters.

use std::fmt::Write as _;

use regex::bytes::Regex;

use crate::router::Request;

/// Methods that are one bit each in [`Methods`].
pub(crate) const STANDARD: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE",
];

const GET: usize = 0;
const HEAD: usize = 1;

/// A set of methods. The empty set, built from no names, accepts every method.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Methods {
    standard: u16,
    /// Others, sorted.
    other: Box<[Box<[u8]>]>,
}

impl Methods {
    pub(crate) fn new(names: &[String]) -> Self {
        let mut standard = 0;
        let mut other: Vec<Box<[u8]>> = Vec::new();
        for name in names {
            match place(name.as_bytes()) {
                Some(GET) => standard |= 1 << GET | 1 << HEAD,
                Some(bit) => standard |= 1 << bit,
                None => other.push(name.as_bytes().into()),
            }
        }
        other.sort_unstable();
        other.dedup();
        Self {
            standard,
            other: other.into(),
        }
    }

    /// Whether every method is accepted.
    pub(crate) fn is_any(&self) -> bool {
        self.standard == 0 && self.other.is_empty()
    }

    pub(crate) fn take(&self, method: &[u8]) -> bool {
        if self.is_any() {
            return true;
        }
        match place(method) {
            Some(bit) => self.standard & 1 << bit != 0,
            None => self.other.iter().any(|m| **m == *method),
        }
    }

    /// Whether every method that `other` accepts is accepted.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        if self.is_any() || other.is_any() {
            return self.is_any();
        }
        other.standard & !self.standard == 0
            && other.other.iter().all(|method| self.other.contains(method))
    }

    /// Adds the methods of `more`.
    pub(crate) fn join(&mut self, more: &Self) {
        self.standard |= more.standard;
        let mut other = std::mem::take(&mut self.other).into_vec();
        for method in &more.other {
            if !other.contains(method) {
                other.push(method.clone());
            }
        }
        self.other = other.into();
    }

    /// The value of an `Allow` field.
    pub(crate) fn allow(&self) -> String {
        let mut allow = String::new();
        let standard = STANDARD.iter().enumerate();
        for (_, name) in standard.filter(|(bit, _)| self.standard & 1 << bit != 0) {
            let _ = write!(allow, "{}{name}", separator(&allow));
        }
        for name in &self.other {
            let name = String::from_utf8_lossy(name);
            let _ = write!(allow, "{}{name}", separator(&allow));
        }
        allow
    }
}

fn separator(written: &str) -> &'static str {
    if written.is_empty() { "" } else { ", " }
}

fn place(method: &[u8]) -> Option<usize> {
    STANDARD.iter().position(|name| name.as_bytes() == method)
}

/// A condition on the value of one header field or query parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Condition {
    pub(crate) of: Of,
    pub(crate) value: Value,
}

/// What a condition is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Of {
    /// The header field of this name, in lower case.
    Header(Box<str>),
    /// The query parameter of this name.
    Query(Box<str>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Value {
    Equals(Box<[u8]>),
    Present,
    Absent,
    /// Index into the router's expressions.
    Regex(usize),
}

impl Condition {
    pub(crate) fn holds(&self, request: &impl Request, regexes: &[Regex]) -> bool {
        let value = match &self.of {
            Of::Header(name) => request.header(name),
            Of::Query(name) => request.query_parameter(name),
        };
        match (&self.value, value) {
            (Value::Absent, value) => value.is_none(),
            (_, None) => false,
            (Value::Present, Some(_)) => true,
            (Value::Equals(expected), Some(value)) => **expected == *value,
            (Value::Regex(at), Some(value)) => regexes.get(*at).is_some_and(|r| r.is_match(&value)),
        }
    }
}
