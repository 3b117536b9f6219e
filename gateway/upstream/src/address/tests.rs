use std::path::PathBuf;

use super::Address;

#[test]
fn addresses_are_read_and_written_alike() {
    let name = |host: &str, port| Address::Name {
        host: host.to_owned(),
        port,
    };
    let cases = [
        ("127.0.0.1:80", Address::Ip("127.0.0.1:80".parse().unwrap())),
        ("[::1]:8080", Address::Ip("[::1]:8080".parse().unwrap())),
        ("localhost:3000", name("localhost", 3000)),
        ("edroplets_backend:3000", name("edroplets_backend", 3000)),
        ("a.example.com.:1", name("a.example.com.", 1)),
        (
            "unix:/run/app.sock",
            Address::Unix(PathBuf::from("/run/app.sock")),
        ),
    ];
    for (text, address) in cases {
        assert_eq!(Address::parse(text), Ok(address.clone()));
        assert_eq!(address.to_string(), text);
    }
    assert_eq!(Address::parse("API:80"), Ok(name("api", 80)));
}

#[test]
fn what_is_wrong_with_an_address_is_said() {
    let long = "a".repeat(64);
    let cases = [
        ("", "has no port"),
        ("api", "write `api:80`"),
        ("127.0.0.1", "has no port"),
        ("::1", "write `[::1]:80`"),
        ("[::1]", "write `[::1]:80`"),
        ("[::1%eth0]:80", "write `[::1]:80`"),
        ("http://api:80", "without scheme"),
        ("api:80/x", "without scheme and path"),
        ("api:0", "not a port"),
        ("api:+80", "not a port"),
        ("api:65536", "not a port"),
        ("127.0.0.1:0", "port 0"),
        (":80", "empty label"),
        ("a..b:80", "empty label"),
        ("a b:80", "no host name has"),
        ("300.0.0.1:80", "not an IPv4 address"),
        ("127.1:80", "not an IPv4 address"),
        (&format!("{long}:80"), "too long"),
        ("unix:run/app.sock", "absolute"),
        ("unix:/a\0b", "NUL"),
        (&format!("unix:/{}", "a".repeat(107)), "at most 107 bytes"),
    ];
    for (text, expected) in cases {
        let error = Address::parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
