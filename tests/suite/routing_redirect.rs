//! Where redirects lead, whatever a client sends.

use janua_tests::{Gateway, Request, run};

const LISTENER: &str = "[listeners.public]\naddress = \"127.0.0.1:0\"\n";

fn route(path: &str, redirect: &str) -> String {
    format!("[[sites.routes]]\npath = {path}\nredirect = {{ {redirect} }}\n")
}

async fn gateway(routes: &[(&str, &str)]) -> Gateway {
    let routes: String = routes.iter().map(|(path, to)| route(path, to)).collect();
    Gateway::start(format!("{LISTENER}[[sites]]\nhosts = [\"*\"]\n{routes}")).await
}

/// Scheme, host, port and path, each in place of that of the request.
#[tokio::test]
async fn parts_of_the_address() {
    let gateway = gateway(&[
        ("\"/scheme\"", "scheme = \"https\", status = 301"),
        ("\"/host\"", "host = \"new.example\", status = 307"),
        ("\"/port\"", "port = 8443"),
        (
            "\"/default\"",
            "scheme = \"https\", port = 443, status = 308",
        ),
        ("\"/odd\"", "scheme = \"http\", port = 443"),
        ("\"/path\"", "path = \"/new\", status = 303"),
        ("\"/prefix\"", "prefix = \"/v2\""),
        ("\"/gone/\"", "prefix = \"/\", host = \"www.{host}\""),
        (
            "\"/all\"",
            "scheme = \"https\", host = \"a.test\", port = 1, path = \"/x{path}\"",
        ),
        ("\"/user\"", "path = \"/users/{query:id}\""),
    ])
    .await;
    for (host, target, status, location) in [
        (
            "a.example",
            "/scheme/x?y=1",
            301,
            "https://a.example/scheme/x?y=1",
        ),
        ("a.example:8080", "/scheme", 301, "https://a.example/scheme"),
        (
            "a.example:8080",
            "/host/x",
            307,
            "http://new.example:8080/host/x",
        ),
        ("a.example", "/host", 307, "http://new.example/host"),
        ("a.example:80", "/host", 307, "http://new.example/host"),
        ("a.example:8080", "/port", 302, "http://a.example:8443/port"),
        ("a.example", "/default", 308, "https://a.example/default"),
        ("a.example", "/odd", 302, "http://a.example:443/odd"),
        // A path alone is relative: a proxy in front may use another scheme and host.
        ("a.example", "/path/y?a=b", 303, "/new?a=b"),
        ("a.example", "/path?", 303, "/new?"),
        ("a.example", "/prefix/y?a=b", 302, "/v2/y?a=b"),
        ("a.example", "/prefix", 302, "/v2"),
        ("a.example", "/gone/y", 302, "http://www.a.example/y"),
        (
            "a.example",
            "/gone//b.example",
            302,
            "http://www.a.example/b.example",
        ),
        ("[::1]:80", "/all/y?z", 302, "https://a.test:1/x/all/y?z"),
        ("[::1]:8080", "/scheme", 301, "https://[::1]/scheme"),
        (
            "a.example",
            "/user?id=a/b%3Fc",
            302,
            "/users/a%2Fb%3Fc?id=a/b%3Fc",
        ),
    ] {
        let response = gateway.send(Request::get(target).host(host)).await;
        assert_eq!(
            (response.status, response.header("location")),
            (status, Some(location)),
            "{host}{target}"
        );
    }
    let refused = gateway.get("/user?id=..").await;
    assert_eq!(refused.status, 400);
}

/// A `Location` that is made of what a client sends keeps the authority that the text has: none,
/// or one below it. Browsers take `\` for `/`, and drop tabs.
#[tokio::test]
async fn no_redirect_leads_where_a_client_wants() {
    let gateway = gateway(&[
        ("\"/to\"", "to = \"/{header:x-to}\""),
        ("\"/at\"", "to = \"/{query:to}/evil.example\""),
        ("\"/sub\"", "to = \"https://{query:t}.shop.example{path}\""),
        (
            "\"/next\"",
            "to = \"/login?next={path}&q={query:q}&{query}\"",
        ),
        ("\"/\"", "to = \"/{path}\""),
    ])
    .await;
    for target in [
        "//evil.example",
        "///evil.example/",
        "/%2fevil.example",
        "/%2F%2Fevil.example",
        "/\\evil.example",
        "/%5cevil.example",
        "/%5C%5Cevil.example",
        "/%09/evil.example",
        "/.//evil.example",
        "/x/..//evil.example",
        "/;//evil.example",
        "/",
    ] {
        let response = gateway.get(target).await;
        let location = response.header("location").unwrap_or("(none)");
        assert_eq!(response.status, 302, "{target}");
        let second = location.as_bytes().get(1).copied().unwrap_or(b'x');
        assert!(location.starts_with('/'), "{target}: {location}");
        assert!(!b"/\\\t".contains(&second), "{target}: {location}");
    }
    for value in [
        "/evil.example",
        "\\evil.example",
        "\t/evil.example",
        "//",
        "@",
        "",
    ] {
        let request = Request::get("/to").header("X-To", value);
        let response = gateway.send(request).await;
        let location = response.header("location").unwrap();
        assert!(location.starts_with('/') && !location[1..].contains(['/', '\\']));
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let response = gateway.get(&format!("/at?to={encoded}")).await;
        let location = response.header("location").unwrap();
        assert!(
            location.starts_with('/') && !location.starts_with("//"),
            "{location}"
        );
        assert!(!location.contains(['\\', '\t']), "{location}");
    }
    for (value, status, location) in [
        ("blue", 302, Some("https://blue.shop.example/sub")),
        ("", 400, None),
        ("evil.example%2F", 400, None),
        ("evil.example%23", 400, None),
        ("evil.example%5C", 400, None),
        ("a%40b", 400, None),
        ("a%3A80", 400, None),
        ("%0d%0ax:y", 400, None),
    ] {
        let response = gateway.get(&format!("/sub?t={value}")).await;
        assert_eq!(
            (response.status, response.header("location")),
            (status, location),
            "{value}"
        );
    }
    let response = gateway.get("/next/a%20b?q=a%26b%3Dc&x=1").await;
    let expected = "/login?next=%2Fnext%2Fa%2520b&q=a%26b%3Dc&q=a%26b%3Dc&x=1";
    assert_eq!(response.header("location"), Some(expected));
}

/// Mistakes are refused with the line and what to write.
#[tokio::test]
async fn mistakes_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    for (redirect, message, help) in [
        (
            "to = \"https://$host{path}\"",
            "`$host` is not an input",
            "write `{host}`",
        ),
        (
            "to = \"https://{header:x}\"",
            "would decide which host",
            "`/` in front of it",
        ),
        (
            "to = \"https://{hots}/\"",
            "`{hots}` is not an input",
            "did you mean `{host}`?",
        ),
        ("to = \"https://{host\"", "`{` is not closed", "write `}`"),
        (
            "to = \"/{status}\"",
            "not known before there is a response",
            "leave it out",
        ),
        (
            "path = \"/{variable:auth.user}\"",
            "no policy of this route sets",
            "auth",
        ),
    ] {
        let text = format!(
            "{LISTENER}[[sites]]\nhosts = [\"*\"]\n{}",
            route("\"/x\"", redirect)
        );
        std::fs::write(folder.path().join("janua.toml"), text).unwrap();
        let ran = run(folder.path(), &["check"]).await;
        assert_eq!(ran.code, Some(1), "{redirect}: {ran:?}");
        assert!(
            ran.stderr.contains("janua.toml:7:"),
            "{redirect}: {}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains(message) && ran.stderr.contains(help),
            "{redirect}: {}",
            ran.stderr
        );
    }
}
