//! `janua discover docker`: a process that writes the addresses of containers into a file, from
//! which a gateway takes them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use janua_tests::{
    Discovery, DockerEngine, Manner, Proxy, Settings, assert_eventually, eventually, run,
};
use tempfile::TempDir;

use crate::discovery_files::endpoints;

const APP: [(&str, &str); 1] = [("janua.upstream", "app")];

/// An Engine, and the process that asks it.
struct Scene {
    directory: TempDir,
    engine: DockerEngine,
    discovery: Discovery,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("docker.sock");
        let engine = DockerEngine::start(&socket).await;
        let discovery = Discovery::start(directory.path(), &socket, &["--write", "app.toml"]);
        Self {
            directory,
            engine,
            discovery,
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("app.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap_or_default()
    }

    /// The addresses in the file, once they are these.
    async fn lists(&self, expected: &[&str]) {
        let mut found = Vec::new();
        let same = eventually(async || {
            found = addresses(&self.text());
            (self.file().exists() && found == expected).then_some(())
        });
        let same = same.await;
        assert!(
            same.is_some(),
            "{expected:?}: {found:?}\n{}",
            self.discovery.messages()
        );
    }

    async fn says(&self, text: &str) {
        assert_eventually!(
            self.discovery.messages().contains(text),
            "{text}: {}",
            self.discovery.messages()
        );
    }
}

fn addresses(text: &str) -> Vec<String> {
    let values = text
        .lines()
        .filter_map(|line| line.strip_prefix("address = "));
    values
        .map(|value| value.trim_matches('"').to_owned())
        .collect()
}

#[tokio::test]
async fn containers_that_start_and_end_are_written() {
    let scene = Scene::new().await;
    scene.lists(&[]).await;
    scene.engine.run("one", "172.18.0.2", &APP);
    scene.lists(&["172.18.0.2:8080"]).await;
    let weighted = [APP[0], ("janua.weight", "5"), ("janua.port", "9000")];
    scene.engine.run("two", "172.18.0.3", &weighted);
    scene
        .engine
        .run("other", "172.18.0.4", &[("janua.upstream", "api")]);
    scene.lists(&["172.18.0.2:8080", "172.18.0.3:9000"]).await;
    let text = scene.text();
    assert!(
        text.contains("weight = 5") && text.contains("id = \"two\""),
        "{text}"
    );
    scene.engine.end("one");
    scene.lists(&["172.18.0.3:9000"]).await;
    let asked = scene.engine.asked();
    let listed = asked.iter().find(|it| it.starts_with("/containers/json"));
    let listed = listed.unwrap();
    assert!(listed.contains(r#""label":["janua.upstream"]"#), "{listed}");
    assert!(listed.contains(r#""status":["running"]"#), "{listed}");
    let events = asked.iter().find(|it| it.starts_with("/events")).unwrap();
    assert!(
        events.contains("health_status") && !events.contains("exec"),
        "{events}"
    );
    let mode = fs::metadata(scene.file()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o644);
}

#[tokio::test]
async fn only_those_that_are_well_are_written() {
    let scene = Scene::new().await;
    scene.engine.run("one", "172.18.0.2", &APP);
    scene.engine.run("two", "172.18.0.3", &APP);
    scene.engine.set_health("two", "starting");
    scene.lists(&["172.18.0.2:8080"]).await;
    scene.engine.set_health("two", "healthy");
    scene.lists(&["172.18.0.2:8080", "172.18.0.3:8080"]).await;
    scene.engine.set_health("one", "unhealthy");
    scene.lists(&["172.18.0.3:8080"]).await;
}

#[tokio::test]
async fn a_file_is_left_alone_if_nothing_has_changed() {
    let scene = Scene::new().await;
    scene.engine.run("one", "172.18.0.2", &APP);
    scene.lists(&["172.18.0.2:8080"]).await;
    let before = fs::metadata(scene.file()).unwrap();
    let lists = |scene: &Scene| {
        let asked = scene.engine.asked();
        asked
            .iter()
            .filter(|it| it.starts_with("/containers/json"))
            .count()
    };
    let listed = lists(&scene);
    scene.engine.happens();
    assert_eventually!(lists(&scene) > listed);
    // The list after it has been looked at for certain.
    let listed = lists(&scene);
    scene.engine.happens();
    assert_eventually!(lists(&scene) > listed);
    let after = fs::metadata(scene.file()).unwrap();
    assert_eq!(
        (before.ino(), before.mtime_nsec()),
        (after.ino(), after.mtime_nsec())
    );
    // Somebody has removed it.
    fs::remove_file(scene.file()).unwrap();
    scene.engine.happens();
    scene.lists(&["172.18.0.2:8080"]).await;
}

#[tokio::test]
async fn an_engine_that_ends_leaves_the_file_and_is_found_again() {
    let mut scene = Scene::new().await;
    scene.engine.run("one", "172.18.0.2", &APP);
    scene.lists(&["172.18.0.2:8080"]).await;
    let socket = scene.directory.path().join("docker.sock");
    scene.engine = scene.engine.restart(&socket).await;
    scene.says("the files stay as they are").await;
    assert_eq!(addresses(&scene.text()), ["172.18.0.2:8080"]);
    scene.engine.run("two", "172.18.0.3", &APP);
    scene.lists(&["172.18.0.2:8080", "172.18.0.3:8080"]).await;
    assert!(scene.discovery.is_running());
}

#[tokio::test]
async fn answers_that_are_no_answers_leave_the_file() {
    let mut scene = Scene::new().await;
    scene.engine.run("one", "172.18.0.2", &APP);
    scene.lists(&["172.18.0.2:8080"]).await;
    for (manner, expected) in [
        (Manner::Malformed, "is not understood"),
        (Manner::Endless, "length limit exceeded"),
        (Manner::Refusing, "/containers/json with 500"),
        (Manner::EndlessEvent, "an event is longer than"),
    ] {
        scene.engine.behave(manner);
        // Only the last of them still lists what there is.
        if manner != Manner::EndlessEvent {
            scene.engine.end("one");
        }
        scene.says(expected).await;
        assert_eq!(addresses(&scene.text()), ["172.18.0.2:8080"], "{manner:?}");
        scene.engine.run("one", "172.18.0.2", &APP);
        scene.engine.behave(Manner::Well);
        // Its next attempt follows the next address, however long the wait has become.
        scene.engine.run("next", "172.18.0.9", &APP);
        scene.lists(&["172.18.0.2:8080", "172.18.0.9:8080"]).await;
        scene.engine.end("next");
        scene.lists(&["172.18.0.2:8080"]).await;
    }
    assert!(scene.discovery.is_running());
}

/// Labels are written by whoever starts a container.
#[tokio::test]
async fn hostile_labels_reach_no_file() {
    let scene = Scene::new().await;
    let evil = "80\"\n[[endpoints]]\naddress = \"10.0.0.1:22";
    scene
        .engine
        .run("a", "172.18.0.2", &[APP[0], ("janua.port", evil)]);
    scene.engine.run("b", "127.0.0.1", &APP);
    scene.engine.run("c", "10.0.0.1:22\"", &APP);
    scene
        .engine
        .run("d", "172.18.0.5", &[("janua.upstream", "../app")]);
    scene.engine.run(
        "e",
        "172.18.0.6",
        &[APP[0], ("janua.network", "\u{1b}[2Jhost")],
    );
    scene.engine.run("good", "172.18.0.7", &APP);
    scene.lists(&["172.18.0.7:8080"]).await;
    scene
        .says("container a is no endpoint of app: janua.port is not a number")
        .await;
    scene
        .says("container e is no endpoint of app: it is not in the network")
        .await;
    let names = fs::read_dir(scene.directory.path()).unwrap();
    let mut names: Vec<_> = names.map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["app.toml", "discover.log", "docker.sock"]);
    assert!(!scene.discovery.messages().contains('\u{1b}'));
}

#[tokio::test]
async fn a_gateway_follows_the_containers() {
    let scene = Scene::new().await;
    scene.lists(&[]).await;
    let file = scene.file();
    let config = Proxy::to(format!("{{ file = \"{}\" }}", file.display()));
    let gateway = Settings::new().start(config).await;
    assert_eq!(gateway.get("/").await.status, 503);
    scene.engine.run("one", "172.18.0.2", &APP);
    assert_eventually!(endpoints(&gateway).await == ["172.18.0.2:8080"]);
    scene.engine.end("one");
    assert_eventually!(endpoints(&gateway).await.is_empty());
}

#[tokio::test]
async fn it_writes_once_if_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    let once = async |arguments: &[&str]| {
        let socket = socket.to_str().unwrap();
        let all = [
            &["discover", "docker", "--once", "--socket", socket],
            arguments,
        ]
        .concat();
        run(directory.path(), &all).await
    };
    let nobody = once(&["--write", "app.json"]).await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.stderr.contains("docker.sock: "), "{}", nobody.stderr);
    assert!(!directory.path().join("app.json").exists());

    let engine = DockerEngine::start(&socket).await;
    engine.run("one", "172.18.0.2", &[("gw.upstream", "shop")]);
    let arguments = [
        "--write",
        "app.json",
        "--upstream",
        "shop",
        "--label-prefix",
        "gw",
    ];
    let written = once(&arguments).await;
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let text = fs::read_to_string(directory.path().join("app.json")).unwrap();
    let list: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(list[0]["address"], "172.18.0.2:8080");

    engine.behave(Manner::Refusing);
    assert_eq!(once(&arguments).await.code, Some(1));
    engine.behave(Manner::Well);
    let unwritable = once(&["--write", "missing/app.toml"]).await;
    assert_eq!(unwritable.code, Some(1));
    assert!(
        unwritable.stderr.contains("missing/app.toml: "),
        "{}",
        unwritable.stderr
    );
    assert!(Path::new(&socket).exists());
}
