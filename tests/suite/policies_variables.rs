//! Variables: set by one policy, read by later ones, by later phases, by the access log and by
//! the cache.

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream, component, granted};

use crate::cache::{counting, told};
use crate::policies_seen::lines;

/// A policy `name` of the probe.
fn probe(name: &str, config: &str) -> String {
    format!(
        "[policies.{name}]\ncomponent = \"{}\"\nconfig.label = \"{name}\"\n{config}\n",
        component("probe").display()
    )
}

const READ: &str = r#"
config.show = ["variable:setter.tenant", "variable:reader.tenant"]
config.show_fetched = ["variable:setter.tenant"]
config.show_missing = ["variable:setter.tenant"]
config.show_response = ["variable:setter.tenant"]
config.show_finished = ["variable:setter.tenant"]
config.set = { X-Tenant-Of = "of {variable:setter.tenant}" }
config.variables = { tenant = "mine" }"#;

#[tokio::test]
async fn later_policies_and_phases_read_them() {
    let upstream = Upstream::always(Reply::new(404)).await;
    let proxy = Proxy::to(upstream.endpoint()).route(
        "path = \"/\"\nmissing = true\npolicies = [\"before\", \"setter\", \"reader\", \"after\"]",
    );
    let set = "config.variables = { tenant = \"{header:x-tenant}\" }";
    let before = "config.show = [\"variable:setter.tenant\"]";
    let after = "config.show = [\"variable:reader.tenant\"]";
    let gateway = Gateway::start(granted(
        [
            probe("before", before),
            probe("setter", set),
            probe("reader", READ),
            probe("after", after),
        ]
        .concat()
            + &proxy.to_string(),
    ))
    .await;
    // Twice: the verdicts of the second round are remembered.
    for round in 1..=2 {
        for tenant in ["acme", "", "initech"] {
            let case = format!("{tenant}, round {round}");
            let path = format!("/of-{tenant}/{round}");
            let mut request = Request::get(&path);
            let mut shown = "variable:setter.tenant".to_owned();
            let mut of = None;
            if !tenant.is_empty() {
                request = request.header("X-Tenant", tenant);
                shown += &format!("={tenant}");
                // A value whose only input is absent is absent, and so is the field.
                of = Some(format!("of {tenant}"));
            }
            let response = gateway.send(request).await;
            assert_eq!(response.status, 404, "{case}");
            let asked = upstream.requests().pop().unwrap();
            assert_eq!(
                lines(&asked.fields, "x-probe"),
                [
                    // Nothing is set yet.
                    "before variable:setter.tenant",
                    "setter",
                    // Its own of the same name is another one.
                    &format!("reader {shown} variable:reader.tenant"),
                    "after variable:reader.tenant=mine",
                ],
                "{case}"
            );
            let value = asked.header("x-tenant-of").map(str::to_owned);
            assert_eq!(value, of, "{case}");
            let in_phase = format!("reader {shown}");
            for field in ["x-fetched", "x-missing", "x-probe"] {
                assert_eq!(lines(&response.fields, field), [&in_phase], "{case}");
            }
            let line = gateway.log_line(&path).await;
            assert_eq!(line["annotations"]["reader.probe"], *in_phase, "{case}");
            let logged = match tenant {
                "" => serde_json::json!({"reader.tenant": "mine"}),
                _ => serde_json::json!({"setter.tenant": tenant, "reader.tenant": "mine"}),
            };
            assert_eq!(line["variables"], logged, "{case}");
        }
    }
}

/// They end with the exchange, also on a connection that goes on.
#[tokio::test]
async fn no_other_request_reads_them() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"setter\", \"reader\"]");
    let set = "config.variables = { tenant = \"{header:x-tenant}\" }";
    let read = "config.show = [\"variable:setter.tenant\"]";
    let policies = probe("setter", set) + &probe("reader", read);
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    let mut wire = gateway.connect().await;
    for tenant in [Some("a"), None, Some("b")] {
        let mut request = Request::get("/");
        let mut shown = "reader variable:setter.tenant".to_owned();
        if let Some(tenant) = tenant {
            request = request.header("X-Tenant", tenant);
            shown += &format!("={tenant}");
        }
        assert_eq!(wire.exchange(&request).await.status, 200);
        let asked = upstream.requests().pop().unwrap();
        assert_eq!(lines(&asked.fields, "x-probe")[1], shown);
    }
}

/// Secrets are not logged, and what is too long is not set.
#[tokio::test]
async fn secret_and_long_ones() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"setter\"]");
    let set = r#"
config.variables = { secret = "{header:authorization}", cookie = "{cookie:id}", open = "{header:x-open}" }"#;
    let gateway = Gateway::start(granted(format!("{}{proxy}", probe("setter", set)))).await;
    let request = |path: &str, open: usize| {
        Request::get(path)
            .header("Authorization", "Bearer secret")
            .header("Cookie", "id=secret")
            .header("X-Open", &"a".repeat(open))
    };
    assert_eq!(gateway.send(request("/fits", 1024)).await.status, 200);
    let line = gateway.log_line("/fits").await;
    let open = serde_json::json!({"setter.open": "a".repeat(1024)});
    assert_eq!(line["variables"], open);
    assert!(!line.to_string().contains("secret"), "{line}");
    let response = gateway.send(request("/long", 1025)).await;
    assert_eq!(response.status, 400);
    let status = response.header("proxy-status").unwrap();
    assert!(
        status.contains("the variable setter.open would have more than 1024 bytes"),
        "{status}"
    );
    assert_eq!(upstream.request_count(), 1);
}

/// The upstream may be told of it in whatever way, so a stored response is for requests with
/// the same value alone.
#[tokio::test]
async fn a_variable_of_the_request_is_part_of_the_cache_key() {
    let upstream = counting(|_, _| crate::cache::fresh()).await;
    let proxy = crate::cache::before(&upstream).route("cache = true\npolicies = [\"setter\"]");
    for (template, stated) in [
        // As a reference; and a constant beside it.
        ("tenant = \"{header:x-tenant}\", place = \"a\"", "X-Tenant"),
        ("tenant = \"{client_ip} {header:x-tenant}\"", "X-Tenant"),
        ("tenant = \"{cookie:tenant}\"", "Cookie"),
    ] {
        let set = format!("config.variables = {{ {template} }}");
        let gateway = Gateway::start(granted(format!("{}{proxy}", probe("setter", &set)))).await;
        let ask = async |tenant: &str| {
            let value = match stated {
                "Cookie" => format!("tenant={tenant}"),
                _ => tenant.to_owned(),
            };
            let response = gateway.send(Request::get("/").header(stated, &value)).await;
            (response.text().to_owned(), told(&response))
        };
        let (of_a, first) = ask("a").await;
        assert!(
            first.starts_with("fwd=") && first.contains("stored"),
            "{template}: {first}"
        );
        assert_eq!(
            ask("a").await,
            (of_a.clone(), "hit".to_owned()),
            "{template}"
        );
        let (of_b, first) = ask("b").await;
        assert_ne!(of_b, of_a, "{template}");
        assert!(first.starts_with("fwd="), "{template}: {first}");
        assert_eq!(ask("b").await.0, of_b, "{template}");
        assert_eq!(ask("a").await, (of_a, "hit".to_owned()), "{template}");
        let (of_none, _) = {
            let response = gateway.get("/").await;
            (response.text().to_owned(), told(&response))
        };
        assert_ne!(of_none, of_b, "{template}");
    }
}

/// A variable that was set to a credential is one: it is not logged, and neither is what is made
/// of it, through however many policies.
#[tokio::test]
async fn a_credential_stays_one_in_a_variable() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"one\", \"two\", \"three\"]");
    let one = "config.variables = { v = \"{header:authorization}\" }";
    let two = "config.variables = { copy = \"of {variable:one.v}\", path = \"{path}\" }\nconfig.set = { X-Copy = \"{variable:one.v}\" }";
    let three = "config.annotate = { copy = \"{variable:two.copy}\", path = \"{variable:two.path}\" }\nconfig.variables = { copy = \"{variable:two.copy}\" }";
    let policies = probe("one", one) + &probe("two", two) + &probe("three", three);
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    for (path, credential) in [("/a", "hunter2"), ("/b", "hunter2"), ("/c", "")] {
        let mut request = Request::get(path);
        if !credential.is_empty() {
            request = request.header("Authorization", credential);
        }
        let seen = gateway.send(request).await.json();
        let copy = &seen["headers"]["x-copy"];
        assert_eq!(copy.as_str().unwrap_or_default(), credential);
        let line = gateway.log_line(path).await;
        assert!(!line.to_string().contains("hunter2"), "{line}");
        assert_eq!(line["variables"]["two.path"], path, "{line}");
        assert_eq!(line["annotations"]["three.path"], path, "{line}");
    }
}

#[tokio::test]
async fn a_secret_parameter_is_hidden_in_the_access_log() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/\"\npolicies = [\"key\"]")
        .also("/whole", "policies = [\"whole\"]")
        .also("/open", "");
    let key = probe(
        "key",
        "config.sensitive = true\nconfig.show = [\"query:key\"]",
    );
    let whole = probe(
        "whole",
        "config.sensitive = true\nconfig.show = [\"query\"]",
    );
    let gateway = Gateway::start(granted(format!("{key}{whole}{proxy}"))).await;
    for (path, query) in [
        ("/a", "key=***&n=1"),
        ("/whole", "***"),
        ("/open", "key=hunter2&n=1"),
    ] {
        let response = gateway.get(&format!("{path}?key=hunter2&n=1")).await;
        let target = &response.json()["target"];
        assert_eq!(*target, format!("{path}?key=hunter2&n=1"));
        assert_eq!(gateway.log_line(path).await["query"], query, "{path}");
    }
}
