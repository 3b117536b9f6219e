//! What a request says of caching (RFC 9111 §5.2.1).

use janua_http::{Fields, Framing, RequestHead};

use super::Detail;
use super::control::{Directive, directives};

/// What a request says of caching, read once, from the head as the client sent
/// it: credentials that a policy adds make variants instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Why the cache takes no part: it neither answers this request nor stores
    /// what answers it. A stored response that the answer to an unsafe method
    /// makes stale is found by [`invalidate`](super::invalidate).
    pub barred: Option<Detail>,
    /// `HEAD`: may be answered from a stored `GET`; its answer is not stored.
    pub is_head: bool,
    /// It has `Authorization`.
    pub is_authorized: bool,
    /// `no-cache`: ask the upstream first.
    pub no_cache: bool,
    /// `only-if-cached`: a miss is answered 504 (§5.2.1.7).
    pub only_if_cached: bool,
    /// `max-age`: no response older than these seconds.
    pub max_age: Option<u32>,
    /// `min-fresh`: one that stays fresh for these seconds.
    pub min_fresh: Option<u32>,
    /// `max-stale`: one that has been stale for no more than these seconds;
    /// without a number, any.
    pub max_stale: Option<u32>,
}

impl Asked {
    /// Reads a request. Without `honour` its `Cache-Control` does not count: any
    /// client could force the gateway to ask the upstream, which is why nginx and
    /// Varnish ignore it. The rest counts always.
    ///
    /// `Pragma` never counts: it is deprecated (§5.4), and who means it sends
    /// `Cache-Control` too. Of a directive with a number the first counts; a
    /// number that is none asks for the freshest: a `max-age` of zero, and no
    /// `max-stale`.
    #[must_use]
    pub fn of(request: &RequestHead, honour: bool) -> Self {
        let mut asked = Self {
            is_head: request.method == b"HEAD",
            is_authorized: request.fields.get(b"authorization").is_some(),
            ..Self::default()
        };
        let mut no_store = false;
        if honour {
            no_store = asked.take_directives(&request.fields);
        }
        asked.barred = bar(request).or_else(|| no_store.then_some(Detail::RequestNoStore));
        asked
    }

    /// True if there is `no-store`.
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

/// What no cache may answer, or this one does not.
fn bar(request: &RequestHead) -> Option<Detail> {
    let has = |name: &[u8]| request.fields.get(name).is_some();
    match () {
        () if request.method != b"GET" && request.method != b"HEAD" => Some(Detail::Method),
        () if request.upgrade => Some(Detail::Upgrade),
        () if !matches!(request.framing, Framing::None | Framing::Length(0)) => {
            Some(Detail::RequestBody)
        }
        // Frameworks take the request for another's then; whoever asks without
        // the field is not to be shown what that one answered.
        () if request
            .fields
            .iter()
            .any(|(_, name, _)| renames_method(name)) =>
        {
            Some(Detail::Method)
        }
        // Only the origin can evaluate them (RFC 9111 §4.3.2).
        () if has(b"if-match") || has(b"if-unmodified-since") => Some(Detail::Precondition),
        () => None,
    }
}

/// True for the fields in which a client may write another method.
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
