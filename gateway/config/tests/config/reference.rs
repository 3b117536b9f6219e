//! The reference is complete.

use std::collections::BTreeSet;

use janua_config::{reference, reference_markdown};

#[test]
fn every_field_is_documented_once() {
    let fields = reference();
    let paths: BTreeSet<_> = fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths.len(), fields.len());
    for field in &fields {
        assert!(!field.doc.is_empty(), "{}", field.path);
        assert!(!field.kind.is_empty(), "{}", field.path);
        assert_ne!(field.default.as_deref(), Some(""), "{}", field.path);
    }
    for path in [
        "include",
        "server.workers",
        "log.access.path",
        "listeners.<name>.address",
        "listeners.<name>.tls.session_cache",
        "listeners.<name>.min_rate.grace",
        "listeners.<name>.client_limits.requests",
        "upstreams.<name>.tls.certificate.key",
        "sites[].certificate[].ocsp",
        "sites[].tls.client_auth.ca",
        "sites[].redirect_http.to",
        "upstreams.<name>.endpoints[].weight",
        "upstreams.<name>.passive_health.max_fails",
        "policies.<name>.memo_sample",
        "sites[].policies[].deadline",
        "sites[].routes[].redirect.to",
        "sites[].routes[].files.alias",
        "sites[].routes[].files.retain_in",
        "cache.disk.path",
        "cache.webhooks[].token_file",
        "compression.levels.br",
        "acme.accept_terms",
        "acme.eab.key_file",
        "acme.dns.responder",
        "acme.dns.propagation_timeout",
        "acme.<name>",
        "sites[].certificate.acme",
        "sites[].certificate.on_demand.ask",
        "webhooks[].body",
        "sites[].routes[].without",
    ] {
        assert!(paths.contains(path), "{path}: {paths:#?}");
    }
}

#[test]
fn the_page_has_a_row_for_every_field() {
    let page = reference_markdown();
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, reference().len());
    assert!(
        page.contains("| `drain_timeout` | a duration such as \"30s\" | `\"30s\"` |"),
        "{page}"
    );
}
