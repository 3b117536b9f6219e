//! The cache directives of a request (RFC 9111 §5.2.1).

use janua_http::{Fields, Framing, RequestHead};

use super::Detail;
use super::control::{Directive, directives};

/// What a request asks of the cache. It is read once, from the head as the client sent
/// it, so that credentials that a policy adds do not count as the client's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestControl {
    /// Why the cache is not used: it neither answers this request nor stores the
    /// response. An unsafe method may still invalidate stored responses (see
    /// [`invalidate`](super::invalidate)).
    pub bypass: Option<Detail>,
    /// The method is `HEAD`: a stored response to `GET` may answer it; its own response is
    /// not stored.
    pub is_head: bool,
    /// The request has `Authorization`.
    pub is_authorized: bool,
    /// `no-cache`: a stored response must be validated before it is served.
    pub no_cache: bool,
    /// `only-if-cached`: a miss is answered with 504 (RFC 9111 §5.2.1.7).
    pub only_if_cached: bool,
    /// `max-age`: the greatest accepted age, in seconds.
    pub max_age: Option<u32>,
    /// `min-fresh`: for how many seconds the response must stay fresh.
    pub min_fresh: Option<u32>,
    /// `max-stale`: for how many seconds the response may have been stale; without a
    /// number, `u32::MAX`.
    pub max_stale: Option<u32>,
}

impl RequestControl {
    /// Reads a request. Its `Cache-Control` is obeyed only if `honour` is true: with it,
    /// any client can force requests to the upstream, which is why nginx and Varnish
    /// ignore it.
    ///
    /// `Pragma` is always ignored: it is deprecated (RFC 9111 §5.4), and clients that
    /// send it send `Cache-Control` too. If a directive with a number is repeated, the
    /// first one counts. An invalid `max-age` is zero, and an invalid `min-fresh` or
    /// `max-stale` is ignored.
    #[must_use]
    pub fn of(request: &RequestHead, honour: bool) -> Self {
        let mut control = Self {
            is_head: request.method == b"HEAD",
            is_authorized: request.fields.get(b"authorization").is_some(),
            ..Self::default()
        };
        let mut no_store = false;
        if honour {
            no_store = control.take_directives(&request.fields);
        }
        control.bypass =
            bypass_reason(request).or_else(|| no_store.then_some(Detail::RequestNoStore));
        control
    }

    /// Reads all directives; true if `no-store` is among them.
    fn take_directives(&mut self, fields: &Fields) -> bool {
        let mut no_store = false;
        for value in fields.get_all(b"cache-control") {
            for directive in directives(value) {
                no_store |= directive.is("no-store");
                self.take(directive);
            }
        }
        no_store
    }

    fn take(&mut self, directive: Directive<'_>) {
        if directive.is("no-cache") {
            self.no_cache = true;
        } else if directive.is("only-if-cached") {
            self.only_if_cached = true;
        } else if directive.is("max-age") {
            self.max_age = self.max_age.or_else(|| directive.seconds().or(Some(0)));
        } else if directive.is("min-fresh") {
            self.min_fresh = self.min_fresh.or_else(|| directive.seconds());
        } else if directive.is("max-stale") {
            let any = (!directive.has_argument()).then_some(u32::MAX);
            self.max_stale = self.max_stale.or_else(|| directive.seconds()).or(any);
        }
    }
}

/// Why this cache must not handle the request, apart from its `Cache-Control`.
fn bypass_reason(request: &RequestHead) -> Option<Detail> {
    let has = |name: &[u8]| request.fields.get(name).is_some();
    match () {
        () if request.method != b"GET" && request.method != b"HEAD" => Some(Detail::Method),
        () if request.upgrade => Some(Detail::Upgrade),
        () if !matches!(request.framing, Framing::None | Framing::Length(0)) => {
            Some(Detail::RequestBody)
        }
        // Many frameworks then use the method that the field names. That response must
        // not answer requests without the field.
        () if request
            .fields
            .iter()
            .any(|(_, name, _)| renames_method(name)) =>
        {
            Some(Detail::Method)
        }
        // Only the origin can evaluate these (RFC 9111 §4.3.2).
        () if has(b"if-match") || has(b"if-unmodified-since") => Some(Detail::Precondition),
        () => None,
    }
}

/// True for the fields by which a client overrides the method.
fn renames_method(name: &[u8]) -> bool {
    [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ]
    .iter()
    .any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

#[cfg(test)]
mod tests;
