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
        asked.barred = bar(request).or(no_store.then_some(Detail::RequestNoStore));
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
            self.max_age.get_or_insert(directive.seconds().unwrap_or(0));
        } else if directive.is("min-fresh") {
            self.min_fresh = self.min_fresh.or(directive.seconds());
        } else if directive.is("max-stale") {
            let any = (!directive.has_argument()).then_some(u32::MAX);
            self.max_stale = self.max_stale.or(directive.seconds()).or(any);
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
        // Only the origin can evaluate them (RFC 9111 §4.3.2).
        () if has(b"if-match") || has(b"if-unmodified-since") => Some(Detail::Precondition),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, fields: &[(&str, &str)]) -> RequestHead {
        let mut request = RequestHead {
            method: method.as_bytes().to_vec(),
            ..RequestHead::default()
        };
        for (name, value) in fields {
            request.fields.append(name.as_bytes(), value.as_bytes());
        }
        request
    }

    #[test]
    fn directives_of_a_request() {
        let none = Asked::default();
        for (line, expected) in [
            ("nothing-to-see-here", none),
            (
                "No-Cache",
                Asked {
                    no_cache: true,
                    ..none
                },
            ),
            (
                "only-if-cached",
                Asked {
                    only_if_cached: true,
                    ..none
                },
            ),
            (
                "max-age=5, max-age=9",
                Asked {
                    max_age: Some(5),
                    ..none
                },
            ),
            (
                "max-age=x",
                Asked {
                    max_age: Some(0),
                    ..none
                },
            ),
            (
                "min-fresh=20",
                Asked {
                    min_fresh: Some(20),
                    ..none
                },
            ),
            ("min-fresh=x", none),
            (
                "max-stale=1000",
                Asked {
                    max_stale: Some(1000),
                    ..none
                },
            ),
            (
                "max-stale",
                Asked {
                    max_stale: Some(u32::MAX),
                    ..none
                },
            ),
            ("max-stale=x", none),
            (
                "no-store",
                Asked {
                    barred: Some(Detail::RequestNoStore),
                    ..none
                },
            ),
        ] {
            let request = request("GET", &[("Cache-Control", line)]);
            assert_eq!(Asked::of(&request, true), expected, "{line}");
            assert_eq!(Asked::of(&request, false), none, "{line}");
        }
    }

    #[test]
    fn pragma_says_nothing() {
        let request = request("GET", &[("Pragma", "no-cache")]);
        assert_eq!(Asked::of(&request, true), Asked::default());
    }

    #[test]
    fn bars() {
        for (method, field, barred) in [
            ("GET", "Accept", None),
            ("HEAD", "Accept", None),
            ("GET", "If-None-Match", None),
            ("GET", "Range", None),
            ("get", "Accept", Some(Detail::Method)),
            ("POST", "Accept", Some(Detail::Method)),
            ("M-SEARCH", "Accept", Some(Detail::Method)),
            ("GET", "If-Match", Some(Detail::Precondition)),
            ("GET", "If-Unmodified-Since", Some(Detail::Precondition)),
        ] {
            let asked = Asked::of(&request(method, &[(field, "x")]), false);
            assert_eq!(asked.barred, barred, "{method} {field}");
            assert_eq!(asked.is_head, method == "HEAD");
        }
        let upgrade = RequestHead {
            upgrade: true,
            ..request("GET", &[])
        };
        assert_eq!(Asked::of(&upgrade, true).barred, Some(Detail::Upgrade));
        for (framing, barred) in [
            (Framing::Length(0), None),
            (Framing::Length(1), Some(Detail::RequestBody)),
            (Framing::Chunked, Some(Detail::RequestBody)),
        ] {
            let body = RequestHead {
                framing,
                ..request("GET", &[])
            };
            assert_eq!(Asked::of(&body, true).barred, barred, "{framing:?}");
        }
    }

    #[test]
    fn credentials_count_always() {
        let request = request("GET", &[("authorization", "")]);
        assert!(Asked::of(&request, false).is_authorized);
    }
}
