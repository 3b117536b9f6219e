//! Conditional requests (RFC 9110 §13): evaluates preconditions against validators.

use crate::date;
use crate::etag::{self, Comparison, EntityTag};
use crate::fields::Fields;
use crate::request::RequestHead;

/// The validators of a representation, which identify its version (RFC 9110 §8.8).
#[derive(Clone, Copy, Debug, Default)]
pub struct Validators<'a> {
    /// The value of `ETag`. A value that is not an entity tag counts as absent.
    pub etag: Option<&'a [u8]>,
    /// `Last-Modified`, in Unix seconds.
    pub modified: Option<u64>,
}

impl<'a> Validators<'a> {
    /// The validators in the fields of a response.
    #[must_use]
    pub fn of(fields: &'a Fields) -> Self {
        Self {
            etag: fields.get(b"etag"),
            modified: fields.get(b"last-modified").and_then(date::parse),
        }
    }

    /// The entity tag, if there is one.
    #[must_use]
    pub fn tag(self) -> Option<EntityTag<'a>> {
        self.etag.and_then(EntityTag::parse)
    }
}

/// The result of evaluating preconditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The request is answered as if it were unconditional.
    Proceed,
    /// The client has the current version: 304.
    NotModified,
    /// A precondition failed: 412.
    Failed,
}

/// Evaluates all preconditions in the order of RFC 9110 §13.2.2, as the origin server of an
/// existing representation. `Range` and `If-Range` follow in [`range`](crate::range). Call
/// this only if the response would otherwise be a 2xx (§13.2.1).
#[must_use]
pub fn evaluate(request: &RequestHead, validators: Validators<'_>) -> Precondition {
    let fields = &request.fields;
    if has(fields, b"if-match") {
        let values = fields.get_all(b"if-match");
        if !etag::names(values, validators.tag(), Comparison::Strong) {
            return Precondition::Failed;
        }
    } else if let Some(since) = one_date(fields, b"if-unmodified-since")
        && validators.modified.is_some_and(|modified| modified > since)
    {
        return Precondition::Failed;
    }
    if !has_current_version(fields, validators, is_read(request)) {
        Precondition::Proceed
    } else if is_read(request) {
        Precondition::NotModified
    } else {
        Precondition::Failed
    }
}

/// True if a `GET` or `HEAD` may be answered with 304. Only `If-None-Match` and
/// `If-Modified-Since` are evaluated, as a cache does, which leaves `If-Match` and
/// `If-Unmodified-Since` to the origin server (RFC 9111 §4.3.2).
#[must_use]
pub fn not_modified(request: &RequestHead, validators: Validators<'_>) -> bool {
    is_read(request) && has_current_version(&request.fields, validators, true)
}

/// True if `If-None-Match` names the current version, or, without that field and only for
/// `GET` and `HEAD`, `If-Modified-Since` does (RFC 9110 §13.1.3).
fn has_current_version(fields: &Fields, validators: Validators<'_>, reads: bool) -> bool {
    if has(fields, b"if-none-match") {
        let values = fields.get_all(b"if-none-match");
        return etag::names(values, validators.tag(), Comparison::Weak);
    }
    reads
        && one_date(fields, b"if-modified-since")
            .zip(validators.modified)
            .is_some_and(|(since, modified)| modified <= since)
}

fn is_read(request: &RequestHead) -> bool {
    matches!(request.method.as_slice(), b"GET" | b"HEAD")
}

fn has(fields: &Fields, name: &[u8]) -> bool {
    fields.get(name).is_some()
}

/// The date of a field with exactly one line; otherwise the field is ignored.
fn one_date(fields: &Fields, name: &[u8]) -> Option<u64> {
    let mut values = fields.get_all(name);
    let first = values.next()?;
    values.next().is_none().then(|| date::parse(first))?
}

#[cfg(test)]
mod tests;
