//! The contenders of each measurement: names, programs, configurations.

use super::flavour::Flavour;
use crate::fleet::Members;

/// Name, program, configuration, what `{{setting}}` stands for in it, description.
pub(crate) type Row = (
    &'static str,
    Flavour,
    &'static str,
    &'static str,
    &'static str,
);

const NGINX: &str = include_str!("../../configs/nginx.conf");
const NGINX_POLICIES: &str = include_str!("../../configs/nginx-policies.conf");
const NGINX_FILES: &str = include_str!("../../configs/nginx-files.conf");
const NGINX_CACHE: &str = include_str!("../../configs/nginx-cache.conf");
const NGINX_GZIP: &str = include_str!("../../configs/nginx-gzip.conf");
const HAPROXY: &str = include_str!("../../configs/haproxy.cfg");
const ENVOY: &str = include_str!("../../configs/envoy.yaml");
const CADDY: &str = include_str!("../../configs/Caddyfile");
const VARNISH: &str = include_str!("../../configs/varnish.vcl");
const VARNISH_GZIP: &str = include_str!("../../configs/varnish-gzip.vcl");
const JANUA: &str = include_str!("../../configs/janua.toml");
const JANUA_TWO: &str = include_str!("../../configs/janua-two.toml");
const JANUA_FIVE: &str = include_str!("../../configs/janua-five.toml");
const JANUA_FILES: &str = include_str!("../../configs/janua-files.toml");
const JANUA_CACHE: &str = include_str!("../../configs/janua-cache.toml");
const JANUA_DISK: &str = include_str!("../../configs/janua-disk.toml");
const JANUA_GZIP: &str = include_str!("../../configs/janua-gzip.toml");
const NGINX_TLS: &str = include_str!("../../configs/nginx-tls.conf");
const HAPROXY_TLS: &str = include_str!("../../configs/haproxy-tls.cfg");
const ENVOY_TLS: &str = include_str!("../../configs/envoy-tls.yaml");
const JANUA_TLS: &str = include_str!("../../configs/janua-tls.toml");
const NGINX_HTTP2: &str = include_str!("../../configs/nginx-http2.conf");
const HAPROXY_HTTP2: &str = include_str!("../../configs/haproxy-http2.cfg");
const ENVOY_HTTP2: &str = include_str!("../../configs/envoy-http2.yaml");
const JANUA_HTTP2: &str = include_str!("../../configs/janua-http2.toml");
const NGINX_GRPC: &str = include_str!("../../configs/nginx-grpc.conf");
const HAPROXY_GRPC: &str = include_str!("../../configs/haproxy-grpc.cfg");
const ENVOY_GRPC: &str = include_str!("../../configs/envoy-grpc.yaml");
const JANUA_GRPC: &str = include_str!("../../configs/janua-grpc.toml");
const NGINX_WEBSOCKET: &str = include_str!("../../configs/nginx-websocket.conf");
const ENVOY_WEBSOCKET: &str = include_str!("../../configs/envoy-websocket.yaml");
const JANUA_GZIP_CACHE: &str = include_str!("../../configs/janua-gzip-cache.toml");

const NGINX_FLEET: &str = include_str!("../../configs/nginx-fleet.conf");
const HAPROXY_FLEET: &str = include_str!("../../configs/haproxy-fleet.cfg");
/// A connection alone would not do: the kernel accepts those of a stopped process.
const HAPROXY_CHECKS: &str = "balance roundrobin
    option httpchk GET /1k
    default-server check inter 1s fall 2 rise 2";
const JANUA_FLEET: &str = include_str!("../../configs/janua-fleet.toml");

/// Proxies.
#[rustfmt::skip]
pub(crate) const PROXIES: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX, "", "plain reverse proxy; the measure of all ratios"),
    ("nginx-policies", Flavour::Nginx, NGINX_POLICIES, "", "nginx with a key check, a rate limit and header rules of its own"),
    ("haproxy", Flavour::Haproxy, HAPROXY, "", "plain reverse proxy"),
    ("envoy", Flavour::Envoy, ENVOY, "", "plain reverse proxy"),
    ("caddy", Flavour::Caddy, CADDY, "", "plain reverse proxy"),
    ("hyper", Flavour::Hyper, "", "", "hyper's server and client connections and a pool, nothing else"),
    ("janua", Flavour::Janua, JANUA, "", "plain reverse proxy, no policies"),
    ("janua-2", Flavour::Janua, JANUA_TWO, "\"1MiB\"", "two policy uses: api-key, rate-limit"),
    ("janua-2-nomemo", Flavour::Janua, JANUA_TWO, "0", "the same two, every verdict computed anew (`memo = 0`)"),
    ("janua-5", Flavour::Janua, JANUA_FIVE, "\"1MiB\"", "five policy uses: api-key, rate-limit, headers three times"),
    ("janua-5-nomemo", Flavour::Janua, JANUA_FIVE, "0", "the same five, every verdict computed anew (`memo = 0`)"),
];

/// Proxies that end TLS.
#[rustfmt::skip]
pub(crate) const TLS: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_TLS, "", "TLS 1.3, a session cache and tickets"),
    ("haproxy", Flavour::Haproxy, HAPROXY_TLS, "", "TLS 1.3, a session cache and tickets"),
    ("envoy", Flavour::Envoy, ENVOY_TLS, "", "TLS 1.3, tickets"),
    ("janua", Flavour::Janua, JANUA_TLS, "", "TLS 1.3, a session cache and tickets"),
];

/// Proxies that speak HTTP/2 with clients, in cleartext and over TLS.
#[rustfmt::skip]
pub(crate) const HTTP2: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_HTTP2, "", "HTTP/2 with clients, HTTP/1.1 with the upstream"),
    ("haproxy", Flavour::Haproxy, HAPROXY_HTTP2, "", "the same"),
    ("envoy", Flavour::Envoy, ENVOY_HTTP2, "", "the same"),
    ("janua", Flavour::Janua, JANUA_HTTP2, "", "the same"),
];

/// Proxies for gRPC, with HTTP/2 in cleartext on both sides.
#[rustfmt::skip]
pub(crate) const GRPC: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_GRPC, "", "`grpc_pass`: one call at a time on each upstream connection"),
    ("haproxy", Flavour::Haproxy, HAPROXY_GRPC, "", "`proto h2` on both sides: calls share upstream connections"),
    ("envoy", Flavour::Envoy, ENVOY_GRPC, "", "`http2_protocol_options` on both sides: calls share upstream connections"),
    ("janua", Flavour::Janua, JANUA_GRPC, "", "`http2 = true`, `http = \"2\"`: calls share upstream connections"),
];

/// Proxies for WebSockets.
#[rustfmt::skip]
pub(crate) const WEBSOCKETS: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_WEBSOCKET, "", "`proxy_set_header` for `Upgrade` and `Connection`"),
    ("haproxy", Flavour::Haproxy, HAPROXY, "", "plain reverse proxy"),
    ("envoy", Flavour::Envoy, ENVOY_WEBSOCKET, "", "`upgrade_configs`"),
    ("janua", Flavour::Janua, JANUA, "", "plain reverse proxy"),
];

/// File servers.
#[rustfmt::skip]
pub(crate) const FILES: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_FILES, "", "`sendfile`, `tcp_nopush`, `open_file_cache`"),
    ("janua", Flavour::Janua, JANUA_FILES, "", "a `files` target"),
];

/// Caches whose objects fit into memory.
#[rustfmt::skip]
pub(crate) const CACHES: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_CACHE, "", "`proxy_cache` with `proxy_cache_lock`, `sendfile` and `open_file_cache`: its files are in the page cache"),
    ("varnish", Flavour::Varnish, VARNISH, "", "storage `malloc`, one thread pool, no log records"),
    ("janua", Flavour::Janua, JANUA_CACHE, "", "`cache = true`, memory store"),
];

/// Caches with objects on disk.
#[rustfmt::skip]
pub(crate) const DISKS: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_CACHE, "", "`proxy_cache`, as above"),
    ("varnish", Flavour::VarnishOnDisk, VARNISH, "", "storage `file`, which is mapped into memory"),
    ("janua", Flavour::Janua, JANUA_DISK, "", "a disk store; the memory store holds one object at the most"),
];

/// Proxies that compress.
#[rustfmt::skip]
pub(crate) const COMPRESSORS: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_GZIP, "", "`gzip`, level 5"),
    ("janua", Flavour::Janua, JANUA_GZIP, "", "`compress = true`, gzip at level 5"),
];

/// Caches that compress.
#[rustfmt::skip]
pub(crate) const COMPRESSING_CACHES: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_GZIP, "", "`gzip` behind `proxy_cache`: it compresses each hit anew"),
    ("varnish", Flavour::Varnish, VARNISH_GZIP, "", "`do_gzip`: stored compressed"),
    ("janua", Flavour::Janua, JANUA_GZIP_CACHE, "", "the compressed variant is stored"),
];

/// Proxies with several endpoints, by what these are.
#[rustfmt::skip]
pub(crate) const FLEETS: &[(Members, &[Row])] = &[
    (Members::Three, &[
        ("nginx", Flavour::Nginx, NGINX_FLEET, "", "three endpoints in turn"),
        ("haproxy", Flavour::Haproxy, HAPROXY_FLEET, "balance roundrobin", "three endpoints in turn"),
        ("janua", Flavour::Janua, JANUA_FLEET, "", "three endpoints in turn"),
    ]),
    (Members::OneDead, &[
        ("nginx-dead", Flavour::Nginx, NGINX_FLEET, "", "the same, and one refuses connections; `max_fails=1 fail_timeout=10s`, the defaults"),
        ("haproxy-dead", Flavour::Haproxy, HAPROXY_FLEET, HAPROXY_CHECKS, "the same; endpoints are checked every second"),
        ("janua-dead", Flavour::Janua, JANUA_FLEET, "", "the same; `max_fails = 1`, `fail_timeout = \"10s\"`, the defaults"),
    ]),
    (Members::Many, &[
        ("nginx-1000", Flavour::Nginx, NGINX_FLEET, "", "a thousand endpoints"),
        ("haproxy-1000", Flavour::Haproxy, HAPROXY_FLEET, "balance roundrobin", "a thousand endpoints"),
        ("janua-1000", Flavour::Janua, JANUA_FLEET, "", "a thousand endpoints"),
    ]),
];

/// Ways to balance.
#[rustfmt::skip]
pub(crate) const BALANCES: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_FLEET, "", "in turn"),
    ("nginx-least", Flavour::Nginx, NGINX_FLEET, "zone fleet 4m;\n        least_conn;", "`least_conn`, and a `zone` that the workers share"),
    ("haproxy", Flavour::Haproxy, HAPROXY_FLEET, "balance roundrobin", "in turn"),
    ("haproxy-least", Flavour::Haproxy, HAPROXY_FLEET, "balance leastconn", "`leastconn`"),
    ("janua", Flavour::Janua, JANUA_FLEET, "balance = \"round_robin\"", "in turn"),
    ("janua-least", Flavour::Janua, JANUA_FLEET, "balance = \"least_conn\"", "`least_conn`"),
    ("janua-random", Flavour::Janua, JANUA_FLEET, "balance = \"random_two\"", "`random_two`"),
    ("janua-latency", Flavour::Janua, JANUA_FLEET, "balance = \"latency\"", "`latency`"),
];

/// Proxies before an endpoint that fails.
#[rustfmt::skip]
pub(crate) const FAILOVERS: &[Row] = &[
    ("nginx", Flavour::Nginx, NGINX_FLEET, "", "notices by requests: `max_fails=1 fail_timeout=10s`, the defaults"),
    ("haproxy", Flavour::Haproxy, HAPROXY_FLEET, HAPROXY_CHECKS, "checks each endpoint every second"),
    ("janua", Flavour::Janua, JANUA_FLEET, "", "notices by requests: `max_fails = 1`, `fail_timeout = \"10s\"`, the defaults"),
    ("janua-checks", Flavour::Janua, JANUA_FLEET, "health = { path = \"/1k\", interval = \"1s\", timeout = \"1s\", rise = 2, fall = 2 }", "also checks each endpoint every second"),
];

/// All rows, for a test of their configurations.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    let fleets = FLEETS.iter().map(|(_, rows)| *rows);
    let groups = [
        BALANCES,
        FAILOVERS,
        PROXIES,
        TLS,
        HTTP2,
        GRPC,
        WEBSOCKETS,
        FILES,
        CACHES,
        DISKS,
        COMPRESSORS,
        COMPRESSING_CACHES,
    ];
    groups.into_iter().chain(fleets).flatten()
}
