//! Paths that policies make of what a client sends: they lead nowhere but where the policy
//! meant.

use janua_tests::{Gateway, Proxy, Upstream, component, granted};

use crate::files::Disk;

/// A policy that makes its paths of the parameter `p`.
fn probe(config: &str) -> String {
    format!(
        "[policies.probe]\ncomponent = \"{}\"\nconfig = {{ label = \"probe\", {config} }}\n",
        component("probe").display()
    )
}

/// A gateway with two routes, of which only that of `/admin` has a policy that refuses all.
async fn guarded(upstream: &Upstream, site: &str) -> Gateway {
    let shut = probe("show = [], answer = 403").replace("policies.probe", "policies.shut");
    let config = probe("show = [], set_path = \"/files/{query:p}\"");
    let proxy = Proxy::to(upstream.endpoint())
        .site(site)
        .route("path = \"/files/\"\npolicies = [\"probe\"]")
        .also("/admin", "policies = [\"shut\"]");
    Gateway::start(granted(format!("{config}{shut}{proxy}"))).await
}

#[tokio::test]
async fn an_input_in_a_path_reaches_no_other_route_s_paths() {
    let upstream = Upstream::echo().await;
    let gateway = guarded(&upstream, "").await;
    assert_eq!(gateway.get("/admin/secret").await.status, 403);
    for value in [
        "../admin/secret",
        "..%2Fadmin%2Fsecret",
        "..%5Cadmin%5Csecret",
        "x%2F..%2F..%2Fadmin%2Fsecret",
        "..;%2Fadmin%2Fsecret",
        "..",
        "%2E%2E",
    ] {
        let response = gateway.get(&format!("/files/?p={value}")).await;
        assert_eq!(response.status, 400, "{value}");
    }
    assert_eq!(upstream.request_count(), 0);
    let line = gateway.log_line("/files/").await;
    assert_eq!(line["failure"], "policy_input");
    // Decoded once more than the client wrote it, it is a name as any other.
    let echo = gateway.get("/files/?p=%252e%252e%252fadmin").await.json();
    assert_eq!(
        echo["target"],
        "/files/%252e%252e%252fadmin?p=%252e%252e%252fadmin"
    );
}

#[tokio::test]
async fn the_rules_of_the_site_apply_to_the_paths_of_its_policies() {
    let upstream = Upstream::echo().await;
    for (site, value, expected) in [
        ("", "a%2Fb", Some("/files/a%2Fb")),
        ("encoded_slash = \"refuse\"", "a%2Fb", None),
        ("encoded_slash = \"refuse\"", "ab", Some("/files/ab")),
        (
            "hidden_dots = \"keep\"",
            "..%2Fadmin",
            Some("/files/..%2Fadmin"),
        ),
        ("hidden_dots = \"keep\"", "..;x", Some("/files/..%3Bx")),
        ("hidden_dots = \"keep\"", "..", None),
    ] {
        let gateway = guarded(&upstream, site).await;
        let response = gateway.get(&format!("/files/?p={value}")).await;
        match expected {
            Some(path) => {
                let target = format!("{path}?p={value}");
                assert_eq!(response.json()["target"], *target, "{site} {value}");
            }
            None => assert_eq!(response.status, 400, "{site} {value}"),
        }
    }
}

#[tokio::test]
async fn what_is_served_instead_stays_in_its_folder() {
    let disk = Disk::with(&[
        ("pages/a b.txt", "a page"),
        ("pages/c/d.txt", "a page in a folder"),
        ("private.txt", "not a page"),
    ]);
    let config = probe("show_missing = [], serve = \"/pages/{query:p}\"");
    let lines = "policies = [\"probe\"]\nfiles = \"{root}\"";
    let gateway = Gateway::start(granted(disk.config(&config, lines))).await;
    for (value, status, text) in [
        ("a%20b.txt", 200, "a page"),
        ("c%2Fd.txt", 404, ""),
        ("..%2Fprivate.txt", 400, ""),
        ("..", 400, ""),
        ("none", 404, ""),
    ] {
        let response = gateway.get(&format!("/none?p={value}")).await;
        assert_eq!(response.status, status, "{value}");
        assert!(!response.text().contains("not a page"), "{value}");
        if status == 200 {
            assert_eq!(response.text(), text, "{value}");
        }
    }
}
