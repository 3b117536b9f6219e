//! The differences reported between two configurations.

use std::collections::BTreeSet;
use std::path::Path;

use janua_config::{Change, Config, Sources, parse, reference};
use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

fn config(text: &str) -> Config {
    parse(Sources::single("janua.toml", text))
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
        .config
}

/// The reported differences between two texts.
fn said(old: &str, new: &str) -> Vec<String> {
    let changes = config(old).changes(&config(new));
    changes.iter().map(Change::to_string).collect()
}

const BASE: &str = r#"
include = []
[server]
drain_timeout = "30s"
[listeners.public]
address = ["*:80", "*:81"]
trusted_proxies = ["10.0.0.0/8"]
[upstreams.app]
endpoints = ["127.0.0.1:1", { address = "127.0.0.1:2", weight = 2 }]
[policies.clients]
component = "api-key"
config = { keys = { s3cret = "s3cret" }, header = "s3cret" }
[policies.other]
component = "headers"
[[sites]]
hosts = ["a.example", "b.example"]
policies = ["clients", "other"]
[[sites.routes]]
path = "/api"
upstream = "app"
headers = { x-secret = "s3cret" }
[[sites.routes]]
redirect = { to = "https://a.example{path}?$$a=1" }
[[sites]]
hosts = ["*"]
routes = [{ respond = { body = "no" } }]
"#;

#[test]
fn each_change_is_said_by_name() {
    let table: &[(&str, &str, &[&str])] = &[
        // Changes without a meaning are not reported.
        ("[server]", "# a comment\n[server]", &[]),
        ("include = []", "", &[]),
        (
            "drain_timeout = \"30s\"",
            "drain_timeout = \"30000ms\"",
            &[],
        ),
        ("\"30s\"", "\"1m\"", &["server: drain_timeout 30s → 1m"]),
        (
            "[server]\ndrain_timeout = \"30s\"",
            "[server]\nworkers = 4",
            &["server: workers 4 added"],
        ),
        (
            "\"*:81\"",
            "\"*:82\"",
            &[
                "listener public: address *:82 added",
                "listener public: address *:81 removed",
            ],
        ),
        (
            "[\"10.0.0.0/8\"]",
            "[]",
            &["listener public: trusted_proxies 10.0.0.0/8 removed"],
        ),
        (
            "\"*:80\", \"*:81\"",
            "\"*:81\", \"*:80\"",
            &["listener public: order of address changed"],
        ),
        (
            "{ address = \"127.0.0.1:2\", weight = 2 }",
            "\"127.0.0.1:3\"",
            &[
                "upstream app: endpoint 127.0.0.1:3 added",
                "upstream app: endpoint 127.0.0.1:2 removed",
            ],
        ),
        (
            "weight = 2",
            "weight = 3",
            &["upstream app: endpoint 127.0.0.1:2: weight 2 → 3"],
        ),
        // Turning a feature on adds its settings.
        (
            "endpoints =",
            "tls = true\nsend_proxy_protocol = \"v2\"\nendpoints =",
            &[
                "upstream app: tls added",
                "upstream app: send_proxy_protocol false → v2",
            ],
        ),
        (
            "trusted_proxies",
            "min_rate = false\ntrusted_proxies",
            &["listener public: min_rate removed"],
        ),
        (
            "trusted_proxies",
            "min_rate = { body = 1000, read = false }\ntrusted_proxies",
            &[
                "listener public: min_rate.body 250 → 1000",
                "listener public: min_rate.read 250 → false",
            ],
        ),
        (
            "policies = [\"clients\"",
            "certificate = \"self-signed\"\nredirect_http = true\npolicies = [\"clients\"",
            &[
                "site a.example: certificate self-signed added",
                "site a.example: redirect_http added",
            ],
        ),
        (
            "endpoints =",
            "balance = \"least_conn\"\nretries = 0\nendpoints =",
            &[
                "upstream app: balance round_robin → least_conn",
                "upstream app: retries added",
            ],
        ),
        (
            "[upstreams.app]",
            "[upstreams.b]\nendpoints = [\"127.0.0.1:9\"]\n[upstreams.app]",
            &["upstream b added"],
        ),
        // Values that may be secret are not shown.
        (
            "keys = { s3cret = \"s3cret\" }",
            "keys = { s3cret = \"other\" }",
            &["policy clients: config.keys changed"],
        ),
        (
            "x-secret = \"s3cret\"",
            "x-secret = \"other\"",
            &["site a.example: route /api: headers.x-secret changed"],
        ),
        (
            ", header = \"s3cret\"",
            "",
            &["policy clients: config.header removed"],
        ),
        (
            "[\"clients\", \"other\"]",
            "[\"other\", \"clients\"]",
            &["site a.example: order of policies changed"],
        ),
        (
            "[\"clients\", \"other\"]",
            "[\"clients\"]",
            &["site a.example: use of policy other removed"],
        ),
        (
            "\"b.example\"",
            "\"c.example\"",
            &[
                "site a.example: hosts c.example added",
                "site a.example: hosts b.example removed",
            ],
        ),
        (
            "path = \"/api\"",
            "path = { prefix = \"/api\" }\nname = \"/api\"",
            &[
                "site a.example: route /api: path \"segment /api\" → \"prefix /api\"",
                "site a.example: route /api: name /api added",
            ],
        ),
        (
            "path = \"/api\"",
            "path = \"/b\"",
            &[
                "site a.example: route /b added",
                "site a.example: route /api removed",
            ],
        ),
        (
            "?$$a=1",
            "",
            &[
                "site a.example: route /: redirect.to https://a.example{path}?$$a=1 → https://a.example{path}",
            ],
        ),
        (
            "upstream = \"app\"\nheaders",
            "respond = {}\nheaders",
            &[
                "site a.example: route /api: upstream app removed",
                "site a.example: route /api: respond added",
            ],
        ),
        (
            "hosts = [\"*\"]",
            "hosts = [\"*\"]\ncache = true",
            &["site *: cache false → true"],
        ),
        (
            "body = \"no\"",
            "body = \"a\\nb\"",
            &["site *: route /: respond.body no → \"a b\""],
        ),
    ];
    for (from, to, expected) in table {
        assert!(BASE.contains(from), "{from}");
        let found = said(BASE, &BASE.replacen(from, to, 1));
        assert_eq!(found, *expected, "{from} → {to}");
        assert!(!found.concat().contains("s3cret"));
    }
}

#[test]
fn a_certificate_is_said_by_its_file() {
    let with = |certificate: &str| {
        BASE.replacen(
            "policies = [\"clients\"",
            &format!("certificate = {certificate}\npolicies = [\"clients\""),
            1,
        )
    };
    let with = |certificate: &str| {
        let authorities = "[acme]\naccept_terms = true\n[acme.own]\naccept_terms = true\n";
        format!("{}\n{authorities}", with(certificate))
            .replace(
                "hosts = [\"a.example\"",
                "name = \"a.example\"\nhosts = [\"a.example.com\"",
            )
            .replace("\"b.example\"", "\"b.example.com\"")
    };
    let table: [(&str, &str, &[&str]); 6] = [
        (
            "{ cert = \"a.crt\", key = \"a.key\" }",
            "[{ cert = \"a.crt\", key = \"b.key\" }]",
            &["site a.example: certificate a.crt: key a.key → b.key"],
        ),
        (
            "{ cert = \"a.crt\", key = \"a.key\" }",
            "[{ cert = \"a.crt\", key = \"a.key\" }, { cert = \"b.crt\", key = \"b.key\" }]",
            &["site a.example: certificate b.crt added"],
        ),
        (
            "\"self-signed\"",
            "{ cert = \"a.crt\", key = \"a.key\" }",
            &["site a.example: certificate changed"],
        ),
        (
            "\"self-signed\"",
            "\"auto\"",
            &["site a.example: certificate self-signed → auto"],
        ),
        (
            "\"auto\"",
            "{ acme = \"own\" }",
            &["site a.example: certificate changed"],
        ),
        (
            "{ acme = \"own\" }",
            "{ acme = \"own\", on_demand = { ask = \"http://127.0.0.1:1/s3cret\" } }",
            &["site a.example: certificate.on_demand added"],
        ),
    ];
    for (old, new, expected) in table {
        assert_eq!(said(&with(old), &with(new)), expected, "{old} → {new}");
    }
}

/// Keys and tokens are not in the file, and the URLs that may hold one are not shown.
#[test]
fn an_authority_is_said_by_its_name() {
    let acme = r#"
[acme]
accept_terms = true
eab = { id = "kid-1", key_file = "a.key" }
[acme.own]
accept_terms = true
challenges = ["dns-01"]
dns = { webhook = "https://dns.example.com/s3cret", token_env = "TOKEN" }
[[webhooks]]
on = ["certificate"]
url = "https://hooks.example.com/s3cret"
body = '{"s3cret": 1}'
"#;
    let table: &[(&str, &str, &[&str])] = &[
        ("kid-1", "kid-2", &["acme: eab.id kid-1 → kid-2"]),
        ("a.key", "b.key", &["acme: eab.key_file a.key → b.key"]),
        (
            "eab = { id = \"kid-1\", key_file = \"a.key\" }",
            "key_type = \"rsa2048\"\nprofile = \"shortlived\"",
            &[
                "acme: profile shortlived added",
                "acme: key_type p256 → rsa2048",
                "acme: eab removed",
            ],
        ),
        (
            "dns.example.com/s3cret",
            "dns.example.com/other",
            &["authority own: dns.webhook changed"],
        ),
        (
            "webhook = \"https://dns.example.com/s3cret\", token_env = \"TOKEN\"",
            "responder = \"*:53\", name_server = \"gw.example.com\"",
            &[
                "authority own: dns.webhook removed",
                "authority own: dns.token_env TOKEN removed",
                "authority own: dns.responder added",
                "authority own: dns.name_server gw.example.com added",
            ],
        ),
        (
            "[acme.own]",
            "[acme.other]",
            &["authority other added", "authority own removed"],
        ),
        (
            "/s3cret\"\nbody",
            "/other\"\nbody",
            &["webhook hooks.example.com: url changed"],
        ),
        (
            "{\"s3cret\": 1}",
            "{\"s3cret\": 2}",
            &["webhook hooks.example.com: body changed"],
        ),
    ];
    let old = format!("{BASE}{acme}");
    for (from, to, expected) in table {
        assert!(acme.contains(from), "{from}");
        let found = said(&old, &format!("{BASE}{}", acme.replacen(from, to, 1)));
        assert_eq!(found, *expected, "{from} → {to}");
        assert!(!found.concat().contains("s3cret"));
    }
    assert_eq!(
        said(BASE, &old),
        [
            "acme added",
            "authority own added",
            "webhook hooks.example.com added"
        ]
    );
}

#[test]
fn shares_are_compared_by_their_upstreams() {
    let of = |upstream: &str, mirror: &str| {
        let upstreams = "[upstreams.v2]\nendpoints = [\"127.0.0.1:9\"]\n";
        let route = format!("upstream = {upstream}\n{mirror}\nheaders");
        let base = BASE.replacen("upstream = \"app\"\nheaders", &route, 1);
        base.replacen("[upstreams.app]", &format!("{upstreams}[upstreams.app]"), 1)
    };
    let split = |weights: [u32; 2]| {
        let [one, two] = weights;
        of(
            &format!(
                "{{ split = [{{ upstream = \"app\", weight = {one} }}, {{ upstream = \"v2\", weight = {two} }}] }}"
            ),
            "",
        )
    };
    let route = "site a.example: route /api";
    for (old, new, expected) in [
        (
            split([95, 5]),
            split([90, 10]),
            vec![
                format!("{route}: upstream app: weight 95 → 90"),
                format!("{route}: upstream v2: weight 5 → 10"),
            ],
        ),
        (
            of("\"app\"", "mirror = { upstream = \"v2\", percent = 10 }"),
            of("\"app\"", "mirror = { upstream = \"v2\", percent = 0.5 }"),
            vec![format!("{route}: mirror v2: percent 10 → 0.5")],
        ),
        (
            of("\"app\"", ""),
            of("\"app\"", "mirror = \"v2\""),
            vec![format!("{route}: mirror added")],
        ),
    ] {
        assert_eq!(said(&old, &new), expected);
    }
}

#[test]
fn routes_of_one_label_are_told_apart() {
    let route = "[[sites.routes]]\npath = \"/api\"\nmethods = [\"POST\"]\nmax_body = 1\nupstream = \"app\"\n";
    let with = BASE.replacen(
        "[[sites]]\nhosts = [\"*\"]",
        &format!("{route}[[sites]]\nhosts = [\"*\"]"),
        1,
    );
    assert_eq!(said(BASE, &with), ["site a.example: route /api (2) added"]);
    assert_eq!(
        said(&with, &with.replace("max_body = 1", "max_body = \"1KiB\"")),
        ["site a.example: route /api (2): max_body 1 → 1KiB"]
    );
}

/// So many that comparing every pair would take minutes.
#[test]
fn thousands_of_routes_of_one_label_and_long_lists_are_compared() {
    let many = |last: &str| {
        let hosts: Vec<String> = (0..20_000).map(|n| format!("\"h{n}.example\"")).collect();
        let routes = "[[sites.routes]]\nmethods = [\"POST\"]\nrespond = {}\n".repeat(5_000);
        let hosts = hosts.join(", ");
        format!(
            "listeners.a.address = \"*:80\"\n[[sites]]\nname = \"a\"\nhosts = [{hosts}, \"{last}\"]\n{routes}"
        )
    };
    let (old, mut new) = (many("x.example"), many("y.example"));
    new.push_str("max_body = 1\n");
    assert_eq!(
        said(&old, &new),
        [
            "site a: hosts y.example added",
            "site a: hosts x.example removed",
            "site a: route / (5000): max_body 1 added",
        ]
    );
}

#[test]
fn sites_in_another_order() {
    let (first, last) = BASE.split_at(BASE.find("[[sites]]").unwrap());
    let (a, any) = last.split_at(last.rfind("[[sites]]").unwrap());
    assert_eq!(
        said(BASE, &format!("{first}{any}\n{a}")),
        ["order of sites changed"]
    );
}

#[test]
fn long_values_are_cut_and_long_lists_counted_as_one_change() {
    let body = "x".repeat(200);
    let found = said(
        BASE,
        &BASE.replace("body = \"no\"", &format!("body = \"{body}\"")),
    );
    assert_eq!(found.len(), 1);
    assert!(
        found[0].ends_with('…') && found[0].chars().count() < 130,
        "{found:?}"
    );
    let many: Vec<String> = (0..40).map(|n| format!("\"10.{n}.0.0/16\"")).collect();
    let found = said(BASE, &BASE.replace("\"10.0.0.0/8\"", &many.join(", ")));
    assert_eq!(found, ["listener public: trusted_proxies changed"]);
}

#[test]
fn as_json() {
    let changes = config(BASE).changes(&config(&BASE.replace("\"30s\"", "\"1m\"")));
    assert_eq!(
        serde_json::to_value(changes).unwrap(),
        json!([{ "what": "server", "field": "drain_timeout", "change": "changed", "old": "30s", "new": "1m" }])
    );
}

/// Fields that cannot simply be omitted from the file, with the text of the
/// fixture to replace and its replacement. Fields without a text have only one
/// possible value, or are targets or bodies, which are tested above.
const EDITS: [(&str, &str, &str); 68] = [
    ("cache.webhooks[].template", "", ""),
    ("sites[].policies[].name", "", ""),
    ("sites[].routes[].policies[].on_error", "", ""),
    ("sites[].routes[].policies[].deadline", "", ""),
    ("sites[].routes[].files", "", ""),
    ("sites[].routes[].respond", "", ""),
    ("sites[].routes[].redirect", "", ""),
    ("include", "", ""),
    ("listeners.<name>.address", "*:80", "*:90"),
    (
        "upstreams.<name>.tls.certificate.cert",
        "client.crt",
        "other.crt",
    ),
    (
        "upstreams.<name>.tls.certificate.key",
        "client.key",
        "other.key",
    ),
    // A listener with TLS needs a certificate.
    ("sites[].certificate", "ecdsa.crt", "other.crt"),
    ("sites[].certificate[].cert", "ecdsa.crt", "other.crt"),
    ("sites[].certificate[].key", "ecdsa.key", "other.key"),
    ("sites[].tls.client_auth.ca", "clients.pem", "other.pem"),
    (
        "upstreams.<name>.endpoints",
        "127.0.0.1:5006",
        "127.0.0.1:5008",
    ),
    (
        "upstreams.<name>.endpoints[].address",
        "127.0.0.1:5006",
        "127.0.0.1:5008",
    ),
    (
        "upstreams.<name>.endpoints[].file",
        "endpoints/found.toml",
        "endpoints/other.toml",
    ),
    ("upstreams.<name>.http", "2", "auto"),
    (
        "upstreams.<name>.health.path",
        "/health/ready?deep=1",
        "/health",
    ),
    ("upstreams.<name>.health.tcp", "", ""),
    ("upstreams.<name>.health.grpc", "shop.Orders", ""),
    ("webhooks[].template", "", ""),
    ("upstreams.<name>.balance.hash", "header:X-User", "path"),
    ("upstreams.<name>.sticky.cookie", "sales_endpoint", "other"),
    ("policies.<name>.component", "rate-limit", "headers"),
    ("sites[].hosts", "*.sales.example.com", "*.example.org"),
    ("sites[].routes", "/static/", "/moved/"),
    ("sites[].routes[].upstream", "", ""),
    ("sites[].routes[].upstream.split", "next", "called"),
    (
        "sites[].routes[].upstream.split[].upstream",
        "next",
        "called",
    ),
    ("sites[].routes[].mirror[].upstream", "shadow", "called"),
    ("sites[].routes[].mirror[].fraction", "", ""),
    ("sites[].routes[].mirror[].fraction.numerator", "", ""),
    (
        "sites[].routes[].redirect.to",
        "{scheme}://www.example.com/",
        "/",
    ),
    ("sites[].routes[].files.alias", "static", "other"),
    ("sites[].routes[].files.root", "dist/", "other/"),
    ("sites[].routes[].files.retain", "24h", "25h"),
    ("sites[].routes[].files.retain_files", "*.{js,css}", "*.js"),
    ("cache.disk.path", "cache", "other"),
    (
        "cache.webhooks[].url",
        "https://cdn.example.com:8443/purge?x=1",
        "https://cdn.example.com/",
    ),
    (
        "cache.webhooks[].body",
        "{\"u\": {urls}, \"p\": {prefixes}, \"h\": {hosts}, \"t\": {tags}, \"all\": {everything}}",
        "{urls}",
    ),
    ("sites[].routes[].policies[].name", "", ""),
    ("acme.accept_terms", "", ""),
    // One without the other is refused.
    ("acme.challenges", "http-01", "tls-alpn-01"),
    ("acme.dns", "*:53", "*:54"),
    ("acme.dns.responder", "*:53", "*:54"),
    ("acme.dns.name_server", "gw.example.com", "gw.example.org"),
    // Those that other authorities have.
    (
        "acme.dns.webhook",
        "https://dns.example.com/acme",
        "https://dns.example.com/",
    ),
    ("acme.dns.token_file", "dns.token", "other.token"),
    ("acme.dns.token_env", "DNS_TOKEN", "OTHER_TOKEN"),
    ("acme.eab.id", "kid-1", "kid-2"),
    ("acme.eab.key_file", "eab.key", "other.key"),
    ("acme.eab.key_env", "EAB_KEY", "OTHER_KEY"),
    (
        "sites[].certificate.on_demand.ask",
        "http://127.0.0.1:5555/allowed",
        "http://127.0.0.1:5556/",
    ),
    ("secrets.<name>.file", "session-old.key", "older.key"),
    ("secrets.<name>.env", "HOOK_SECRET", "OTHER_SECRET"),
    ("secrets.<name>.credential", "api.token", "other.token"),
    ("secrets.<name>.htpasswd_file", "staff.htpasswd", "other"),
    ("secrets.<name>.pem_file", "partner.pem", "other.pem"),
    ("secrets.<name>.jwks_file", "own.json", "other.json"),
    (
        "secrets.<name>.jwks_url",
        "https://login.example.net/keys",
        "https://x.example/",
    ),
    ("datasets.<name>.networks", "blocked.txt", "other.txt"),
    ("datasets.<name>.strings", "tenants.txt", "other.txt"),
    ("datasets.<name>.regexes", "attacks.txt", "other.txt"),
    ("datasets.<name>.mmdb", "geo.mmdb", "other.mmdb"),
    ("webhooks[].on", "", ""),
    (
        "webhooks[].url",
        "https://hooks.example.com/x",
        "https://hooks.example.com/z",
    ),
];

/// The fixture has every field with a value other than the default, so omitting
/// any of them is a change of that field. The test fails for a field of the
/// reference that is not in the fixture, and for one that is not compared.
#[test]
fn no_field_goes_unreported() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/accepted/full.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let full = from_toml(&DeValue::Table(DeTable::parse(&text).unwrap().into_inner()));
    let base = config(&to_toml(&full));
    let again = base.changes(&config(&text));
    assert!(again.is_empty(), "{again:?}");
    let mut unreported = BTreeSet::new();
    for field in reference() {
        let path = field.path.as_str();
        // Tables by name, and lists of tables: their fields are checked
        // individually.
        if [
            "listeners",
            "upstreams",
            "policies",
            "secrets",
            "datasets",
            "sites",
            "cache.webhooks",
            "acme",
            "acme.<name>",
            "webhooks",
        ]
        .contains(&path)
        {
            continue;
        }
        let edit = EDITS.iter().find(|(edited, _, _)| *edited == path);
        let edited = match edit {
            Some((_, "", "")) => continue,
            Some((_, from, to)) => {
                let mut edited = full.clone();
                replace(&mut edited, from, to).then_some(edited)
            }
            None => without(&full, path),
        };
        let is_reported = edited.is_some_and(|edited| {
            let edited = parse(Sources::single("janua.toml", to_toml(&edited)));
            edited.is_ok_and(|edited| {
                let changes = base.changes(&edited.config);
                changes.iter().any(|change| is_about(change, path))
            })
        });
        if !is_reported {
            unreported.insert(field.path);
        }
    }
    assert!(unreported.is_empty(), "{unreported:#?}");
}

/// Whether a change concerns the field with this path, or an object in its
/// list.
fn is_about(change: &Change, path: &str) -> bool {
    let path = path.replace("[]", "").replace(".<name>", "");
    let last = path.rsplit('.').next().unwrap();
    let is_at = |field: &str| path == field || path.ends_with(&format!(".{field}"));
    match &change.field {
        // `headers.x-a` belongs to `headers`, and everything in `[server]` to
        // `server`.
        Some(field) => {
            let above = field.match_indices('.').map(|(at, _)| &field[..at]);
            change.what == path || is_at(field) || above.into_iter().any(is_at)
        }
        None => {
            let thing = match last {
                "endpoints" | "address" => "endpoint ",
                "file" => "endpoint file ",
                "certificate" | "cert" => "certificate ",
                "policies" => "use of policy ",
                "routes" | "path" => "route ",
                "name" => "site ",
                "upstream" if path.contains("mirror") => "mirror ",
                "split" | "upstream" => "upstream ",
                _ => return false,
            };
            change.what.contains(thing)
        }
    }
}

/// The document without the first field that has this path.
fn without(document: &Value, path: &str) -> Option<Value> {
    let mut copy = document.clone();
    let parts: Vec<&str> = path.split('.').collect();
    remove(&mut copy, &parts).then_some(copy)
}

fn remove(value: &mut Value, path: &[&str]) -> bool {
    let (Some((first, rest)), Some(table)) = (path.split_first(), value.as_object_mut()) else {
        return false;
    };
    if *first == "<name>" {
        return table.values_mut().any(|value| remove(value, rest));
    }
    let name = first.trim_end_matches("[]");
    if rest.is_empty() {
        return table.remove(name).is_some();
    }
    match table.get_mut(name) {
        Some(Value::Array(items)) => items.iter_mut().any(|item| remove(item, rest)),
        Some(value) => remove(value, rest),
        None => false,
    }
}

/// Replaces the first occurrence of a string.
fn replace(value: &mut Value, from: &str, to: &str) -> bool {
    match value {
        Value::String(text) if text == from => {
            to.clone_into(text);
            true
        }
        Value::Array(items) => items.iter_mut().any(|item| replace(item, from, to)),
        Value::Object(table) => table.values_mut().any(|value| replace(value, from, to)),
        _ => false,
    }
}

fn from_toml(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => json!(number.as_str().parse::<i64>().unwrap()),
        DeValue::Float(number) => json!(number.as_str().parse::<f64>().unwrap()),
        DeValue::Boolean(value) => json!(value),
        DeValue::Datetime(time) => json!(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| from_toml(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), from_toml(value.get_ref())))
                .collect::<Map<_, _>>(),
        ),
    }
}

/// Writes each field of the file on one line, with inline tables.
fn to_toml(document: &Value) -> String {
    fn value(of: &Value) -> String {
        match of {
            Value::Array(items) => {
                format!(
                    "[{}]",
                    items.iter().map(value).collect::<Vec<_>>().join(", ")
                )
            }
            Value::Object(table) => {
                let field = |(key, of): (&String, &Value)| format!("{key:?} = {}", value(of));
                format!(
                    "{{ {} }}",
                    table.iter().map(field).collect::<Vec<_>>().join(", ")
                )
            }
            other => other.to_string(),
        }
    }
    let fields = document.as_object().unwrap().iter();
    fields
        .map(|(key, of)| format!("{key} = {}\n", value(of)))
        .collect()
}
