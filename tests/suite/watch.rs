//! Changed files take effect by themselves, or leave the old configuration live.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use janua_tests::{Gateway, Request, Settings, assert_eventually, component};

use crate::openssl;
use crate::reload::says;

async fn watching(config: impl std::fmt::Display) -> Gateway {
    let gateway = Settings::new().watch().start(config).await;
    gateway.says("watching files for changes").await;
    gateway
}

/// Replaces a file like an editor or a deploy does.
fn replace(path: &Path, content: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

async fn reloads(gateway: &Gateway, outcome: &str) -> f64 {
    gateway
        .metric("janua_reloads_total", &[("outcome", outcome)])
        .await
}

#[tokio::test]
async fn an_edited_configuration_takes_effect() {
    let gateway = watching(says("one")).await;
    let mut wire = gateway.connect().await;
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "one");
    gateway.write_config(says("two"));
    assert_eventually!(gateway.get("/").await.text() == "two");
    // Renamed over the old one. The connection lasts.
    let text = fs::read_to_string(gateway.config_path()).unwrap();
    replace(&gateway.config_path(), text.replace("two", "three"));
    assert_eventually!(gateway.get("/").await.text() == "three");
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "three");
    let status = gateway.status().await;
    assert_eq!(status["generation"], 3);
    assert_eq!(status["last_reload"]["error"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_touched_file_does_nothing() {
    let gateway = watching(says("one")).await;
    let text = fs::read_to_string(gateway.config_path()).unwrap();
    fs::write(gateway.config_path(), &text).unwrap();
    replace(&gateway.config_path(), &text);
    // Watching does not delay what is said aloud, nor repeats it.
    gateway.write_config(says("two"));
    assert_eventually!(gateway.get("/").await.text() == "two");
    assert_eq!(gateway.status().await["generation"], 2);
    assert_eq!(reloads(&gateway, "ok").await, 1.0);
}

/// As Kubernetes mounts a ConfigMap: the file is a link through a link that is replaced.
#[tokio::test]
async fn a_swapped_link_takes_effect() {
    let gateway = watching(says("one")).await;
    let path = |name: &str| gateway.directory().join(name);
    let text = fs::read_to_string(gateway.config_path()).unwrap();
    for (version, word) in [("..v1", "one"), ("..v2", "two"), ("..v3", "three")] {
        fs::create_dir(path(version)).unwrap();
        fs::write(path(version).join("janua.toml"), text.replace("one", word)).unwrap();
    }
    let link = |to: &str, at: &str| {
        symlink(to, path("link")).unwrap();
        fs::rename(path("link"), path(at)).unwrap();
    };
    link("..v1", "..data");
    link("..data/janua.toml", "janua.toml");
    link("..v2", "..data");
    assert_eventually!(gateway.get("/").await.text() == "two");
    link("..v3", "..data");
    assert_eventually!(gateway.get("/").await.text() == "three");
}

#[tokio::test]
async fn a_new_included_file_takes_effect() {
    let include = format!("include = [\"sites/*.toml\"]\n{}", says("one"));
    let site =
        "[[sites]]\nhosts = [\"new.example\"]\nroutes = [{ respond = { body = \"new\" } }]\n";
    let gateway = watching(says("one")).await;
    let sites = gateway.directory().join("sites");
    fs::create_dir(&sites).unwrap();
    gateway.write_config(include);
    assert_eventually!(gateway.status().await["generation"] == 2);
    fs::write(sites.join("new.toml"), site).unwrap();
    let request = Request::get("/").host("new.example");
    assert_eventually!(gateway.send(request.clone()).await.text() == "new");
    fs::write(sites.join("new.toml"), site.replace("\"new\"", "\"newer\"")).unwrap();
    assert_eventually!(gateway.send(request.clone()).await.text() == "newer");
    fs::remove_file(sites.join("new.toml")).unwrap();
    assert_eventually!(gateway.send(request.clone()).await.text() == "one");
}

#[tokio::test]
async fn files_of_policies_take_effect() {
    let config = |policy: &str| {
        let site = "[[sites]]\npolicies = [\"p\"]";
        says("one").replace("[[sites]]", site) + &format!("[policies.p]\n{policy}\n")
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("value");
    fs::write(&file, "first").unwrap();
    let gateway = watching(config(&format!(
        "component = \"headers\"\nconfig.response = {{ always = true, set = {{ x-a_file = \"{}\" }} }}",
        file.display()
    )))
    .await;
    let value = async || gateway.get("/").await.header("x-a").map(str::to_owned);
    assert_eq!(value().await.as_deref(), Some("first"));
    fs::write(&file, "second").unwrap();
    assert_eventually!(value().await.as_deref() == Some("second"));

    // A component that is not there yet.
    let own = directory.path().join("own.wasm");
    let named = config(&format!(
        "component = \"{}\"\ngrants = [\"edit:response-header:cache-control\", \"serve\"]",
        own.display()
    ));
    gateway.write_config(named);
    assert_eventually!(reloads(&gateway, "refused").await == 1.0);
    assert_eq!(value().await.as_deref(), Some("second"));
    fs::copy(component("janua-policy-spa-fallback"), &own).unwrap();
    assert_eventually!(reloads(&gateway, "ok").await == 2.0);
}

#[tokio::test]
async fn a_bad_edit_leaves_the_old_configuration_live() {
    let gateway = watching(says("one")).await;
    gateway.write_config("[listeners.public]\naddress = 7\n");
    gateway.says("janua.toml:2").await;
    assert_eq!(gateway.get("/").await.text(), "one");
    let status = gateway.status().await;
    assert_eq!(status["generation"], 1);
    let error = status["last_reload"]["error"].as_str().unwrap_or_default();
    assert!(error.contains("janua.toml:2"), "{status}");
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_config_last_reload_ok", &[]), 0.0);
    // It is reported once, and the next edit counts.
    gateway.write_config(says("two"));
    assert_eventually!(gateway.get("/").await.text() == "two");
    assert_eq!(reloads(&gateway, "refused").await, 1.0);
}

#[tokio::test]
async fn a_change_that_drops_most_routes_must_be_said_aloud() {
    let routes = |count: usize| {
        let head = "[listeners.public]\naddress = \"127.0.0.1:0\"\n[[sites]]\nhosts = [\"*\"]\n";
        let route = |n| {
            format!(
                "[[sites.routes]]\npath = \"/{n}\"\nrespond = {{ body = \"{n} of {count}\" }}\n"
            )
        };
        (0..count)
            .map(route)
            .fold(head.to_owned(), |all, one| all + &one)
    };
    let gateway = watching(routes(4)).await;
    gateway.write_config(routes(1));
    assert_eventually!(reloads(&gateway, "refused").await == 1.0);
    assert_eq!(gateway.get("/0").await.text(), "0 of 4");
    let status = gateway.status().await;
    let error = status["last_reload"]["error"].as_str().unwrap_or_default();
    assert!(error.contains("has 1 of 4 routes"), "{error}");
    assert!(error.contains("run `janua reload`"), "{error}");

    assert!(gateway.try_reload(routes(1)).await.is_ok());
    assert_eq!(gateway.get("/0").await.text(), "0 of 1");
    // Half of them may go.
    gateway.write_config(routes(2));
    assert_eventually!(gateway.get("/0").await.text() == "0 of 2");
    gateway.write_config(routes(1));
    assert_eventually!(gateway.get("/0").await.text() == "0 of 1");
}

fn secure(certificate: &str) -> String {
    format!(
        "[listeners.public]\naddress = \"127.0.0.1:0\"\ntls = true\n\
         [[sites]]\nhosts = [\"a.example\"]\n\
         certificate = {{ cert = \"{certificate}.crt\", key = \"{certificate}.key\" }}\n\
         routes = [{{ respond = {{ body = \"x\" }} }}]\n"
    )
}

#[tokio::test]
async fn a_renewed_certificate_is_served_to_new_handshakes() {
    let certificates = tempfile::tempdir().unwrap();
    let path = |name: &str| certificates.path().join(name);
    for version in ["1", "2", "3"] {
        openssl::certificate(certificates.path(), version, "a.example", 90);
    }
    let link = |version: &str, kind: &str| {
        symlink(format!("{version}.{kind}"), path("link")).unwrap();
        fs::rename(path("link"), path(&format!("live.{kind}"))).unwrap();
    };
    link("1", "crt");
    link("1", "key");
    let gateway = watching(secure(path("live").to_str().unwrap())).await;
    let served = async || openssl::served(gateway.address(), "a.example").await;
    assert_eq!(served().await, openssl::serial(&path("1.crt")));

    // Like certbot: links, one after the other.
    link("2", "crt");
    link("2", "key");
    assert_eventually!(served().await == openssl::serial(&path("2.crt")));
    gateway.says("live.crt: another one, valid until").await;

    // The key arrives later: until then it is no error, only not usable yet.
    link("3", "crt");
    gateway.says("cannot be used yet").await;
    assert_eq!(served().await, openssl::serial(&path("2.crt")));
    link("3", "key");
    assert_eventually!(served().await == openssl::serial(&path("3.crt")));
    assert_eq!(gateway.status().await["generation"], 3);
}

#[tokio::test]
async fn a_key_that_does_not_come_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    openssl::certificate(directory.path(), "1", "a.example", 90);
    openssl::certificate(directory.path(), "2", "a.example", 90);
    let gateway = watching(secure(path("1").to_str().unwrap())).await;
    fs::rename(path("2.crt"), path("1.crt")).unwrap();
    assert_eventually!(reloads(&gateway, "refused").await == 1.0);
    // It is counted a moment before it is told.
    assert_eventually!({
        let status = gateway.status().await;
        let error = status["last_reload"]["error"].as_str();
        error.is_some_and(|error| error.contains("the key does not fit"))
    });
    fs::rename(path("2.key"), path("1.key")).unwrap();
    assert_eventually!(reloads(&gateway, "ok").await == 1.0);
    assert_eq!(
        reloads(&gateway, "refused").await,
        1.0,
        "{}",
        gateway.messages()
    );
}

#[tokio::test]
async fn watching_can_be_turned_off_and_on() {
    let gateway = Gateway::start(says("one")).await;
    gateway.says("only by `janua reload`").await;
    let text = |word: &str, watch: bool| {
        let text = fs::read_to_string(gateway.config_path()).unwrap();
        let (_, rest) = text.split_once("\n[server]").unwrap();
        let rest = rest
            .replace("watch = true", "watch = WATCH")
            .replace("watch = false", "watch = WATCH");
        format!(
            "{}\n[server]{}",
            says(word),
            rest.replace("WATCH", &watch.to_string())
        )
    };
    fs::write(gateway.config_path(), text("two", true)).unwrap();
    gateway.ask("POST", "/reload").await;
    assert_eq!(gateway.get("/").await.text(), "two");
    gateway.says("watching files for changes").await;
    fs::write(gateway.config_path(), text("three", false)).unwrap();
    assert_eventually!(gateway.get("/").await.text() == "three");
    fs::write(gateway.config_path(), text("four", false)).unwrap();
    let another = Settings::new().watch().start(says("x")).await;
    // A gateway that watches has long reloaded when this one still has not.
    another.write_config(says("y"));
    assert_eventually!(another.get("/").await.text() == "y");
    assert_eq!(gateway.get("/").await.text(), "three");
    assert_eq!(gateway.status().await["generation"], 3);
}
