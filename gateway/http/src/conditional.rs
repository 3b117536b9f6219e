//! Conditional requests (RFC 9110 §13): whether the target's validators let a
//! request go on.

use crate::date;
use crate::etag::{self, Comparison, EntityTag};
use crate::fields::Fields;
use crate::request::RequestHead;

/// What tells one version of a representation from another (RFC 9110 §8.8).
#[derive(Clone, Copy, Debug, Default)]
pub struct Validators<'a> {
    /// The value of `ETag`; one that is not an entity tag counts as none.
    pub etag: Option<&'a [u8]>,
    /// `Last-Modified`, in Unix seconds.
    pub modified: Option<u64>,
}

impl<'a> Validators<'a> {
    /// The validators that a response's fields state.
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

/// What becomes of a conditional request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// It is answered as if it had no condition.
    Proceed,
    /// 304: the client has what there is.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates all preconditions in the order of RFC 9110 §13.2.2, as the origin
/// of a representation that there is; `Range` and `If-Range` come after, in
/// [`range`](crate::range). Ask only where the answer would be a 2xx (§13.2.1).
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
    if !has_what_there_is(fields, validators, is_read(request)) {
        Precondition::Proceed
    } else if is_read(request) {
        Precondition::NotModified
    } else {
        Precondition::Failed
    }
}

/// True if a `GET` or `HEAD` may be answered 304, by `If-None-Match` and
/// `If-Modified-Since` alone: what a cache evaluates, which leaves `If-Match`
/// and `If-Unmodified-Since` to the origin (RFC 9111 §4.3.2).
#[must_use]
pub fn not_modified(request: &RequestHead, validators: Validators<'_>) -> bool {
    is_read(request) && has_what_there_is(&request.fields, validators, true)
}

/// The client names the current version in `If-None-Match`, or without that
/// field and only when it reads, in `If-Modified-Since` (RFC 9110 §13.1.3).
fn has_what_there_is(fields: &Fields, validators: Validators<'_>, reads: bool) -> bool {
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

/// The date of a field that has one line; anything else is ignored.
fn one_date(fields: &Fields, name: &[u8]) -> Option<u64> {
    let mut values = fields.get_all(name);
    let first = values.next()?;
    values.next().is_none().then(|| date::parse(first))?
}

#[cfg(test)]
mod tests;
