//! What may be sent as `Host`, or as the authority of HTTP/2.

use std::net::Ipv6Addr;

use crate::path::is_unreserved;

/// Whether the text is a host, with a port or without (RFC 3986, section 3.2). With HTTP/2 no
/// request can be made with anything else.
pub(crate) fn is_host(text: &str) -> bool {
    let (is_host, rest) = match text.strip_prefix('[') {
        Some(text) => match text.split_once(']') {
            Some((address, rest)) => (address.parse::<Ipv6Addr>().is_ok(), rest),
            None => return false,
        },
        None => {
            let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (!name.is_empty() && name.bytes().all(is_unreserved), rest)
        }
    };
    is_host && (rest.is_empty() || rest.strip_prefix(':').is_some_and(|it| port(it).is_some()))
}

/// A port that can be connected to.
pub(crate) fn port(text: &str) -> Option<u16> {
    // What reads numbers would take a sign too.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn hosts() {
        for (text, expected) in [
            ("app.example.com", true),
            ("app.example.com:8080", true),
            ("app_1", true),
            ("127.0.0.1:80", true),
            ("[::1]", true),
            ("[::1]:80", true),
            ("", false),
            (":80", false),
            ("a:b", false),
            ("a:", false),
            ("a:0", false),
            ("a:+80", false),
            ("a:65536", false),
            ("a:80:80", false),
            ("::1", false),
            ("[::1", false),
            ("[a]", false),
            ("[::1]80", false),
            ("[]", false),
            ("a]", false),
            ("a b", false),
            ("a/b", false),
            ("a@b", false),
        ] {
            assert_eq!(is_host(text), expected, "{text}");
        }
    }
}
