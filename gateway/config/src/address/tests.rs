use super::{AddressScheme, HostTemplate, address};
use crate::host_template::host;
use crate::path_template::path;
use crate::template::TemplatePart;

/// The parts as they are written.
fn written(parts: &[TemplatePart]) -> String {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Literal(text) => text.clone(),
        TemplatePart::Input(input) => format!("{{{input}}}"),
    };
    parts.iter().map(part).collect()
}

fn shown(host: &HostTemplate) -> String {
    let port = host
        .port
        .map_or_else(String::new, |port| format!(":{port}"));
    written(&host.parts) + &port
}

#[test]
fn an_address_is_divided_into_scheme_host_and_the_rest() {
    use AddressScheme::{Http, Https, OfRequest, Unwritten};
    for (text, scheme, host, rest) in [
        (
            "https://{host}{path}{query}",
            Some(Https),
            "{host}",
            "{path}{query}",
        ),
        ("http://a.example", Some(Http), "a.example", ""),
        ("{scheme}://a.example/", Some(OfRequest), "a.example", "/"),
        ("//a.example/x", Some(Unwritten), "a.example", "/x"),
        ("https://{host}:8443/x", Some(Https), "{host}:8443", "/x"),
        ("https://[::1]:80?x", Some(Https), "[::1]:80", "?x"),
        ("https://www.{host}#top", Some(Https), "www.{host}", "#top"),
        (
            "https://{header:x-tenant}.shop.example{path}",
            Some(Https),
            "{header:x-tenant}.shop.example",
            "{path}",
        ),
        (
            "https://{query:t}.{host}/",
            Some(Https),
            "{query:t}.{host}",
            "/",
        ),
        (
            "https://a.example{query}",
            Some(Https),
            "a.example",
            "{query}",
        ),
        ("/new", None, "", "/new"),
        ("/{path}", None, "", "/{path}"),
        ("{path}/", None, "", "{path}/"),
        ("/to?at={header:x}", None, "", "/to?at={header:x}"),
    ] {
        let found = address(text).unwrap();
        let origin = found.origin.as_ref();
        assert_eq!(origin.map(|it| it.scheme), scheme, "{text}");
        let found_host = origin.map_or_else(String::new, |it| shown(&it.host));
        assert_eq!((found_host.as_str(), &*written(&found.rest)), (host, rest));
        assert_eq!(found.as_str(), text);
    }
}

#[test]
fn an_input_does_not_decide_where_an_address_leads() {
    for (text, what, help) in [
        ("https://{header:x}/", "decide which host", "`/` in front"),
        ("https://a.example{header:x}", "decide which host", "`/` in"),
        ("https://a.example:{query:port}/", "`https:", "write a name"),
        (
            "//{header:x}",
            "decide which host",
            "{header:x}.example.com",
        ),
        ("https://{header:x}{host}/", "decide which host", "`/` in"),
        ("https://{header:x}./", "decide which host", "`/` in"),
        ("https://{header:x}evil.example/", "decide which", "`/` in"),
        ("https://{header:x}.a:{query:y}", "not name a host", "write"),
        ("https://{host}@evil.example/", "not name a host", "write"),
        ("https://{host}:0/", "does not name a host", "write a name"),
        ("https://{host}:99999/", "does not name a host", "write"),
        ("https:///x", "does not name a host", "write a name"),
        ("https://{path}", "does not name a host", "write a name"),
        ("https://bücher.example/", "not name a host", "write a name"),
        ("/\\evil.example", "backslash", "write `/`"),
        ("{header:x}/", "neither an address", "www.example.com"),
        ("{host}/x", "neither an address", "www.example.com"),
        ("www.example.com/x", "neither an address", "www.example"),
        ("javascript:alert(1)", "neither an address", "www.example"),
        ("https://{host", "not closed", "write `}`"),
        ("/{status}", "before there is a response", "leave it out"),
        ("/a/../{query:x}", "do not remain", "once resolved"),
        ("https://a.example/%2e./{query:x}", "do not remain", "once"),
        ("https://a..example/", "not name a host", "write a name"),
        ("https://.{host}/", "does not name a host", "write a name"),
        ("", "not an address", "write an address"),
        ("/a b", "not an address", "without spaces"),
    ] {
        let (said, helped) = address(text).unwrap_err();
        assert!(
            said.contains(what) && helped.contains(help),
            "{text}: {said}; {helped}"
        );
    }
}

#[test]
fn hosts() {
    for text in [
        "a.example",
        "localhost",
        "a_b.example:8080",
        "127.0.0.1:80",
        "[::1]",
        "{host}",
        "{original_host}:8443",
        "{header:x-tenant}.internal",
    ] {
        assert_eq!(shown(&host(text).unwrap()), text);
    }
    for text in [
        "",
        ":80",
        "a.example/x",
        "a b",
        ".",
        ".a.example",
        "a..example",
        "{host}..example",
        "[::1",
        "[a]",
        "a:b",
        "{query:x}",
    ] {
        assert!(host(text).is_err(), "{text}");
    }
}

#[test]
fn paths() {
    for text in [
        "/",
        "/new",
        "{path}",
        "/v2{path}",
        "/u/{query:id}/x",
        "/a b",
    ] {
        assert_eq!(path(text).unwrap().as_str(), text);
    }
    for (text, what) in [
        ("", "begins with `/`"),
        ("new", "begins with `/`"),
        ("{header:x}", "begins with `/`"),
        ("/a?b=1", "no `?`"),
        ("/a#b", "no `#`"),
        ("/a{query}", "not a part of a path"),
        ("/a//b", "do not remain"),
        ("/a/../b", "do not remain"),
        ("/a/{path}/..", "do not remain"),
        ("/a/%2e%2E/b", "do not remain"),
        ("/a%zz", "two hexadecimal digits"),
        ("/a%00", "two hexadecimal digits"),
        ("/a%{query:x}", "two hexadecimal digits"),
        ("/a\\b", "backslash"),
        ("/a\nb", "control"),
        ("/{stats}", "`{stats}` is not an input"),
    ] {
        let (said, _) = path(text).unwrap_err();
        assert!(said.contains(what), "{text}: {said}");
    }
}
