//! Which fields are worth an entry of the dynamic table.

use janua_http::fields::is_same_name;

use crate::static_table::{NameHash, find_name};

/// Values of cookies that are shorter could be guessed byte by byte: see [`Indexing::Never`].
/// nghttp2 draws the line there too.
const SHORT_COOKIE: usize = 20;

/// How a field is encoded, if it is not in a table yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// It is added to the dynamic table, so that the next field with this name and value takes
    /// one or two bytes (RFC 7541 §6.2.1).
    Add,
    /// It is not added (RFC 7541 §6.2.2).
    Without,
    /// It is not added, and no intermediary may add it either (RFC 7541 §6.2.3). Whoever can make
    /// a client send guesses, and sees the lengths of its messages, would otherwise learn whether
    /// a guess is in the table, and so the secret (§7.1).
    Never,
}

impl Indexing {
    /// What is sensible for a field with this name, in any letter case, and this value.
    ///
    /// Entries leave the table in the order in which they came. Each field that does not occur a
    /// second time therefore removes one that would. nginx sets the size of its table to 0;
    /// nghttp2 and h2 add all but some fields whose values seldom repeat. This is their list, with
    /// some more fields of this kind. `date` is added: the responses of one second, which often
    /// are all parts of one page, share it.
    #[must_use]
    pub fn of(name: &[u8], value: &[u8]) -> Self {
        let hash = NameHash::of(name);
        let Some(index) = find_name(name, hash) else {
            return match is_unique(name) {
                true => Self::Without,
                false => Self::Add,
            };
        };
        match index {
            AUTHORIZATION | PROXY_AUTHORIZATION => Self::Never,
            COOKIE if value.len() < SHORT_COOKIE => Self::Never,
            SET_COOKIE if pair_len(value) < SHORT_COOKIE => Self::Never,
            // A connection to an upstream carries the requests of many clients, and few of one.
            COOKIE | SET_COOKIE => Self::Without,
            PATH | AGE | CONTENT_LENGTH | CONTENT_LOCATION | CONTENT_RANGE | ETAG | EXPIRES
            | IF_MATCH | IF_MODIFIED_SINCE | IF_NONE_MATCH | IF_RANGE | IF_UNMODIFIED_SINCE
            | LAST_MODIFIED | LOCATION | RANGE => Self::Without,
            _ => Self::Add,
        }
    }
}

/// Indexes of the static table.
const PATH: usize = 4;
const AGE: usize = 21;
const AUTHORIZATION: usize = 23;
const CONTENT_LENGTH: usize = 28;
const CONTENT_LOCATION: usize = 29;
const CONTENT_RANGE: usize = 30;
const COOKIE: usize = 32;
const ETAG: usize = 34;
const EXPIRES: usize = 36;
const IF_MATCH: usize = 39;
const IF_MODIFIED_SINCE: usize = 40;
const IF_NONE_MATCH: usize = 41;
const IF_RANGE: usize = 42;
const IF_UNMODIFIED_SINCE: usize = 43;
const LAST_MODIFIED: usize = 44;
const LOCATION: usize = 46;
const PROXY_AUTHORIZATION: usize = 49;
const RANGE: usize = 50;
const SET_COOKIE: usize = 55;

/// The length of the name and value of a cookie that is set, without its attributes, which
/// anybody can guess.
fn pair_len(value: &[u8]) -> usize {
    let end = value.iter().position(|&byte| byte == b';');
    end.unwrap_or(value.len())
}

/// Other fields that have another value in each message.
const UNIQUE: [&str; 10] = [
    "cf-ray",
    "server-timing",
    "traceparent",
    "tracestate",
    "x-amz-cf-id",
    "x-amz-request-id",
    "x-amzn-trace-id",
    "x-correlation-id",
    "x-forwarded-for",
    "x-request-id",
];

fn is_unique(name: &[u8]) -> bool {
    UNIQUE
        .iter()
        .any(|unique| is_same_name(unique.as_bytes(), name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::static_table;

    #[test]
    fn indexes_are_those_of_their_names() {
        let table = [
            (PATH, ":path"),
            (AGE, "age"),
            (AUTHORIZATION, "authorization"),
            (CONTENT_LENGTH, "content-length"),
            (CONTENT_LOCATION, "content-location"),
            (CONTENT_RANGE, "content-range"),
            (COOKIE, "cookie"),
            (ETAG, "etag"),
            (EXPIRES, "expires"),
            (IF_MATCH, "if-match"),
            (IF_MODIFIED_SINCE, "if-modified-since"),
            (IF_NONE_MATCH, "if-none-match"),
            (IF_RANGE, "if-range"),
            (IF_UNMODIFIED_SINCE, "if-unmodified-since"),
            (LAST_MODIFIED, "last-modified"),
            (LOCATION, "location"),
            (PROXY_AUTHORIZATION, "proxy-authorization"),
            (RANGE, "range"),
            (SET_COOKIE, "set-cookie"),
        ];
        for (index, name) in table {
            assert_eq!(static_table::get(index).unwrap().0, name.as_bytes());
        }
    }

    #[test]
    fn what_repeats_is_added_and_secrets_never_are() {
        let table = [
            ("Content-Type", "text/html", Indexing::Add),
            ("server", "janua", Indexing::Add),
            ("date", "Fri, 27 Nov 2026 10:00:00 GMT", Indexing::Add),
            ("x-frame-options", "DENY", Indexing::Add),
            (":authority", "example.com", Indexing::Add),
            (":path", "/a", Indexing::Without),
            ("ETag", "\"1\"", Indexing::Without),
            ("content-length", "12", Indexing::Without),
            ("X-Request-ID", "1", Indexing::Without),
            ("authorization", "Basic YTpi", Indexing::Never),
            ("Proxy-Authorization", "Basic YTpi", Indexing::Never),
            ("cookie", "a=1", Indexing::Never),
            ("cookie", "session=0123456789abcdef", Indexing::Without),
            ("set-cookie", "a=1", Indexing::Never),
            ("set-cookie", "a=1; Path=/; HttpOnly", Indexing::Never),
            ("Set-Cookie", "session=0123456789abcdef", Indexing::Without),
        ];
        for (name, value, expected) in table {
            let indexing = Indexing::of(name.as_bytes(), value.as_bytes());
            assert_eq!(indexing, expected, "{name}: {value}");
        }
    }
}
