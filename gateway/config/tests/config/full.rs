//! A file with every field decodes to what it says; a short one to the defaults.

use std::path::Path;
use std::time::Duration;

use janua_config::{
    AccessFormat, AccessPath, Acme, AddressScheme, Balance, Certificate, Challenge, CheckKind,
    ClientAuthMode, Component, Config, DatasetKind, Directory, DnsCheck, DnsProvider, EabKey,
    EncodedSlash, Encoding, EndpointAddress, EventKind, Family, FileKind, Files, FilesRoot, Hedge,
    HiddenDots, HostPattern, Input, Isolation, KeyType, Level, ListenAddress, OnError, OrFalse,
    PanicThreshold, PathPattern, PlainInput, ProxyVersion, Rate, RedirectHost, RedirectScheme,
    Resolve, RetryCondition, SameSite, SecretSource, Sources, Symlinks, Target, TemplatePart,
    TlsVersion, Token, UpstreamHost, UpstreamHttp, ValueTest, WebhookBody, WebhookTemplate, parse,
};
use serde_json::json;

fn config(text: &str) -> Config {
    let loaded = parse(Sources::single("etc/janua.toml", text));
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config
}

fn full() -> Config {
    config(include_str!("../fixtures/accepted/full.toml"))
}

const SHORT: &str = r#"
[listeners.public]
address = "*:80"

[upstreams.app]
endpoints = ["127.0.0.1:3000"]

[policies.p]
component = "headers"

[[sites]]
hosts = ["*"]
policies = ["p"]

[[sites.routes]]
upstream = "app"
"#;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn process() {
    let Config {
        server, admin, log, ..
    } = full();
    assert_eq!(server.workers.unwrap().get(), 3);
    assert_eq!(server.drain_timeout, 60 * SECOND);
    assert_eq!(server.request_id_header.as_str(), "x-correlation-id");
    assert_eq!(*server.state_dir.unwrap(), Path::new("etc/state"));
    assert_eq!(*server.cache_dir.unwrap(), Path::new("etc/cache"));
    assert_eq!(*server.hosts_file.unwrap(), Path::new("etc/hosts"));
    let name_servers = server.name_servers.iter().map(|at| at.value.0.to_string());
    let expected = ["127.0.0.1:8600", "[2001:db8::53]:53"];
    assert_eq!(name_servers.collect::<Vec<_>>(), expected);
    assert_eq!(server.buckets.get(), 5_000);
    assert_eq!(server.memos.bytes(), 32 << 20);
    let internal: Vec<_> = server
        .internal_headers
        .iter()
        .map(|it| it.as_str())
        .collect();
    assert_eq!(internal, ["x-internal-key"]);
    assert!(!server.watch);
    assert_eq!(*admin.socket, Path::new("etc/admin.sock"));
    assert_eq!(admin.mode.0, 0o600);
    assert_eq!(*admin.group.unwrap(), "deploy");
    assert_eq!(*log.access.path, AccessPath::File("etc/access.log".into()));
    assert_eq!(log.access.format, AccessFormat::Text);
    assert_eq!(log.level, Level::Debug);
}

#[test]
fn process_defaults() {
    let Config {
        server, admin, log, ..
    } = config(SHORT);
    assert!(server.workers.is_none());
    assert_eq!(server.drain_timeout, 30 * SECOND);
    assert_eq!(server.request_id_header.as_str(), "x-request-id");
    assert!(server.state_dir.is_none() && server.cache_dir.is_none());
    assert_eq!(server.buckets.get(), 1_000_000);
    assert_eq!(server.memos.bytes(), 256 << 20);
    assert!(server.internal_headers.is_empty());
    assert!(server.watch);
    assert_eq!(*admin.socket, Path::new("/run/janua/admin.sock"));
    assert_eq!(admin.mode.0, 0o660);
    assert!(admin.group.is_none());
    assert_eq!(*log.access.path, AccessPath::Stdout);
    assert_eq!(log.access.format, AccessFormat::Json);
    assert_eq!(log.level, Level::Info);
}

#[test]
fn listener() {
    let config = full();
    let listener = &config.listeners["public"];
    assert_eq!(*listener.name, "public");
    assert_eq!(
        listener
            .address
            .iter()
            .map(|it| it.value)
            .collect::<Vec<_>>(),
        [
            ListenAddress::BothFamilies { port: 80 },
            ListenAddress::Socket("[::1]:8080".parse().unwrap()),
        ]
    );
    let trusted: Vec<_> = listener
        .trusted_proxies
        .iter()
        .map(|it| it.0.to_string())
        .collect();
    assert_eq!(trusted, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(listener.headers.0[0].name.as_str(), "x-frame-options");
    assert_eq!(*listener.headers.0[0].value, "DENY");
    assert_eq!(listener.max_head.bytes(), 16 * 1024);
    assert_eq!(listener.max_fields.get(), 50);
    assert_eq!(listener.idle_timeout, 10 * SECOND);
    assert_eq!(listener.head_timeout, 5 * SECOND);
    assert_eq!(listener.max_connections, 4096);
    let rates = listener.min_rate.on().unwrap();
    assert_eq!(rates.head.0, None);
    assert_eq!(rates.body.0.unwrap().get(), 1024);
    assert_eq!(rates.read.0.unwrap().get(), 500);
    assert_eq!(*rates.grace, 20 * SECOND);
    let limits = &listener.client_limits;
    assert_eq!(
        (
            limits.connections,
            limits.connections_per_second,
            limits.requests
        ),
        (100, 20, 50)
    );
    assert_eq!(listener.max_requests, 1000);
    assert_eq!(listener.max_connection_age, 3600 * SECOND);
    assert!(listener.tls.on().is_none());
    assert!(listener.proxy_protocol.is_none());
}

#[test]
fn listener_with_tls() {
    let config = full();
    let listener = &config.listeners["https"];
    let tls = listener.tls.on().unwrap();
    assert_eq!(tls.handshake_timeout, 5 * SECOND);
    let groups: Vec<_> = tls.groups.as_ref().unwrap().iter().collect();
    assert_eq!(
        (&***groups[0], &***groups[1]),
        ("X25519MLKEM768", "secp256r1")
    );
    assert_eq!(tls.session_cache.value().unwrap().get(), 40_960);
    assert_eq!(*tls.session_lifetime, 12 * 3600 * SECOND);
    assert!(!tls.tickets && !tls.prefer_server_ciphers);
    let http2 = listener.http2.as_ref().unwrap().on().unwrap();
    assert_eq!(http2.max_concurrent_streams.get(), 64);
    let windows = (http2.stream_window.bytes(), http2.connection_window.bytes());
    assert_eq!(windows, (64 << 10, 1 << 20));
    assert_eq!(http2.stall_timeout, 10 * SECOND);
    let limits = &http2.limits;
    assert_eq!(
        (limits.rapid_resets.get(), limits.unpacked_head.bytes()),
        (50, 128 << 10)
    );
    let peers = listener.proxy_protocol.as_ref().unwrap().iter();
    let peers: Vec<_> = peers.map(|peer| peer.0.to_string()).collect();
    assert_eq!(peers, ["10.0.0.0/8", "::1/128"]);
}

/// A site with these lines, whose listener has the TLS that is given.
fn secured(tls: &str, site: &str) -> Config {
    config(&format!(
        "[listeners.https]\naddress = \"*:443\"\ntls = {tls}\n\
         [[sites]]\nhosts = [\"a.example.com\"]\nroutes = [{{ respond = {{}} }}]\n{site}\n"
    ))
}

#[test]
fn tls_defaults() {
    for tls in ["true", "{}"] {
        let config = secured(tls, "certificate = \"self-signed\"");
        let tls = config.listeners["https"].tls.on().unwrap();
        assert_eq!(tls.handshake_timeout, 10 * SECOND);
        assert!(tls.groups.is_none());
        assert_eq!(tls.session_cache.value().unwrap().get(), 20_480);
        assert_eq!(*tls.session_lifetime, 86_400 * SECOND);
        assert!(tls.tickets && tls.prefer_server_ciphers);
        let site = &config.sites[0].tls;
        assert_eq!(*site.min_version, TlsVersion::V12);
        assert_eq!(*site.max_version, TlsVersion::V13);
        assert!(site.ciphers.is_none() && site.client_auth.is_none());
    }
    let config = secured("{ session_cache = false }", "certificate = \"self-signed\"");
    let tls = config.listeners["https"].tls.on().unwrap();
    assert!(tls.session_cache.value().is_none());
}

#[test]
fn redirects_to_https() {
    let table = [
        ("redirect_http = false", None),
        ("", None),
        ("redirect_http = true", Some((308, RedirectHost::Host))),
        ("redirect_http = 301", Some((301, RedirectHost::Host))),
        (
            "redirect_http = { code = 302, to = \"first\" }",
            Some((302, RedirectHost::First)),
        ),
        (
            "redirect_http = { to = \"host\" }",
            Some((308, RedirectHost::Host)),
        ),
    ];
    for (line, expected) in table {
        let config = secured("true", &format!("certificate = \"self-signed\"\n{line}"));
        let redirect = config.sites[0].redirect_http.on();
        let found = redirect.map(|it| (it.code.0, it.to.value));
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn listener_defaults() {
    let config = config(SHORT);
    let listener = &config.listeners["public"];
    assert!(listener.trusted_proxies.is_empty());
    assert!(listener.headers.0.is_empty());
    assert_eq!(listener.max_head.bytes(), 32 * 1024);
    assert_eq!(listener.max_fields.get(), 100);
    assert_eq!(listener.idle_timeout, 75 * SECOND);
    assert_eq!(listener.head_timeout, 30 * SECOND);
    assert_eq!(listener.max_connections, 0);
    let rates = listener.min_rate.on().unwrap();
    let rate = |rate: Rate| rate.0.unwrap().get();
    assert_eq!(
        (rate(rates.head), rate(rates.body), rate(rates.read)),
        (100, 250, 250)
    );
    assert_eq!(*rates.grace, 10 * SECOND);
    let limits = &listener.client_limits;
    assert_eq!(
        (
            limits.connections,
            limits.connections_per_second,
            limits.requests
        ),
        (0, 0, 0)
    );
    assert_eq!(listener.max_requests, 0);
    assert_eq!(listener.max_connection_age, Duration::ZERO);
    assert!(listener.tls.on().is_none());
    assert!(listener.proxy_protocol.is_none());
}

#[test]
fn endpoints_that_are_found() {
    let config = full();
    let endpoints = &config.upstreams["found"].endpoints;
    let [pods, services] = &endpoints[..] else {
        panic!("{endpoints:#?}");
    };
    assert_eq!(pods.address.to_string(), "pods.internal:80");
    assert_eq!((*pods.resolve, *pods.family), (Resolve::All, Family::Ipv4));
    let expected = EndpointAddress::Srv("_http._tcp.app.internal".to_owned());
    assert_eq!(*services.address, expected);
    assert_eq!(
        (*services.resolve, *services.family),
        (Resolve::One, Family::Any)
    );
    let files: Vec<_> = endpoints
        .files()
        .iter()
        .map(|it| it.file.value.clone())
        .collect();
    assert_eq!(files, [Path::new("etc/endpoints/found.toml")]);
    let lists = config.endpoint_lists();
    assert_eq!(lists.count(FileKind::EndpointList), 1);
}

#[test]
fn upstream() {
    let config = full();
    let upstream = &config.upstreams["sales"];
    let expected = [
        (
            EndpointAddress::Socket("127.0.0.1:5006".parse().unwrap()),
            1,
            None,
        ),
        (
            EndpointAddress::Name {
                host: "app.internal".to_owned(),
                port: 5007,
            },
            2,
            Some(100),
        ),
        (EndpointAddress::Unix("etc/run/app.sock".into()), 1, None),
        (EndpointAddress::Unix("/run/app.sock".into()), 1, None),
    ];
    assert_eq!(upstream.endpoints.len(), expected.len());
    let zones = upstream.endpoints.iter().map(|endpoint| {
        let zone = endpoint.zone.as_ref();
        (endpoint.backup, zone.map(|zone| zone.as_str()))
    });
    assert_eq!(
        zones.collect::<Vec<_>>(),
        [
            (false, None),
            (false, Some("east")),
            (true, None),
            (false, None)
        ]
    );
    assert_eq!(config.server.zone.as_ref().unwrap().as_str(), "east");
    for (endpoint, (address, weight, most)) in upstream.endpoints.iter().zip(expected) {
        assert_eq!(*endpoint.address, address);
        assert_eq!(endpoint.weight.get(), weight);
        assert_eq!(endpoint.max_connections.map(|most| most.get()), most);
    }
    assert_eq!(*upstream.balance, Balance::LeastConn);
    assert_eq!(*upstream.slow_start, 30 * SECOND);
    let sticky = upstream.sticky.as_ref().unwrap();
    assert_eq!(sticky.cookie.as_str(), "sales_endpoint");
    assert_eq!(*sticky.lifetime.unwrap(), 3600 * SECOND);
    assert_eq!(sticky.same_site, SameSite::Strict);
    assert_eq!(upstream.keepalive, 16);
    assert_eq!(upstream.keepalive_timeout, 4 * SECOND);
    assert_eq!(upstream.connect_timeout, Duration::from_millis(250));
    assert_eq!(upstream.response_head_timeout, 120 * SECOND);
    assert_eq!(upstream.idle_timeout, 86_400 * SECOND);
    assert_eq!(upstream.max_response_head.bytes(), 4096);
    assert_eq!(upstream.passive_health.max_fails, 3);
    assert_eq!(*upstream.passive_health.fail_timeout, 30 * SECOND);
    assert!(upstream.passive_health().is_some(), "both are written");
    let outliers = upstream.outliers.on().unwrap();
    let errors = &outliers.errors;
    assert_eq!((errors.every, errors.connect), (4, Some(3)));
    assert_eq!((errors.reset, errors.timeout), (Some(6), Some(7)));
    assert_eq!(errors.status, Some(0));
    assert_eq!(*outliers.interval, 20 * SECOND);
    assert_eq!(*outliers.eject, 60 * SECOND);
    assert_eq!(outliers.most.get(), 30);
    let success_rate = outliers.success_rate.on().unwrap();
    assert_eq!(success_rate.deviations.0, 2_500);
    assert_eq!(success_rate.endpoints.get(), 3);
    assert_eq!(success_rate.requests.get(), 50);
    let retry_after = outliers.retry_after.on().unwrap();
    let statuses = retry_after.statuses.iter().map(|status| status.0);
    assert_eq!(statuses.collect::<Vec<_>>(), [429, 503]);
    assert_eq!(*retry_after.longest, 60 * SECOND);
    let threshold = upstream.panic_threshold.unwrap();
    assert!(matches!(threshold, PanicThreshold::Below(share) if share.get() == 50));
    let limits = &upstream.limits;
    let number = |limit: Option<std::num::NonZeroU32>| limit.map(|limit| limit.get());
    assert_eq!(number(limits.requests), Some(1000));
    assert_eq!(number(limits.pending), Some(100));
    assert_eq!(number(limits.connections), Some(200));
    assert_eq!(number(limits.retries), Some(20));
    let adaptive = limits.adaptive.on().unwrap();
    assert_eq!((adaptive.min.get(), adaptive.max.get()), (5, 500));
    assert_eq!(adaptive.tolerance.get(), 50);
    let retries = upstream.retries.as_ref().unwrap();
    assert_eq!(retries.more.map(|more| more.value), Some(1));
    let on: Vec<_> = retries.on.iter().map(|it| it.value).collect();
    assert_eq!(
        on,
        [
            RetryCondition::Connect,
            RetryCondition::Timeout,
            RetryCondition::Status(502),
            RetryCondition::Class(5),
        ]
    );
    assert_eq!(retries.try_timeout.map(|it| it.value), Some(2 * SECOND));
    assert_eq!(retries.budget.get(), 10);
    assert_eq!(retries.body.bytes(), 128 * 1024);
    assert_eq!(upstream.hedge, OrFalse::Value(Hedge::Quantile(95)));
    assert_eq!(upstream.hold, 10 * SECOND);
    let tls = upstream.tls.on().unwrap();
    assert!(!*tls.verify);
    assert_eq!(
        upstream.send_proxy_protocol,
        OrFalse::Value(ProxyVersion::V2)
    );

    assert_eq!(*config.upstreams["called"].http, UpstreamHttp::Http2);
    let health = upstream.health.as_ref().unwrap();
    assert!(matches!(health.kind, CheckKind::Tcp(_)));
    assert_eq!(*health.interval, 60 * SECOND);
    assert_eq!(**health.idle_interval.as_ref().unwrap(), 600 * SECOND);
    assert_eq!(health.edge_interval(), 12 * SECOND);
    let health = config.upstreams["called"].health.as_ref().unwrap();
    assert!(matches!(&health.kind, CheckKind::Grpc(service) if service.as_str() == "shop.Orders"));
    let health = config.upstreams["checked"].health.as_ref().unwrap();
    assert!(
        matches!(&health.kind, CheckKind::Http(path) if path.as_str() == "/health/ready?deep=1")
    );
    assert_eq!(health.host.as_ref().unwrap().as_str(), "checked.internal");
    assert_eq!(health.method.as_ref().unwrap().as_str(), "HEAD");
    assert_eq!(health.headers.as_ref().unwrap().0[0].value.value, "1");
    let statuses = health.statuses.as_ref().unwrap().iter();
    let statuses: Vec<_> = statuses.map(ToString::to_string).collect();
    assert_eq!(statuses, ["200", "204-206", "3xx"]);
    assert_eq!(**health.body.as_ref().unwrap(), "^ok");
    assert_eq!(health.port.as_ref().unwrap().0, 9901);
    assert_eq!(*health.interval, 5 * SECOND);
    assert_eq!(*health.timeout, SECOND / 2);
    assert_eq!((health.rise.get(), health.fall.get()), (4, 1));
    assert_eq!(health.edge_interval(), SECOND / 4);
    let Balance::Hash(hash) = &*config.upstreams["called"].balance else {
        panic!("{:?}", config.upstreams["called"].balance);
    };
    assert_eq!(hash.hash, Input::Header("x-user".to_owned()));
    assert_eq!(hash.bounded.unwrap().get(), 1.25);
    let tls = config.upstreams["called"].tls.on().unwrap();
    assert_eq!(
        tls.server_name.as_ref().unwrap().as_str(),
        "called.example.com"
    );
    assert_eq!(**tls.ca.as_ref().unwrap(), Path::new("etc/ca.pem"));
    let own = tls.certificate.as_ref().unwrap();
    assert_eq!(*own.cert, Path::new("etc/client.crt"));
    assert_eq!(*own.key, Path::new("etc/client.key"));
    assert!(*tls.verify);
}

#[test]
fn a_path_alone_is_a_check() {
    let short = SHORT.replace("[policies.p]", "health = \"/ready\"\n[policies.p]");
    let upstreams = config(&short).upstreams;
    let health = upstreams["app"].health.as_ref().unwrap();
    assert!(matches!(&health.kind, CheckKind::Http(path) if path.as_str() == "/ready"));
    assert_eq!(*health.interval, 10 * SECOND);
    assert_eq!(*health.timeout, 2 * SECOND);
    assert_eq!(health.edge_interval(), 2 * SECOND);
    assert_eq!((health.rise.get(), health.fall.get()), (2, 3));
    assert!(health.idle_interval.is_none() && health.statuses.is_none());
}

#[test]
fn upstream_defaults() {
    let config = config(SHORT);
    let upstream = &config.upstreams["app"];
    assert_eq!(*upstream.http, UpstreamHttp::Http11);
    assert_eq!(*upstream.balance, Balance::RoundRobin);
    assert!(upstream.slow_start.is_zero());
    assert!(upstream.sticky.is_none());
    assert!(upstream.endpoints.iter().all(|endpoint| !endpoint.backup));
    assert_eq!(upstream.keepalive, 32);
    assert_eq!(upstream.keepalive_timeout, 60 * SECOND);
    assert_eq!(upstream.connect_timeout, 5 * SECOND);
    assert_eq!(upstream.response_head_timeout, 60 * SECOND);
    assert_eq!(upstream.idle_timeout, 60 * SECOND);
    assert_eq!(upstream.max_response_head.bytes(), 64 * 1024);
    assert_eq!(upstream.passive_health.max_fails, 1);
    assert_eq!(*upstream.passive_health.fail_timeout, 10 * SECOND);
    assert!(upstream.passive_health().is_some());
    assert!(upstream.outliers.on().is_none());
    assert!(upstream.panic_threshold.is_none());
    assert!(upstream.limits.requests.is_none());
    assert!(upstream.limits.adaptive.on().is_none());
    assert!(upstream.retries.is_none());
    assert_eq!(upstream.hedge, OrFalse::False);
    assert_eq!(upstream.hold, Duration::ZERO);
    assert!(upstream.tls.on().is_none());
    assert_eq!(upstream.send_proxy_protocol, OrFalse::False);
    assert!(upstream.health.is_none());
}

const FRONT: &str = "[listeners.public]\naddress = \"*:80\"\n\
    [[sites]]\nhosts = [\"*\"]\nroutes = [{ upstream = \"app\" }]\n";

/// What outlier detection does is enough, unless the other is written too.
#[test]
fn outliers_take_the_place_of_passive_health() {
    for (fields, has_passive, errors) in [
        ("", true, None),
        ("outliers = false", true, None),
        ("outliers = true", false, Some(5)),
        ("outliers = { errors = 3 }", false, Some(3)),
        ("outliers = true\npassive_health = {}", true, Some(5)),
        (
            "outliers = true\npassive_health = { max_fails = 2 }",
            true,
            Some(5),
        ),
    ] {
        let text = format!("{FRONT}[upstreams.app]\nendpoints = [\"127.0.0.1:1\"]\n{fields}\n");
        let loaded = parse(Sources::single("janua.toml", &text)).unwrap();
        let upstream = &loaded.config.upstreams["app"];
        assert_eq!(upstream.passive_health().is_some(), has_passive, "{fields}");
        let of_outliers = upstream.outliers.on().map(|outliers| outliers.errors.every);
        assert_eq!(of_outliers, errors, "{fields}");
    }
}

#[test]
fn the_panic_threshold_can_be_turned_off() {
    for off in ["0", "\"0%\"", "false"] {
        let text = format!(
            "{FRONT}[upstreams.app]\nendpoints = [\"127.0.0.1:1\"]\npanic_threshold = {off}\n"
        );
        let loaded = parse(Sources::single("janua.toml", &text)).unwrap();
        let threshold = loaded.config.upstreams["app"].panic_threshold;
        assert_eq!(threshold, Some(PanicThreshold::Never), "{off}");
    }
}

#[test]
fn policy() {
    let config = full();
    let limit = &config.policies["limit"];
    assert_eq!(
        *limit.component,
        Component::Bundled("rate-limit".to_owned())
    );
    assert_eq!(
        limit.config.value,
        json!({
            "rate": "10/s", "burst": 100, "share": 0.5, "since": "1979-05-27T07:32:00Z",
            "nested": { "list": [{ "deep": true }] },
        })
    );
    assert_eq!(limit.grants[0].as_str(), "input:header:authorization");
    assert_eq!(limit.on_error, Some(OnError::Skip));
    assert_eq!(*limit.deadline, Duration::from_millis(5));
    assert_eq!(*limit.configure_deadline, Duration::from_secs(5));
    assert_eq!(limit.memory.bytes(), 8 << 20);
    assert_eq!(limit.max_reuse, Some(Duration::ZERO));
    assert_eq!(limit.memo.bytes(), 0);
    assert_eq!(limit.memo_sample, 0);
    assert_eq!(limit.isolation, Isolation::Policy);
    assert_eq!(limit.throttle.share.get(), 80);
    assert_eq!(limit.throttle.client_share.get(), 20);
    assert_eq!(*limit.breaker.clients, 10);
    assert_eq!(*limit.breaker.within, Duration::from_secs(60));
    assert_eq!(*limit.breaker.pause, Duration::from_secs(2));
    let mine = &config.policies["mine"];
    assert_eq!(
        *mine.component,
        Component::File("etc/policies/mine.wasm".into())
    );
}

#[test]
fn policy_defaults() {
    let config = config(SHORT);
    let policy = &config.policies["p"];
    assert_eq!(policy.config.value, json!({}));
    assert!(policy.grants.is_empty());
    assert_eq!(policy.on_error, None);
    assert_eq!(*policy.deadline, Duration::from_millis(10));
    assert_eq!(*policy.configure_deadline, Duration::from_secs(1));
    assert_eq!(policy.memory.bytes(), 64 << 20);
    assert_eq!(policy.max_reuse, None);
    assert_eq!(policy.memo.bytes(), 1 << 20);
    assert_eq!(policy.memo_sample, 8192);
    assert_eq!(policy.isolation, Isolation::Shared);
    assert_eq!(policy.throttle.share.get(), 50);
    assert_eq!(policy.throttle.client_share.get(), 10);
    assert_eq!(*policy.breaker.clients, 5);
    assert_eq!(*policy.breaker.within, Duration::from_secs(10));
    assert_eq!(*policy.breaker.pause, Duration::from_secs(5));
}

#[test]
fn keys_of_a_policy_have_places() {
    let text = include_str!("../fixtures/accepted/full.toml");
    let config = full();
    let limit = &config.policies["limit"].config;
    for (key, written) in [
        ("burst", "burst"),
        ("nested.list", "list"),
        ("nested.list.0.deep", "deep"),
        ("nested.list[0].deep", "deep"),
        ("deep", "deep"),
        // A missing key is reported at its table.
        ("nested.none", "nested"),
    ] {
        let span = limit.key_span(key).unwrap();
        assert_eq!(&text[span.start..span.end], written, "{key}");
    }
    assert!(limit.key_span("absent").is_none());
}

#[test]
fn site() {
    let config = full();
    let site = &config.sites[0];
    let hosts: Vec<_> = site.hosts.iter().map(|host| host.value.clone()).collect();
    assert_eq!(
        hosts,
        [
            HostPattern::Exact("sales.example.com".to_owned()),
            HostPattern::Below("sales.example.com".to_owned()),
        ]
    );
    assert_eq!(site.label(), "sales");
    assert_eq!(site.listeners.as_ref().unwrap()[0].as_str(), "public");
    let Some(Certificate::Files(files)) = site.certificate.as_deref() else {
        panic!("{:?}", site.certificate);
    };
    assert_eq!(files.len(), 2);
    assert_eq!(*files[0].cert, Path::new("etc/ecdsa.crt"));
    assert_eq!(*files[0].key, Path::new("etc/ecdsa.key"));
    assert_eq!(
        **files[0].ocsp.as_ref().unwrap(),
        Path::new("etc/ecdsa.ocsp")
    );
    assert_eq!(*files[1].cert, Path::new("etc/rsa.crt"));
    assert!(files[1].ocsp.is_none());
    let redirect = site.redirect_http.on().unwrap();
    assert_eq!((redirect.code.0, *redirect.to), (301, RedirectHost::First));
    assert_eq!(*site.tls.max_version, TlsVersion::V12);
    let ciphers = site.tls.ciphers.as_ref().unwrap();
    assert_eq!(*ciphers[0], "ECDHE-ECDSA-AES128-GCM-SHA256");
    assert_eq!(*ciphers[1], "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    let auth = site.tls.client_auth.as_ref().unwrap();
    assert_eq!(auth.mode, ClientAuthMode::Optional);
    assert_eq!(*auth.ca, Path::new("etc/clients.pem"));
    assert_eq!(**auth.crl.as_ref().unwrap(), Path::new("etc/clients.crl"));
    let other = &config.sites[1];
    assert!(matches!(
        other.certificate.as_deref(),
        Some(Certificate::SelfSigned)
    ));
    assert_eq!(*other.tls.min_version, TlsVersion::V13);
    assert_eq!(site.encoded_slash, EncodedSlash::Refuse);
    assert_eq!(site.hidden_dots, HiddenDots::Keep);
    assert_eq!(site.policies[0].name.as_str(), "limit");
    assert_eq!(site.policies[0].on_error, None);
    assert_eq!(site.policies[1].on_error, Some(OnError::Skip));
    assert_eq!(
        site.policies[1].deadline.as_deref(),
        Some(&Duration::from_millis(2))
    );

    let (api, other) = (&site.routes[0], &site.routes[1]);
    assert_eq!(site.max_body(api), None);
    assert_eq!(site.max_body(other), Some(10 << 20));
    assert_eq!(site.request_timeout(api), None);
    assert_eq!(site.request_timeout(other), Some(90 * SECOND));
    let names = |route| {
        let uses = site.policies(route);
        uses.map(|used| used.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names(api), ["mine", "mine"]);
    assert_eq!(names(other), ["limit", "mine"]);
}

#[test]
fn site_defaults() {
    let config = config(SHORT);
    let site = &config.sites[0];
    assert_eq!(*site.hosts[0], HostPattern::Any);
    assert_eq!(site.label(), "*");
    assert!(site.listeners.is_none());
    assert!(site.certificate.is_none() && site.redirect_http.on().is_none());
    assert_eq!(site.encoded_slash, EncodedSlash::Keep);
    assert_eq!(site.hidden_dots, HiddenDots::Refuse);
    let route = &site.routes[0];
    assert_eq!(site.max_body(route), Some(1 << 20));
    assert_eq!(site.request_timeout(route), None);
    assert_eq!(route.label(), "/");
    assert!(route.path.is_none());
    assert!(route.methods.is_empty());
    assert!(route.headers.0.is_empty());
    assert_eq!(*route.host, UpstreamHost::Preserve);
    assert!(route.access_log);
    assert!(route.idle_timeout.is_none());
}

#[test]
fn route() {
    let config = full();
    let route = &config.sites[0].routes[0];
    assert_eq!(route.label(), "api");
    let methods: Vec<_> = route.methods.iter().map(|it| it.as_str()).collect();
    assert_eq!(methods, ["GET", "HEAD"]);
    let test = |name: &str| {
        let mut tests = route.headers.0.iter();
        let found = tests.find(|test| test.name.as_str() == name).unwrap();
        found.test.value.clone()
    };
    assert_eq!(test("x-canary"), ValueTest::Equals("1".to_owned()));
    assert_eq!(test("x-any"), ValueTest::Present);
    assert_eq!(test("x-none"), ValueTest::Absent);
    assert_eq!(test("x-re"), ValueTest::Regex("^a".to_owned()));
    assert!(matches!(&route.target, Target::Upstream(name) if name.as_str() == "sales"));
    assert_eq!(**route.strip_prefix.as_ref().unwrap(), "/api");
    assert_eq!(*route.host, UpstreamHost::Upstream);
    assert_eq!(route.idle_timeout, Some(86_400 * SECOND));
    let retries = route.retries.as_ref().unwrap();
    assert_eq!(retries.more.map(|more| more.value), Some(0));
    assert_eq!(retries.on[0].value, RetryCondition::Connect);
    let half_a_second = Duration::from_millis(500);
    assert_eq!(retries.try_timeout.map(|it| it.value), Some(half_a_second));
    assert_eq!((retries.budget.get(), retries.body.bytes()), (50, 0));
    let hedge = OrFalse::Value(Hedge::After(half_a_second / 5));
    assert_eq!(route.hedge.as_ref().map(|it| it.value), Some(hedge));
    assert_eq!(route.hold.map(|it| it.value), Some(30 * SECOND));
    assert!(!route.access_log);
}

#[test]
fn split_and_mirrors() {
    let config = full();
    let route = &config.sites[0].routes[12];
    let Target::Split(split) = &route.target else {
        panic!("{:?}", route.target);
    };
    let [sales, next, called, found] = &split.split.0[..] else {
        panic!("{:?}", split.split);
    };
    assert_eq!((sales.upstream.as_str(), sales.weight), ("sales", 95));
    assert!(sales.host.is_none() && sales.strip_prefix.is_none());
    assert_eq!((next.upstream.as_str(), next.weight), ("next", 0));
    let host = UpstreamHost::Literal("next.internal".to_owned());
    assert_eq!(next.host.as_ref().unwrap().value, host);
    assert_eq!(next.strip_prefix.as_ref().unwrap().value, "/split");
    assert_eq!(next.upstream_timeout.as_deref(), Some(&(3 * SECOND)));
    assert_eq!(next.request_headers.given().count(), 2);
    assert_eq!(next.response_headers.remove.len(), 1);
    let rewrite = called.rewrite.as_ref().unwrap();
    assert_eq!(rewrite.host.as_ref().unwrap().as_str(), "called.internal");
    assert_eq!(rewrite.path.as_ref().unwrap().as_str(), "/called{path}");
    let rewrite = found.rewrite.as_ref().unwrap();
    assert_eq!(rewrite.prefix.as_ref().unwrap().as_str(), "/found");
    let by = split.by.as_ref().unwrap();
    assert_eq!(by.value, Input::Cookie("user".to_owned()));
    let names: Vec<_> = route.target.upstreams().map(|it| it.as_str()).collect();
    assert_eq!(names, ["sales", "next", "called", "found"]);

    let mirrors: Vec<_> = route.mirror.as_deref().unwrap().iter().collect();
    let shown = mirrors.iter().map(|mirror| {
        (
            mirror.upstream.as_str(),
            mirror.share(),
            mirror.body.bytes(),
            mirror.timeout.value,
            mirror.most.get(),
        )
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            ("called", 0.005, 1 << 20, 2 * SECOND, 10),
            ("shadow", 0.001, 64 << 10, 10 * SECOND, 100),
            ("sales", 1.0, 64 << 10, 10 * SECOND, 100),
        ]
    );
}

#[test]
fn paths() {
    let config = full();
    let routes = &config.sites[0].routes;
    let text = str::to_owned;
    let expected = [
        (PathPattern::Segment(text("/api")), "/api"),
        (PathPattern::Prefix(text("/static/")), "/static/"),
        (
            PathPattern::Suffix(vec![text(".js"), text(".css")]),
            "*.js *.css",
        ),
        (PathPattern::Exact(text("/x")), "= /x"),
        (PathPattern::Prefix(text("/raw")), "/raw*"),
        (PathPattern::Regex(text("^/u/[0-9]+")), "~ ^/u/[0-9]+"),
    ];
    for (route, (path, label)) in routes.iter().zip(expected) {
        let found = route.path.as_ref().unwrap();
        assert_eq!(found.value, path);
        assert_eq!(found.to_string(), label);
    }
    assert!(routes[6].path.is_none());
}

#[test]
fn targets() {
    let config = full();
    let routes = &config.sites[0].routes;
    let Target::Respond(respond) = &routes[1].target else {
        panic!("{:?}", routes[1].target);
    };
    assert_eq!(respond.status.0, 404);
    assert_eq!(respond.body, "no");
    assert_eq!(respond.headers.0[0].name.as_str(), "cache-control");
    let Target::Redirect(redirect) = &routes[3].target else {
        panic!("{:?}", routes[3].target);
    };
    assert_eq!(redirect.status(), 308);
    let to = redirect.to.as_ref().unwrap();
    let origin = to.origin.as_ref().unwrap();
    let plain = |input| TemplatePart::Input(Input::Plain(input));
    assert_eq!(origin.scheme, AddressScheme::Https);
    assert_eq!(origin.host.parts, [plain(PlainInput::Host)]);
    assert_eq!(to.rest, [PlainInput::Path, PlainInput::Query].map(plain));
    let Target::Redirect(redirect) = &routes[4].target else {
        panic!("{:?}", routes[4].target);
    };
    assert_eq!(redirect.status(), 302);
    let origin = redirect.to.as_ref().unwrap().origin.as_ref().unwrap();
    assert_eq!(origin.scheme, AddressScheme::OfRequest);
    assert_eq!(
        *routes[2].host,
        UpstreamHost::Literal("app.example.com".to_owned())
    );
}

#[test]
fn conditions_rewrites_and_edits() {
    let config = full();
    let routes = &config.sites[0].routes;
    let route = &routes[8];
    let tests = |name: &str| {
        let mut query = route.query.0.iter();
        query
            .find(|it| it.name.value == name)
            .unwrap()
            .test
            .value
            .clone()
    };
    assert_eq!(tests("v"), ValueTest::Equals("v2".to_owned()));
    assert_eq!(tests("any"), ValueTest::Present);
    assert_eq!(tests("none"), ValueTest::Absent);
    assert_eq!(tests("re"), ValueTest::Regex("^a".to_owned()));
    let rewrite = route.rewrite.as_ref().unwrap();
    let host = rewrite.host.as_ref().unwrap();
    assert_eq!((host.parts.len(), host.port), (2, Some(8080)));
    assert_eq!(rewrite.prefix.as_ref().unwrap().as_str(), "/v2");
    let edits = &route.request_headers;
    assert_eq!(edits.remove[0].as_str(), "x-debug");
    let given: Vec<&str> = edits.given().map(|name| name.as_str()).collect();
    assert_eq!(given, ["authorization", "x-client", "x-via"]);
    assert_eq!(edits.add.0[0].1.len(), 2);
    let status = route.response_headers.add.0[0].1[0].inputs().next();
    assert_eq!(status, Some(&Input::Plain(PlainInput::Status)));
    let timeout = route.upstream_timeout.as_ref().map(|it| it.value);
    assert_eq!(timeout, Some(Duration::from_secs(20)));
    let path = routes[9].rewrite.as_ref().unwrap().path.as_ref().unwrap();
    assert_eq!(path.as_str(), "/users/{query:id}{path}");
    let Target::Redirect(redirect) = &routes[10].target else {
        panic!("{:?}", routes[10].target);
    };
    assert_eq!(
        (redirect.status(), redirect.port.as_ref().unwrap().value),
        (303, 8443)
    );
    let Target::Redirect(redirect) = &routes[11].target else {
        panic!("{:?}", routes[11].target);
    };
    let scheme = redirect.scheme.as_ref().map(|it| it.value);
    assert_eq!(
        (redirect.status(), scheme),
        (302, Some(RedirectScheme::Http))
    );
}

#[test]
fn cache() {
    let cache = full().cache;
    assert_eq!(cache.memory.bytes(), 128 << 20);
    assert_eq!(cache.max_object.bytes(), 1 << 20);
    let disk = cache.disk.unwrap();
    assert_eq!(*disk.path, Path::new("etc/cache"));
    assert_eq!(disk.size.bytes(), 1 << 30);
    let [cloudflare, own] = cache.webhooks.as_slice() else {
        panic!("{:?}", cache.webhooks);
    };
    assert!(cloudflare.url.as_str().ends_with("/purge_cache"));
    assert!(matches!(
        cloudflare.body,
        WebhookBody::Template(WebhookTemplate::Cloudflare)
    ));
    let Token::File(path) = &cloudflare.token else {
        panic!("{:?}", cloudflare.token);
    };
    assert_eq!(path.value, Path::new("etc/cdn.token"));
    assert!(matches!(&own.token, Token::Env(name) if name.value == "CDN_TOKEN"));
    assert_eq!(own.headers.0[0].name.as_str(), "x-purge");
    let WebhookBody::Text(text) = &own.body else {
        panic!("{:?}", own.body);
    };
    let filled = text.fill(|name| match name {
        "everything" => json!(false),
        // Inserted values are data, even if they look like placeholders.
        "tags" => json!(["{urls}"]),
        other => json!([other]),
    });
    let filled: serde_json::Value = serde_json::from_str(&filled).unwrap();
    assert_eq!(
        filled,
        json!({ "u": ["urls"], "p": ["prefixes"], "h": ["hosts"], "t": ["{urls}"], "all": false })
    );
}

#[test]
fn secrets() {
    let secrets = full().secrets;
    let files = |name: &str| -> Vec<_> {
        let files = secrets[name].source.files();
        files
            .map(|path| path.to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(files("session"), ["etc/session.key", "etc/session-old.key"]);
    assert_eq!(files("staff"), ["etc/staff.htpasswd"]);
    assert_eq!(files("partner"), ["etc/partner.pem"]);
    assert_eq!(files("own"), ["etc/own.json"]);
    let source = |name: &str| secrets[name].source.clone();
    assert!(matches!(source("hook"), SecretSource::Env(names) if *names[0] == "HOOK_SECRET"));
    assert!(
        matches!(source("api"), SecretSource::Credential(names) if names[0].as_str() == "api.token")
    );
    let SecretSource::JwksUrl { url, upstream, ca } = source("issuer") else {
        panic!("{:?}", source("issuer"));
    };
    assert_eq!(*url, "https://login.example.com/keys");
    assert_eq!(upstream.unwrap().as_str(), "called");
    assert_eq!(ca, None);
    assert!(
        matches!(source("other-issuer"), SecretSource::JwksUrl { ca: Some(ca), .. } if *ca == Path::new("etc/login.pem"))
    );
}

#[test]
fn datasets() {
    let datasets = full().datasets;
    for (name, kind, file) in [
        ("blocked", DatasetKind::Networks, "etc/blocked.txt"),
        ("tenants", DatasetKind::Strings, "etc/tenants.txt"),
        ("attacks", DatasetKind::Regexes, "etc/attacks.txt"),
        ("geo", DatasetKind::Mmdb, "etc/geo.mmdb"),
    ] {
        let source = &datasets[name].source;
        assert_eq!(source.kind, kind);
        assert_eq!(source.file.value, Path::new(file));
    }
}

#[test]
fn acme() {
    let Acme { default, named } = full().acme;
    let authority = default.unwrap();
    assert_eq!(**authority.email.as_ref().unwrap(), "ops@example.com");
    assert_eq!(
        authority.directory.url(),
        "https://ca.example.com/directory"
    );
    assert_eq!(
        authority.test_directory(),
        Some(&Directory::LetsEncryptStaging)
    );
    let challenges: Vec<_> = authority.challenges.iter().map(|it| it.value).collect();
    assert_eq!(challenges, [Challenge::Dns01, Challenge::Http01]);
    assert_eq!(**authority.profile.as_ref().unwrap(), "shortlived");
    assert_eq!(authority.key_type, KeyType::P384);
    let eab = authority.eab.as_ref().unwrap();
    assert_eq!(*eab.id, "kid-1");
    assert!(matches!(&eab.key, EabKey::File(path) if path.value == Path::new("etc/eab.key")));
    assert_eq!(
        **authority.roots.as_ref().unwrap(),
        Path::new("etc/pebble.pem")
    );
    let fallback: Vec<_> = authority.fallback.iter().map(|it| it.as_str()).collect();
    assert_eq!(fallback, ["zerossl", "other"]);

    let dns = authority.dns.unwrap();
    let DnsProvider::Responder {
        addresses,
        zone,
        name_server,
    } = &dns.provider
    else {
        panic!("{:?}", dns.provider);
    };
    assert_eq!(*addresses[0], ListenAddress::BothFamilies { port: 53 });
    assert_eq!(
        *addresses[1],
        ListenAddress::Socket("[::1]:1053".parse().unwrap())
    );
    assert_eq!(**zone.as_ref().unwrap(), "acme.example.com");
    assert_eq!(**name_server, "gw.example.com");
    let resolvers: Vec<_> = dns.resolvers().map(|it| it.to_string()).collect();
    assert_eq!(
        resolvers,
        ["192.0.2.53:53", "[2001:db8::53]:5353", "[2001:db8::54]:53"]
    );
    assert_eq!(dns.check, DnsCheck::Resolvers);
    assert_eq!(*dns.propagation_timeout, 30 * SECOND);

    assert_eq!(named.len(), 2);
    let zerossl = &named["zerossl"];
    assert_eq!(*zerossl.directory, Directory::ZeroSsl);
    assert_eq!(zerossl.test_directory(), None);
    let key = &zerossl.eab.as_ref().unwrap().key;
    assert!(matches!(key, EabKey::Env(name) if name.value == "EAB_KEY"));
    let DnsProvider::Webhook { url, token } = &zerossl.dns.as_ref().unwrap().provider else {
        panic!("{:?}", zerossl.dns);
    };
    assert_eq!(url.as_str(), "https://dns.example.com/acme");
    assert!(matches!(token, Token::File(path) if path.value == Path::new("etc/dns.token")));
}

#[test]
fn authorities_are_found_by_name() {
    let acme = full().acme;
    let names: Vec<_> = acme.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["default", "other", "zerossl"]);
    let url = |name| acme.authority(name).map(|it| it.directory.url());
    assert_eq!(url(None), Some("https://ca.example.com/directory"));
    assert_eq!(
        url(Some("zerossl")),
        Some("https://acme.zerossl.com/v2/DV90")
    );
    assert_eq!(url(Some("default")), None);
    let named = config("acme.own.accept_terms = true\nlisteners.a.address = \"*:80\"").acme;
    assert!(named.authority(None).is_none() && named.authority(Some("own")).is_some());
}

#[test]
fn acme_defaults() {
    let config = secured(
        "true",
        "certificate = \"auto\"\n[acme]\naccept_terms = true",
    );
    let authority = config.acme.authority(None).unwrap();
    assert!(authority.email.is_none());
    assert_eq!(*authority.directory, Directory::LetsEncrypt);
    assert_eq!(
        authority.test_directory().map(Directory::url),
        Some("https://acme-staging-v02.api.letsencrypt.org/directory")
    );
    let challenges: Vec<_> = authority.challenges.iter().map(|it| it.value).collect();
    assert_eq!(challenges, [Challenge::TlsAlpn01, Challenge::Http01]);
    assert!(authority.dns.is_none() && authority.profile.is_none());
    assert_eq!(authority.key_type, KeyType::P256);
    assert!(authority.eab.is_none() && authority.roots.is_none());
    assert!(authority.fallback.is_empty());
    assert!(config.webhooks.is_empty());
    let Some(Certificate::Acme(certificate)) = config.sites[0].certificate.as_deref() else {
        panic!("{:?}", config.sites[0].certificate);
    };
    assert!(certificate.authority().is_none() && certificate.on_demand.is_none());

    let config = secured(
        "true",
        "certificate = \"auto\"\n[acme]\naccept_terms = true\nchallenges = [\"dns-01\"]\n\
         [acme.dns]\nwebhook = \"https://dns.example.com/\"",
    );
    let dns = config.acme.default.unwrap().dns.unwrap();
    assert_eq!(dns.resolvers().count(), 0);
    assert_eq!(dns.check, DnsCheck::Authoritative);
    assert_eq!(*dns.propagation_timeout, 120 * SECOND);
}

#[test]
fn certificates_by_acme() {
    let config = full();
    let certificates: Vec<_> = config
        .sites
        .iter()
        .filter_map(|site| match site.certificate.as_deref() {
            Some(Certificate::Acme(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    assert_eq!(certificates.len(), 2);
    assert_eq!(certificates[0].authority(), None);
    assert!(certificates[0].on_demand.is_none());
    assert_eq!(certificates[1].authority(), Some("zerossl"));
    let on_demand = certificates[1].on_demand.as_ref().unwrap();
    assert_eq!(on_demand.ask.as_str(), "http://127.0.0.1:5555/allowed");
}

#[test]
fn webhooks() {
    let webhooks = full().webhooks;
    assert_eq!(webhooks.len(), 3);
    let webhook = &webhooks[0];
    assert!(webhook.is_on(EventKind::Certificate));
    assert_eq!(webhook.url.as_str(), "https://hooks.example.com/x");
    assert!(
        matches!(&webhook.token, Token::File(path) if path.value == Path::new("etc/hook.token"))
    );
    assert_eq!(webhook.headers.0[0].name.as_str(), "x-hook");
    let filled = webhook.body.as_ref().unwrap().fill(|name| match name {
        "details" => json!({ "a": 1 }),
        // Inserted values are data, even if they look like placeholders.
        "text" => json!("{name}"),
        other => json!(other),
    });
    let filled: serde_json::Value = serde_json::from_str(&filled).unwrap();
    assert_eq!(
        filled,
        json!({ "e": ["event", "name", "state", "{name}", "time", "host"], "d": { "a": 1 } })
    );
    assert!(webhooks[1].body.is_none());
}

#[test]
fn compression() {
    let compression = full().compression;
    let encodings: Vec<_> = compression.encodings.iter().map(|it| it.value).collect();
    assert_eq!(encodings, [Encoding::Br, Encoding::Gzip]);
    assert_eq!(compression.min_length.bytes(), 2048);
    let types: Vec<_> = compression.types.iter().map(|it| it.as_str()).collect();
    assert_eq!(types, ["text/html", "image/svg+xml"]);
    let levels = compression.levels;
    assert_eq!(
        (levels.gzip.value.0, levels.br.value.0, levels.zstd.value.0),
        (9, 11, 19)
    );
}

#[test]
fn cache_and_compression_defaults() {
    let config = config(SHORT);
    assert_eq!(config.cache.memory.bytes(), 64 << 20);
    assert_eq!(config.cache.max_object.bytes(), 8 << 20);
    assert!(config.cache.disk.is_none());
    assert!(config.cache.webhooks.is_empty());
    let compression = config.compression;
    let encodings: Vec<_> = compression.encodings.iter().map(|it| it.as_str()).collect();
    assert_eq!(encodings, ["zstd", "br", "gzip"]);
    assert_eq!(compression.min_length.bytes(), 1024);
    let types: Vec<_> = compression.types.iter().map(|it| it.as_str()).collect();
    for name in ["text/html", "application/x-javascript", "application/wasm"] {
        assert!(types.contains(&name), "{name}: {types:?}");
    }
    assert_eq!(compression.memory.bytes(), 256 << 20);
    let levels = compression.levels;
    assert_eq!(
        (levels.gzip.value.0, levels.br.value.0, levels.zstd.value.0),
        (5, 4, 3)
    );
    let site = &config.sites[0];
    assert!(!site.cache(&site.routes[0]));
    assert!(!site.compress(&site.routes[0]));
    assert!(!site.routes[0].missing.value);
    assert!(!site.routes[0].grpc_web.value);
}

#[test]
fn a_route_says_otherwise_than_its_site() {
    let config = full();
    let site = &config.sites[0];
    let said = |at: usize| {
        let route = &site.routes[at];
        (site.cache(route), site.compress(route), route.missing.value)
    };
    assert_eq!(said(0), (false, false, true));
    // Responses that the gateway itself makes are not stored.
    assert_eq!(said(1), (false, true, false));
    assert_eq!(said(2), (true, true, false));
    let translating: Vec<_> = site.routes.iter().map(|it| it.grpc_web.value).collect();
    assert_eq!(
        translating,
        [&[false; 7][..], &[true], &[false; 5]].concat()
    );
}

#[test]
fn files() {
    let config = full();
    let files = |at: usize| -> &Files {
        match &config.sites[1].routes[at].target {
            Target::Files(files) => files,
            other => panic!("{other:?}"),
        }
    };
    let all = files(0);
    assert!(matches!(&all.root, FilesRoot::Alias(path) if path.value == Path::new("etc/static")));
    let index: Vec<_> = all.index.iter().map(|it| it.as_str()).collect();
    assert_eq!(index, ["index.html", "index.htm"]);
    assert!(all.listing && all.hidden);
    let siblings: Vec<_> = all.precompressed.iter().map(|it| it.value).collect();
    assert_eq!(siblings, [Encoding::Br, Encoding::Zstd, Encoding::Gzip]);
    assert_eq!(all.symlinks, Symlinks::Follow);
    assert_eq!(all.retain.as_deref(), Some(&(86_400 * SECOND)));
    let globs: Vec<_> = all.retain_files.iter().map(|it| it.as_str()).collect();
    assert_eq!(globs, ["assets/**", "*.{js,css}"]);
    let kept = |files: &Files| files.retain_in.as_ref().map(|path| path.value.clone());
    assert_eq!(kept(all), Some("etc/kept".into()));

    assert_eq!(files(1).symlinks, Symlinks::Refuse);
    assert_eq!(kept(files(1)), None);

    let short = files(2);
    assert!(matches!(&short.root, FilesRoot::Root(path) if path.value == Path::new("etc/dist")));
    let index: Vec<_> = short.index.iter().map(|it| it.as_str()).collect();
    assert_eq!(index, ["index.html"]);
    assert!(!short.listing && !short.hidden);
    assert!(short.precompressed.is_empty() && short.retain_files.is_empty());
    assert_eq!(short.symlinks, Symlinks::Inside);
    assert!(short.retain.is_none());
}
