//! Files that list endpoints: their changes take effect by themselves, and nothing that stands in
//! their place does harm.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Gateway, Proxy, Reply, Request, Settings, Upstream, assert_eventually, run};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::Value;
use tempfile::TempDir;

use crate::upstreams_balance::named;

/// A directory with a file that lists these endpoints.
fn directory(list: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.toml");
    fs::write(&file, list).unwrap();
    (directory, file)
}

fn listed() -> Proxy {
    Proxy::to("{ file = \"app.toml\" }")
}

fn list(endpoints: &[&str]) -> String {
    format!("endpoints = {endpoints:?}\n")
}

/// Replaces a file in one step.
fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

/// The addresses of the upstream's endpoints.
pub(crate) async fn endpoints(gateway: &Gateway) -> Vec<String> {
    let status = gateway.status().await;
    let endpoints = status["upstreams"][0]["endpoints"]
        .as_array()
        .unwrap()
        .clone();
    let addresses = endpoints
        .iter()
        .map(|it| it["address"].as_str().unwrap().to_owned());
    addresses.collect()
}

/// The state of the first source.
pub(crate) async fn source(gateway: &Gateway) -> Value {
    gateway.status().await["upstreams"][0]["sources"][0].clone()
}

async fn text(gateway: &Gateway) -> String {
    gateway.get("/").await.text().to_owned()
}

#[tokio::test]
async fn a_changed_list_takes_effect_without_a_reload() {
    let (one, two) = (named("one").await, named("two").await);
    let (directory, file) = directory(&list(&[&one.endpoint()]));
    // Other changed files do not take effect by themselves here.
    let gateway = Settings::new().start_in(directory, listed()).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    let mut wire = gateway.connect().await;
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "one");
    replace(&file, &list(&[&two.endpoint()]));
    assert_eventually!(text(&gateway).await == "two");
    // The client's connection lasts, and the configuration is the same.
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "two");
    let status = gateway.status().await;
    assert_eq!(status["generation"], 1);
    assert_eq!(status["last_reload"], Value::Null);
    assert_eq!(endpoints(&gateway).await, [two.endpoint()]);
    let expected = format!(
        "added=\"{}\" removed=\"{}\"",
        two.endpoint(),
        one.endpoint()
    );
    gateway.says(&expected).await;
    let metrics = gateway.metrics().await;
    let app = [("upstream", "app")];
    assert_eq!(
        metrics.sum("janua_upstream_endpoints_changes_total", &app),
        1.0
    );
    assert_eq!(metrics.sum("janua_upstream_endpoints", &app), 1.0);
    assert_eq!(metrics.sum("janua_discovery_ok", &app), 1.0);
    // A file that is not replaced but written, after it was cut off.
    fs::write(&file, "").unwrap();
    fs::write(&file, list(&[&one.endpoint(), &two.endpoint()])).unwrap();
    assert_eventually!(endpoints(&gateway).await.len() == 2);
}

#[tokio::test]
async fn endpoints_of_the_configuration_and_of_several_files_are_one_upstream() {
    let all = [
        named("a").await,
        named("b").await,
        named("c").await,
        named("d").await,
    ];
    let [a, b, c, d] = all.each_ref().map(Upstream::endpoint);
    let (directory, _) = directory(&list(&[&b, &a]));
    fs::write(
        directory.path().join("more.json"),
        format!("[{{\"address\": \"{c}\", \"weight\": 2}}, {{\"address\": \"{d}\", \"healthy\": false}}]"),
    )
    .unwrap();
    let config = Proxy::to(a.as_str())
        .and("{ file = \"app.toml\" }")
        .and("{ file = \"more.json\" }");
    let gateway = Settings::new().start_in(directory, config).await;
    assert_eq!(endpoints(&gateway).await, [a, b, c]);
    let mut answers = BTreeSet::new();
    for _ in 0..40 {
        answers.insert(text(&gateway).await);
    }
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    let status = gateway.status().await;
    assert_eq!(status["upstreams"][0]["endpoints"][2]["weight"], 2);
}

#[tokio::test]
async fn a_list_that_cannot_be_used_leaves_the_endpoints_and_is_reported() {
    let one = named("one").await;
    let (directory, file) = directory(&list(&[&one.endpoint()]));
    let gateway = Settings::new().start_in(directory, listed()).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    let hostile = [
        // Cut off.
        ("[[endpoints]]\naddress = \"127.0.0", "app.toml:2:"),
        // What a list cannot say.
        (
            "endpoints = [\"unix:/run/admin.sock\"]\n",
            "must be named by the configuration",
        ),
        (
            "endpoints = []\n[upstreams.app]\ntls = true\n",
            "unknown field `upstreams`",
        ),
        (
            "endpoints = [{ address = \"127.0.0.1:1\", tls = true }]\n",
            "unknown field `tls`",
        ),
        (
            "include = [\"/etc/passwd\"]\nendpoints = []\n",
            "unknown field `include`",
        ),
    ];
    for (text, expected) in hostile {
        replace(&file, text);
        assert_eventually!(
            source(&gateway).await["error"]
                .as_str()
                .is_some_and(|it| it.contains(expected)),
            "{text}: {}",
            source(&gateway).await
        );
        assert_eq!(endpoints(&gateway).await, [one.endpoint()], "{text}");
        assert_eq!(gateway.get("/").await.text(), "one");
    }
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_discovery_ok", &[]), 0.0);
    let shown = run(gateway.directory(), &["status", "--config", "janua.toml"]).await;
    let attention = shown.stdout.split("attention").nth(1).unwrap_or_default();
    assert!(attention.contains("upstream app: ") && attention.contains("1 endpoint found before"));
    let warned = || {
        let messages = gateway.messages();
        let lines = messages.matches("a list of endpoints cannot be used");
        lines.count()
    };
    assert_eventually!(warned() >= hostile.len());
    assert_eq!(warned(), hostile.len(), "one line for each");
    // A reload warns too, and keeps them.
    let mut gateway = gateway;
    let summary = gateway.reload(listed()).await;
    assert!(
        summary["warnings"][0]
            .as_str()
            .unwrap()
            .contains("this list cannot be used")
    );
    assert_eq!(gateway.get("/").await.text(), "one");

    fs::remove_file(&file).unwrap();
    assert_eventually!(
        source(&gateway).await["error"]
            .as_str()
            .unwrap()
            .contains("No such file")
    );
    assert_eq!(gateway.get("/").await.text(), "one");
    replace(&file, "endpoints = []\n");
    assert_eventually!(gateway.get("/").await.status == 503);
    assert_eq!(source(&gateway).await["error"], Value::Null);
    gateway.says("a list of endpoints can be used again").await;
}

#[tokio::test]
async fn a_missing_list_is_an_upstream_without_endpoints() {
    let one = named("one").await;
    let config = Proxy::to("{ file = \"later/app.toml\" }");
    let gateway = Settings::new().start(&config).await;
    let response = gateway.get("/none").await;
    assert_eq!(response.status, 503);
    assert_eq!(gateway.log_line("/none").await["failure"], "none_healthy");
    let checked = run(gateway.directory(), &["check", "--config", "janua.toml"]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let said = checked.stdout + &checked.stderr;
    assert!(
        said.contains("this list cannot be used") && said.contains("janua.toml:7"),
        "{said}"
    );
    let shown = run(gateway.directory(), &["status", "--config", "janua.toml"]).await;
    assert!(
        shown.stdout.contains("upstream app: it has no endpoints"),
        "{}",
        shown.stdout
    );
    // Its directory is missing too.
    fs::create_dir(gateway.directory().join("later")).unwrap();
    fs::write(
        gateway.directory().join("later/app.toml"),
        list(&[&one.endpoint()]),
    )
    .unwrap();
    assert_eventually!(gateway.get("/").await.text() == "one");
}

#[tokio::test]
async fn a_pipe_or_a_device_in_its_place_makes_nothing_wait() {
    let one = named("one").await;
    let (directory, file) = directory(&list(&[&one.endpoint()]));
    let gateway = Settings::new().start_in(directory, listed()).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    let pipe = file.with_extension("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let zero = file.with_extension("zero");
    symlink("/dev/zero", &zero).unwrap();
    for other in [pipe, zero] {
        fs::rename(&other, &file).unwrap();
        assert_eventually!(
            source(&gateway).await["error"]
                .as_str()
                .is_some_and(|it| it.contains("is no file"))
        );
        assert_eq!(gateway.get("/").await.text(), "one");
        replace(&file, &list(&[&one.endpoint(), "127.0.0.1:1"]));
        assert_eventually!(source(&gateway).await["error"] == Value::Null);
        replace(&file, &list(&[&one.endpoint()]));
        assert_eventually!(endpoints(&gateway).await.len() == 1);
    }
}

/// As Kubernetes mounts a ConfigMap: the file is a link through a link that is replaced.
#[tokio::test]
async fn a_swapped_link_takes_effect() {
    let (one, two) = (named("one").await, named("two").await);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for (version, upstream) in [("..v1", &one), ("..v2", &two)] {
        fs::create_dir(path(version)).unwrap();
        fs::write(
            path(version).join("app.toml"),
            list(&[&upstream.endpoint()]),
        )
        .unwrap();
    }
    symlink("..v1", path("..data")).unwrap();
    symlink("..data/app.toml", path("app.toml")).unwrap();
    let gateway = Settings::new().start_in(directory, listed()).await;
    assert_eq!(text(&gateway).await, "one");
    let link = gateway.directory().join("link");
    symlink("..v2", &link).unwrap();
    fs::rename(link, gateway.directory().join("..data")).unwrap();
    assert_eventually!(text(&gateway).await == "two");
}

/// The list is written again and again while requests are sent, and the configuration is reloaded
/// in between.
#[tokio::test]
async fn no_request_is_lost_while_the_list_changes_and_the_configuration_is_reloaded() {
    let all = [named("a").await, named("b").await, named("c").await];
    let [a, b, c] = all.each_ref().map(Upstream::endpoint);
    let (directory, file) = directory(&list(&[&a]));
    let mut gateway = Settings::new().start_in(directory, listed()).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    let address = gateway.address();
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (over, mut wire) = (Arc::clone(&over), gateway.connect().await);
        clients.spawn(async move {
            let mut sent = 0;
            while !over.load(SeqCst) {
                let response = wire.exchange(&Request::get("/")).await;
                assert_eq!(response.status, 200, "after {sent} to {address}");
                sent += 1;
            }
            sent
        });
    }
    let lists = [vec![&*a, &*b], vec![&*c], vec![&*b, &*c], vec![&*a]];
    for (turn, wanted) in lists.iter().cycle().take(8).enumerate() {
        if turn % 2 == 0 {
            replace(&file, &list(wanted));
        } else {
            fs::write(&file, list(wanted)).unwrap();
        }
        if turn % 3 == 0 {
            gateway.reload(listed()).await;
        }
        assert_eventually!(endpoints(&gateway).await == *wanted);
    }
    over.store(true, SeqCst);
    let mut sent = 0;
    while let Some(client) = clients.join_next().await {
        sent += client.unwrap();
    }
    assert!(sent > 100, "{sent}");
    gateway.settled().await;
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_failures_total", &[]), 0.0);
}

/// A refused reload leaves the endpoints to change as before.
#[tokio::test]
async fn a_refused_reload_does_not_keep_the_list_from_changing() {
    let (one, two) = (named("one").await, named("two").await);
    let (directory, file) = directory(&list(&[&one.endpoint()]));
    let gateway = Settings::new().start_in(directory, listed()).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    gateway
        .try_reload("[listeners.public]\naddress = 7\n")
        .await
        .unwrap_err();
    replace(&file, &list(&[&two.endpoint()]));
    assert_eventually!(text(&gateway).await == "two");
    // One that is refused after it has read the list.
    replace(&file, &list(&[&one.endpoint()]));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = format!("{}\n[listeners.taken]\naddress = \"{address}\"\n", listed());
    gateway.try_reload(config).await.unwrap_err();
    assert_eventually!(text(&gateway).await == "one");
}

/// A response that is in progress when its endpoint disappears arrives whole, and the endpoint's
/// idle connections are closed.
#[tokio::test]
async fn a_request_outlives_its_endpoint() {
    let (slow, release) = Upstream::held().await;
    let other = named("other").await;
    let (directory, file) = directory(&list(&[&slow.endpoint()]));
    let gateway = Settings::new().start_in(directory, listed()).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/slow").to_bytes()).await;
    assert_eventually!(slow.request_count() == 1);
    replace(&file, &list(&[&other.endpoint()]));
    assert_eventually!(endpoints(&gateway).await == [other.endpoint()]);
    assert_eq!(text(&gateway).await, "other");
    release.send(true).unwrap();
    assert_eq!(wire.receive("GET").await.text(), "at last");
    assert_eventually!(slow.open() == 0, "its idle connection is closed");
}

#[tokio::test]
async fn a_thousand_endpoints_are_followed() {
    let alive = named("alive").await;
    let many = |first: &str| {
        let rest = (1..1_000).map(|at| format!("\"127.9.{}.{}:9\"", at / 250, at % 250));
        let rest = rest.collect::<Vec<_>>().join(", ");
        format!("endpoints = [{{ address = \"{first}\", weight = 1000 }}, {rest}]\n")
    };
    let (directory, file) = directory("endpoints = []\n");
    let config = listed().upstream("passive_health = { max_fails = 1, fail_timeout = \"1h\" }");
    let gateway = Settings::new().start_in(directory, config).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    replace(&file, &many(&alive.endpoint()));
    assert_eventually!(endpoints(&gateway).await.len() == 1_000);
    assert_eventually!(gateway.get("/").await.text() == "alive");
    gateway.says("and 992 more").await;
    // One too many is refused as a whole.
    replace(
        &file,
        &many("127.0.0.1:1").replace("]\n", ", \"127.9.9.9:9\"]\n"),
    );
    assert_eventually!(
        source(&gateway).await["error"]
            .as_str()
            .is_some_and(|it| it.contains("1001 endpoints"))
    );
    replace(&file, "endpoints = []\n");
    assert_eventually!(endpoints(&gateway).await.is_empty());
    let metrics = gateway.metrics().await;
    assert_eq!(
        metrics.sum("janua_endpoint_healthy", &[]),
        0.0,
        "no series are left"
    );
}

/// Something writes the list all the time: it is read all the same.
#[tokio::test]
async fn a_list_that_is_never_quiet_is_read() {
    let upstream = named("x").await;
    let (directory, file) = directory("endpoints = []\n");
    let gateway = Settings::new().start_in(directory, listed()).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    let mut turn = 0;
    assert_eventually!({
        turn += 1;
        replace(
            &file,
            &format!("# {turn}\n{}", list(&[&upstream.endpoint()])),
        );
        gateway.get("/").await.status == 200
    });
}

#[tokio::test]
async fn a_reload_takes_files_up_and_lets_them_go() {
    let (one, two) = (named("one").await, named("two").await);
    let mut gateway = Settings::new().start(Proxy::to(one.endpoint())).await;
    let file = gateway.directory().join("app.toml");
    fs::write(&file, list(&[&two.endpoint()])).unwrap();
    gateway.reload(listed()).await;
    assert_eq!(text(&gateway).await, "two");
    replace(&file, &list(&[&one.endpoint()]));
    assert_eventually!(text(&gateway).await == "one");
    gateway.reload(Proxy::to(two.endpoint())).await;
    replace(&file, &list(&[&one.endpoint()]));
    assert_eq!(text(&gateway).await, "two");
    assert!(
        gateway.status().await["upstreams"][0]["sources"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    // The file is read anew by the reload that takes it up again.
    gateway.reload(listed()).await;
    assert_eq!(text(&gateway).await, "one");
}

/// The name in the list is the endpoint's, as that in a configuration is.
#[tokio::test]
async fn a_list_has_names_too() {
    let upstream = Upstream::always(Reply::ok("named")).await;
    let (directory, _) = directory(&list(&[&format!("backend:{}", upstream.port())]));
    let settings = Settings::new().hosts("127.0.0.1 backend\n");
    let gateway = settings.start_in(directory, listed()).await;
    assert_eq!(text(&gateway).await, "named");
    assert_eq!(
        endpoints(&gateway).await,
        [format!("backend:{}", upstream.port())]
    );
}

/// A service is restarted at another address, and nobody sees that it was away.
#[tokio::test]
async fn a_request_waits_for_the_first_endpoint_of_a_list() {
    let upstream = named("here").await;
    let (directory, file) = directory("endpoints = []\n");
    let config = listed().upstream("hold = \"10m\"");
    let gateway = Settings::new().start_in(directory, config).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    assert_eventually!(gateway.metric("janua_upstream_held", &[]).await == 1.0);
    replace(&file, &list(&[&upstream.endpoint()]));
    assert_eq!(wire.receive("GET").await.text(), "here");
}

/// A new endpoint gets nothing before its first pass. If all of them are new, they have passed
/// before they take the place of the old ones.
#[tokio::test]
async fn checked_endpoints_are_replaced_without_a_gap() {
    let (one, two) = (named("one").await, named("two").await);
    let (directory, file) = directory(&list(&[&one.endpoint()]));
    let config = listed().upstream("health = { path = \"/health\", interval = \"1h\" }");
    let gateway = Settings::new().start_in(directory, config).await;
    let file = gateway.directory().join(file.file_name().unwrap());
    for upstream in [&two, &one, &two] {
        replace(&file, &list(&[&upstream.endpoint()]));
        assert_eventually!({
            let response = gateway.get("/").await;
            assert_eq!(response.status, 200, "{}", response.text());
            endpoints(&gateway).await == [upstream.endpoint()]
        });
    }
    assert_eq!(gateway.get("/").await.text(), "two");
}
