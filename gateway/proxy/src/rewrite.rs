//! Computes the host and the path that an upstream gets of a request.
//!
//! The path of the request itself stays: policies, the cache and the access log know the one that
//! the client has asked for. The new path obeys the rules of all paths, so that gateway and
//! upstream cannot disagree about it.

use std::sync::Arc;

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_http::path;
use janua_http::url::UrlWriter;

use crate::caching::prefixed;
use crate::course::{Course, UpstreamPath};
use crate::exchange::{Exchange, Matched};
use crate::path_rules::PathRules;
use crate::snapshot::{HostField, PathEdit, Rewrite, RewrittenHost};
use crate::template::Template;

/// Computes host and path, and what of them the response depends on beyond the cache key.
///
/// # Errors
/// The request has a value that cannot be a part of them.
pub(crate) fn rewrite(
    exchange: &mut Exchange,
    matched: &Matched,
    rewrite: &Rewrite,
    course: &mut Course,
) -> Result<(), Failure> {
    let mut outside = Vec::new();
    let mut note = |template: &Template, value: &[u8]| {
        if matched.route().caches && template.is_outside_cache_key() {
            prefixed(&mut outside, Some(value));
        }
    };
    if let Some(rewritten) = &rewrite.host {
        let host = host(exchange, rewritten)?;
        note(&rewritten.host, host.as_bytes());
        course.host = HostField::Fixed(host.into());
    }
    let rules = matched.site().path_rules;
    match &rewrite.path {
        None => {}
        Some(PathEdit::Prefix(prefix)) => {
            let routed = &exchange.heads.request.path;
            if let Some(path) = prefix.apply(routed) {
                course.path = UpstreamPath::Rewritten(checked(&path, rules)?);
            }
        }
        Some(PathEdit::Template(template)) => {
            let mut url = UrlWriter::of_path();
            write(exchange, template, &mut url)?;
            let path = url.finish().map_err(|error| refusal(error.words()))?;
            let path = checked(&path, rules)?;
            note(template, &path);
            course.path = UpstreamPath::Rewritten(path);
        }
    }
    exchange.caching.personal.extend_from_slice(&outside);
    Ok(())
}

fn host(exchange: &Exchange, rewritten: &RewrittenHost) -> Result<String, Failure> {
    let mut url = UrlWriter::of_host(b"");
    write(exchange, &rewritten.host, &mut url)?;
    match rewritten.port {
        Some(port) => url.port(port),
        None => url.end_host(),
    }
    let url = url.finish().map_err(|error| refusal(error.words()))?;
    let host = url.strip_prefix(b"//").unwrap_or(&url);
    // The writer has checked that it is ASCII.
    Ok(String::from_utf8_lossy(host).into_owned())
}

fn write(exchange: &Exchange, template: &Template, url: &mut UrlWriter) -> Result<(), Failure> {
    let view = exchange.view(None);
    let written = template.write_to(url, &view);
    written.map_err(|unusable| refusal(unusable.words()))
}

/// The path in its normal form. It has no dot segments, which would lead out of what the text of
/// the configuration says.
fn checked(path: &[u8], rules: PathRules) -> Result<Arc<[u8]>, Failure> {
    if path::has_dot_segment(path) {
        return Err(refusal("the request makes a dot segment of the path"));
    }
    let mut normal = Vec::with_capacity(path.len());
    let spelling = path::normalise(path, &mut normal).map_err(|error| refusal(error.words()))?;
    rules.check(spelling, Kind::BadRequest)?;
    Ok(normal.into())
}

fn refusal(words: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::with(Kind::BadRequest, words)
}
