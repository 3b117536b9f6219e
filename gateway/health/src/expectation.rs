//! What a response must be, for a check to pass.

use std::ops::RangeInclusive;

use http::StatusCode;
use regex::bytes::{Regex, RegexBuilder};

use crate::failure::fault;
use janua_upstream::CheckFailure;

/// How much of a body is looked at. An endpoint could send without end.
pub(crate) const BODY_LIMIT: usize = 64 * 1024;
/// The most memory that a compiled expression takes.
const REGEX_SIZE: usize = 1024 * 1024;

/// What a response must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// Its status is one of these.
    pub statuses: Statuses,
    /// Its body contains this; none for any body.
    pub body: Option<BodyPattern>,
}

/// A set of statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(pub Vec<RangeInclusive<u16>>);

/// A regular expression that is searched in the first 64 KiB of a body.
#[derive(Debug, Clone)]
pub struct BodyPattern(Regex);

impl BodyPattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Why it is none, for the operator.
    pub fn new(expression: &str) -> Result<Self, String> {
        let compiled = RegexBuilder::new(expression).size_limit(REGEX_SIZE).build();
        compiled.map(Self).map_err(|error| error.to_string())
    }
}

/// The text of an expression says all about it.
impl PartialEq for BodyPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for BodyPattern {}

impl Expectation {
    /// Judges the status.
    pub(crate) fn check_status(&self, status: StatusCode) -> Result<(), CheckFailure> {
        let status = status.as_u16();
        match self.statuses.0.iter().any(|range| range.contains(&status)) {
            true => Ok(()),
            false => Err(CheckFailure {
                status: Some(status),
                ..fault("status", "")
            }),
        }
    }

    /// Judges the body, or its beginning if it is larger than [`BODY_LIMIT`].
    pub(crate) fn check_body(&self, body: &[u8]) -> Result<(), CheckFailure> {
        let Some(BodyPattern(regex)) = &self.body else {
            return Ok(());
        };
        match regex.is_match(body) {
            true => Ok(()),
            false => Err(fault("body", "the body does not match")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation(body: Option<&str>) -> Expectation {
        Expectation {
            statuses: Statuses(vec![200..=299, 401..=401]),
            body: body.map(|text| BodyPattern::new(text).unwrap()),
        }
    }

    #[test]
    fn statuses() {
        for (status, passes) in [
            (200, true),
            (204, true),
            (299, true),
            (302, false),
            (400, false),
            (401, true),
            (402, false),
            (503, false),
        ] {
            let result = expectation(None).check_status(StatusCode::from_u16(status).unwrap());
            let expected = (!passes).then_some(status);
            assert_eq!(
                result.err().map(|failure| failure.status.unwrap()),
                expected
            );
        }
    }

    #[test]
    fn bodies() {
        for (pattern, body, passes) in [
            (None, &b""[..], true),
            (Some("^ok$"), b"ok", true),
            (Some("^ok$"), b"not ok", false),
            (Some("ok"), b"\xff not ok \xff", true),
            (Some("\"status\":\\s*\"UP\""), b"{\"status\": \"UP\"}", true),
            (Some("x"), b"", false),
        ] {
            let result = expectation(pattern).check_body(body);
            assert_eq!(result.is_ok(), passes, "{pattern:?}");
        }
        assert!(BodyPattern::new("(").is_err());
        assert!(BodyPattern::new("(a{1000}){1000}").is_err());
    }
}
