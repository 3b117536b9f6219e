//! The bounds of what a verdict says to the cache.

use super::{MAX_NAME, Place, Violation, at_most, check_literal, word};
use crate::verdict::ParameterName;

/// The most values that join a cache key.
pub(crate) const MAX_VARY_ON: usize = 16;
/// The most names of query parameters.
pub(crate) const MAX_PARAMETERS: usize = 64;
/// The most bytes of `Cache-Control` or `CDN-Cache-Control`.
const MAX_LINE: usize = 1024;
/// The longest time: what a `delta-seconds` must be able to hold (RFC 9111 §1.2.2).
const MAX_SECONDS: u32 = (1 << 31) - 1;

/// A word that is said to the operator, so one that is there.
pub(crate) fn name(what: &str, text: &str) -> Result<Box<str>, Violation> {
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    word(what, text)
}

/// The name of a query parameter; a `*` at its end stands for any rest.
pub(crate) fn parameter_name(text: &str) -> Result<ParameterName, Violation> {
    at_most(
        "bytes of the name of a query parameter",
        text.len(),
        MAX_NAME,
    )?;
    if text.is_empty() {
        return Err("the name of a query parameter is empty".to_owned());
    }
    let (name, open) = match text.strip_suffix('*') {
        Some(start) => (start, true),
        None => (text, false),
    };
    if name.contains('*') || name.chars().any(char::is_control) {
        return Err(format!(
            "{text:?} is no name of a query parameter: a `*` may only end it"
        ));
    }
    Ok(if open {
        ParameterName::StartsWith(name.into())
    } else {
        ParameterName::Exact(name.into())
    })
}

/// One line of a field.
pub(crate) fn field_line(of: &str, text: String) -> Result<Box<str>, Violation> {
    at_most(&format!("bytes of `{of}`"), text.len(), MAX_LINE)?;
    check_literal(Place::Field, &text).map_err(|_| {
        format!("`{of}` holds a control character, and so is no field value (RFC 9110 §5.5)")
    })?;
    Ok(text.into())
}

/// A span of seconds.
pub(crate) fn seconds(of: &str, seconds: u32) -> Result<u32, Violation> {
    if seconds > MAX_SECONDS {
        Err(format!(
            "`{of}` is {seconds} seconds, and {MAX_SECONDS} is the most"
        ))
    } else {
        Ok(seconds)
    }
}
