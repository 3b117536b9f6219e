//! The rules for effects on the cache.

use super::{MAX_NAME, Place, Violation, at_most, check_literal, word};
use crate::verdict::ParameterName;

/// The largest number of values that a verdict adds to a cache key.
pub(crate) const MAX_VARY_ON: usize = 16;
/// The largest number of query parameter names.
pub(crate) const MAX_PARAMETERS: usize = 64;
/// The maximum length of `Cache-Control` or `CDN-Cache-Control`, in bytes.
const MAX_LINE: usize = 1024;
/// The longest duration: the largest `delta-seconds` that every recipient must be able
/// to represent (RFC 9111 §1.2.2).
const MAX_SECONDS: u32 = (1 << 31) - 1;

/// Checks a name that is shown to the operator: as [`word`], and not empty.
pub(crate) fn name(what: &str, text: &str) -> Result<Box<str>, Violation> {
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    word(what, text)
}

/// Checks the name of a query parameter. A `*` at its end matches any rest.
pub(crate) fn parameter_name(text: &str) -> Result<ParameterName, Violation> {
    at_most(
        "bytes of the name of a query parameter",
        text.len(),
        MAX_NAME,
    )?;
    if text.is_empty() {
        return Err("the name of a query parameter is empty".to_owned());
    }
    let (name, is_prefix) = match text.strip_suffix('*') {
        Some(start) => (start, true),
        None => (text, false),
    };
    if name.contains('*') || name.chars().any(char::is_control) {
        return Err(format!(
            "{text:?} is no name of a query parameter: a `*` may only end it"
        ));
    }
    Ok(if is_prefix {
        ParameterName::StartsWith(name.into())
    } else {
        ParameterName::Exact(name.into())
    })
}

/// Checks the value of a field line.
pub(crate) fn field_line(of: &str, text: String) -> Result<Box<str>, Violation> {
    at_most(&format!("bytes of `{of}`"), text.len(), MAX_LINE)?;
    check_literal(Place::Field, &text).map_err(|_| {
        format!("`{of}` contains a control character, so it is no field value (RFC 9110 §5.5)")
    })?;
    Ok(text.into())
}

/// Checks a duration in seconds.
pub(crate) fn seconds(of: &str, seconds: u32) -> Result<u32, Violation> {
    if seconds > MAX_SECONDS {
        Err(format!(
            "`{of}` is {seconds} seconds, and {MAX_SECONDS} is the most"
        ))
    } else {
        Ok(seconds)
    }
}
