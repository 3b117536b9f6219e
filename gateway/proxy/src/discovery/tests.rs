use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::{EndpointsChange, refresh, sources};
use crate::snapshot::Snapshot;
use crate::testing::Kit;

/// A file that lists endpoints, and a gateway with two upstreams that goes by it.
struct Scene {
    _folder: tempfile::TempDir,
    file: PathBuf,
    kit: Kit,
}

impl Scene {
    fn new(list: &str) -> Self {
        Self::with(list, "")
    }

    fn with(list: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("found.toml");
        fs::write(&file, list).unwrap();
        let kit = Kit::of(&format!(
            "[listeners.test]\naddress = \"127.0.0.1:1\"\n\
             [upstreams.found]\nendpoints = [\"10.0.0.1:80\", {{ file = \"{}\" }}]\n\
             [upstreams.other]\nendpoints = \"10.0.0.9:80\"\n\
             [[sites]]\nhosts = [\"*\"]\n\
             [[sites.routes]]\nupstream = \"found\"\n{more}",
            file.display()
        ));
        Self {
            _folder: folder,
            file,
            kit,
        }
    }

    /// Writes the list, and publishes what comes of it.
    fn write(&self, list: &str) -> Vec<EndpointsChange> {
        fs::write(&self.file, list).unwrap();
        self.kit.worker.estate.endpoint_files.read_again();
        self.refresh()
    }

    fn refresh(&self) -> Vec<EndpointsChange> {
        let worker = &self.kit.worker;
        let mut snapshot = worker.snapshot().snapshot.again();
        let changes = refresh(&mut snapshot, &worker.estate);
        worker.estate.publish(Arc::new(snapshot));
        worker.refresh();
        changes
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.kit.worker.snapshot().snapshot)
    }

    fn addresses(&self) -> Vec<String> {
        let snapshot = self.snapshot();
        let members = snapshot.upstreams[0].upstream.members().iter();
        members
            .map(|it| it.endpoint.address().to_string())
            .collect()
    }
}

fn list(addresses: &[&str]) -> String {
    format!("endpoints = {addresses:?}")
}

#[test]
fn a_changed_list_replaces_the_endpoints_of_its_upstream_alone() {
    let scene = Scene::new(&list(&["10.0.0.2:80", "10.0.0.3:80"]));
    assert_eq!(
        scene.addresses(),
        ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]
    );
    assert!(scene.refresh().is_empty(), "nothing has changed");
    let before = scene.snapshot();
    let local = scene.kit.worker.snapshot();

    let changes = scene.write(&list(&["10.0.0.3:80", "10.0.0.4:80"]));
    let expected = EndpointsChange {
        upstream: "found".to_owned(),
        endpoints: 3,
        added: vec!["10.0.0.4:80".to_owned()],
        removed: vec!["10.0.0.2:80".to_owned()],
    };
    assert_eq!(changes, [expected]);
    assert_eq!(
        scene.addresses(),
        ["10.0.0.1:80", "10.0.0.3:80", "10.0.0.4:80"]
    );
    let after = scene.snapshot();
    assert_eq!(after.generation, before.generation);
    let endpoint =
        |snapshot: &Snapshot, at: usize| snapshot.upstreams[0].upstream.members()[at].endpoint.id();
    assert_eq!(endpoint(&before, 0), endpoint(&after, 0));
    assert_eq!(
        endpoint(&before, 2),
        endpoint(&after, 1),
        "what stays is the same"
    );
    let other = |snapshot: &Snapshot| Arc::clone(&snapshot.upstreams[1].upstream);
    assert!(Arc::ptr_eq(&other(&before), &other(&after)));
    assert!(Arc::ptr_eq(&before.sites, &after.sites));
    let now = scene.kit.worker.snapshot();
    assert!(
        Rc::ptr_eq(&local.upstreams[1], &now.upstreams[1]),
        "with its turn"
    );
    assert!(!Rc::ptr_eq(&local.upstreams[0], &now.upstreams[0]));
    assert_eq!(now.upstreams[0].forwarding.stats.endpoint(2), "10.0.0.4:80");
}

#[test]
fn another_weight_is_a_change() {
    let scene = Scene::new(&list(&["10.0.0.2:80"]));
    let changes = scene.write("endpoints = [{ address = \"10.0.0.2:80\", weight = 5 }]");
    assert_eq!(changes.len(), 1);
    assert!(changes[0].added.is_empty() && changes[0].removed.is_empty());
    let snapshot = scene.snapshot();
    assert_eq!(snapshot.upstreams[0].upstream.members()[1].weight, 5);
}

#[test]
fn what_the_configuration_names_cannot_be_changed_by_a_list() {
    let same = "endpoints = [{ address = \"10.0.0.1:80\", weight = 9 }]";
    let scene = Scene::new(same);
    assert_eq!(scene.addresses(), ["10.0.0.1:80"]);
    let snapshot = scene.snapshot();
    assert_eq!(snapshot.upstreams[0].upstream.members()[0].weight, 1);
}

#[test]
fn a_broken_list_leaves_the_endpoints_and_its_state_says_why() {
    let scene = Scene::new(&list(&["10.0.0.2:80"]));
    let before = scene.snapshot();
    assert!(scene.write("endpoints = [\"10.0.0.2").is_empty());
    assert_eq!(scene.addresses(), ["10.0.0.1:80", "10.0.0.2:80"]);
    let states = sources(&before, "found");
    assert_eq!(states.len(), 1);
    assert_eq!(Path::new(&states[0].source), scene.file);
    assert_eq!(states[0].endpoints, 1);
    assert!(
        states[0]
            .error
            .as_deref()
            .unwrap()
            .contains("found.toml:1:")
    );
    assert!(sources(&before, "other").is_empty());
    assert!(sources(&before, "unknown").is_empty());
}

/// How long it takes, for the record: it has no bound that would hold on every machine.
#[test]
fn a_thousand_endpoints_beside_two_hundred_routes() {
    let routes =
        (0..200).map(|at| format!("[[sites.routes]]\npath = \"/{at}/\"\nupstream = \"other\"\n"));
    let many = |from: usize| {
        let each = (from..from + 1_000).map(|at| format!("\"10.1.{}.{}:80\"", at / 250, at % 250));
        format!("endpoints = [{}]", each.collect::<Vec<_>>().join(", "))
    };
    let scene = Scene::with(&many(0), &routes.collect::<String>());
    fs::write(&scene.file, many(10)).unwrap();
    let begin = Instant::now();
    scene.kit.worker.estate.endpoint_files.read_again();
    let read = begin.elapsed();
    let changes = scene.refresh();
    println!(
        "read in {read:?}, published in {:?}",
        begin.elapsed() - read
    );
    assert_eq!(changes[0].endpoints, 1_001);
    assert_eq!((changes[0].added.len(), changes[0].removed.len()), (10, 10));
}
