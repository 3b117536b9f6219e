//! The files that must be watched.

use std::path::Path;

use janua_config::{FileKind, Sources, WatchList, parse};

const MAIN: &str = r#"
include = ["sites/*.toml", "more.toml"]

[listeners.public]
address = "*:443"
tls = true

[[cache.webhooks]]
url = "https://hooks.example/"
template = "cloudflare"
token_file = "token"

[[webhooks]]
on = ["certificate"]
url = "https://hooks.example/"
token_file = "hook.token"

[acme]
accept_terms = true
roots = "acme/roots.pem"
eab = { id = "a", key_file = "acme/eab.key" }

[acme.own]
accept_terms = true
challenges = ["dns-01"]
dns = { webhook = "https://dns.example/", token_file = "acme/dns.token" }
eab = { id = "a", key_env = "KEY" }

[upstreams.plain]
endpoints = ["127.0.0.1:1"]

[upstreams.secure]
endpoints = ["127.0.0.1:2"]
tls = { ca = "up/ca.pem", certificate = { cert = "up/own.crt", key = "up/own.key" } }

[policies.bundled]
component = "headers"
config.request.set = { x-a_file = "value.txt", x-b_env = "VARIABLE", x-c = "x_file" }
config.keys = [{ file = "in-place.key" }, { jwks_file = ["a.json", "b.json"] }]
config.other = { file = "no.key", more = 1 }

[secrets.key]
file = ["new.key", "old.key"]

[secrets.users]
htpasswd_file = "users"

[secrets.variable]
env = "KEY"

[datasets.list]
networks = "list.txt"

[policies.mine]
component = "mine.wasm"

[[sites]]
hosts = ["a.example"]
certificate = [
    { cert = "a/ec.crt", key = "a/ec.key", ocsp = "a/ec.ocsp" },
    { cert = "a/rsa.crt", key = "a/ec.key" },
]
tls = { client_auth = { mode = "required", ca = "clients.pem", crl = "clients.crl" } }
routes = [{ upstream = "plain" }]
"#;

/// In `sites/`: paths are relative to this file.
const INCLUDED: &str = r#"
[[sites]]
hosts = ["b.example"]
certificate = { cert = "b.crt", key = "b.key" }
routes = [{ upstream = "secure" }]

[[sites]]
hosts = ["c.example"]
certificate = "self-signed"
routes = [{ upstream = "secure" }]

[[sites]]
hosts = ["d.example.com"]
certificate = "auto"
routes = [{ upstream = "secure" }]
"#;

fn sources() -> Sources {
    let mut sources = Sources::single("etc/janua.toml", MAIN);
    sources.add("etc/sites/b.toml", INCLUDED);
    sources
}

fn paths(list: &WatchList, kind: FileKind) -> Vec<&str> {
    let files = list.files.iter();
    files
        .filter(|(_, known)| **known == kind)
        .filter_map(|(path, _)| path.to_str())
        .collect()
}

#[test]
fn every_file_that_shapes_what_runs() {
    let loaded = parse(sources()).unwrap_or_else(|errors| panic!("{errors}"));
    let list = loaded.watch_list();
    for (kind, expected) in [
        (
            FileKind::Configuration,
            ["etc/janua.toml", "etc/more.toml", "etc/sites/b.toml"].as_slice(),
        ),
        (
            FileKind::Certificate,
            &[
                "etc/a/ec.crt",
                "etc/a/ec.key",
                "etc/a/ec.ocsp",
                "etc/a/rsa.crt",
                "etc/acme/roots.pem",
                "etc/clients.crl",
                "etc/clients.pem",
                "etc/sites/b.crt",
                "etc/sites/b.key",
                "etc/up/ca.pem",
                "etc/up/own.crt",
                "etc/up/own.key",
            ],
        ),
        (FileKind::Component, &["etc/mine.wasm"]),
        (
            FileKind::Reference,
            &[
                "etc/a.json",
                "etc/acme/dns.token",
                "etc/acme/eab.key",
                "etc/b.json",
                "etc/hook.token",
                "etc/in-place.key",
                "etc/list.txt",
                "etc/new.key",
                "etc/old.key",
                "etc/token",
                "etc/users",
                "etc/value.txt",
            ],
        ),
    ] {
        assert_eq!(paths(&list, kind), expected, "{kind:?}");
        assert_eq!(list.count(kind), expected.len());
    }
    assert_eq!(list.patterns.len(), 1);
    assert_eq!(list.patterns[0].directory, Path::new("etc/sites"));
}

#[test]
fn a_refused_configuration_has_at_least_its_own_files() {
    let mut broken = Sources::single(
        "janua.toml",
        "include = [\"sites/*.toml\"]\n[[sites]]\n= 1\n",
    );
    broken.add("sites/a.toml", "not = = TOML");
    assert!(parse(broken.clone()).is_err());
    let mut list = WatchList::of_sources(&broken);
    let own = ["janua.toml", "sites/a.toml"];
    assert_eq!(paths(&list, FileKind::Configuration), own);
    assert_eq!(list.patterns.len(), 1);

    let live = parse(sources()).unwrap().watch_list();
    list.merge(live.clone());
    list.merge(live.clone());
    assert_eq!(list.files.len(), live.files.len() + own.len());
    assert_eq!(list.patterns.len(), 2);
}
