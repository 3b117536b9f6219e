//! The conditional request that validates a stored response (RFC 9111 §4.3.1).

use janua_http::Fields;
use janua_http::conditional::Validators;

/// Removes the client's preconditions and ranges, so that the upstream sends a complete
/// representation, which can answer other requests too.
pub fn remove_conditions(request: &mut Fields) {
    for name in ["if-none-match", "if-modified-since", "if-range", "range"] {
        request.remove(name.as_bytes());
    }
}

/// Replaces the client's preconditions by the validators of the stored response. False if
/// it has none: the request is then unconditional.
///
/// An invalid `ETag` is not sent: as `If-None-Match` a list or `*` would have another
/// meaning.
pub fn set_validators(stored: &Fields, request: &mut Fields) -> bool {
    remove_conditions(request);
    let validators = Validators::of(stored);
    let tag = validators.etag.filter(|_| validators.tag().is_some());
    if let Some(tag) = tag {
        request.set(b"If-None-Match", tag);
    }
    let modified = stored
        .get(b"last-modified")
        .filter(|_| validators.modified.is_some());
    if let Some(modified) = modified {
        // The original text of the date, because some origins compare the text.
        request.set(b"If-Modified-Since", modified);
    }
    tag.is_some() || modified.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let old = "Sunday, 06-Nov-94 08:49:37 GMT";
        for (tag, modified, none_match, since) in [
            (Some("\"a\""), None, Some("\"a\""), None),
            (Some("W/\"a\""), Some(date), Some("W/\"a\""), Some(date)),
            (None, Some(old), None, Some(old)),
            (Some("*"), Some("yesterday"), None, None),
            (Some("a, b"), None, None, None),
            (None, None, None, None),
        ] {
            let mut stored = Fields::default();
            if let Some(tag) = tag {
                stored.append(b"etag", tag.as_bytes());
            }
            if let Some(modified) = modified {
                stored.append(b"last-modified", modified.as_bytes());
            }
            let mut request = Fields::default();
            for name in [
                "If-None-Match",
                "IF-MODIFIED-SINCE",
                "if-range",
                "Range",
                "Accept",
            ] {
                request.append(name.as_bytes(), b"client's");
            }
            let is_conditional = set_validators(&stored, &mut request);
            let sent = |name: &str| {
                let value = request.get(name.as_bytes());
                value.map(|value| std::str::from_utf8(value).unwrap())
            };
            assert_eq!(sent("If-None-Match"), none_match);
            assert_eq!(sent("If-Modified-Since"), since);
            assert_eq!(is_conditional, none_match.is_some() || since.is_some());
            assert_eq!((sent("Range"), sent("If-Range")), (None, None));
            assert_eq!(sent("Accept"), Some("client's"));
        }
    }
}
