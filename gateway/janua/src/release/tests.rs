use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::Plan;

struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    /// A build in `build`, and the previous files in `site/app`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("build"), "new");
        fs::create_dir(folder.path().join("site")).unwrap();
        Self { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn plan(&self) -> Result<Plan, String> {
        Plan::new(&self.path("build"), &self.path("site/app"))
    }

    /// The entries of the site's directory, with numbers in names removed.
    fn site(&self) -> Vec<String> {
        names(&self.path("site"))
    }

    fn served(&self) -> String {
        fs::read_to_string(self.path("site/app/index.html")).unwrap()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn write(folder: &Path, content: &str) {
    fs::create_dir_all(folder.join("assets")).unwrap();
    fs::write(folder.join("index.html"), content).unwrap();
    fs::write(folder.join(format!("assets/{content}.js")), "x").unwrap();
}

#[test]
fn the_first_deploy_makes_the_directory() {
    let stage = Stage::new();
    let plan = stage.plan().unwrap();
    assert_eq!((plan.files, plan.bytes), (2, 4));
    assert!(
        plan.description().ends_with("site/app is new"),
        "{}",
        plan.description()
    );
    let live = plan.stage().unwrap().publish().unwrap();
    assert_eq!(stage.served(), "new");
    assert_eq!(live.finish().unwrap(), None);
    assert_eq!(stage.site(), ["app"]);
    assert_eq!(names(&stage.path("build")), ["assets", "index.html"]);
}

#[test]
fn a_directory_is_exchanged_and_the_old_one_removed() {
    let stage = Stage::new();
    write(&stage.path("site/app"), "old");
    let staged = stage.plan().unwrap().stage().unwrap();
    assert_eq!(stage.served(), "old");
    let live = staged.publish().unwrap();
    assert_eq!(stage.served(), "new");
    // The old files stay until the gateway has retained what must outlive them.
    assert_eq!(stage.site().len(), 2);
    assert_eq!(live.finish().unwrap(), None);
    assert_eq!(stage.site(), ["app"]);
    assert_eq!(names(&stage.path("site/app/assets")), ["new.js"]);
}

#[test]
fn a_trailing_slash_is_no_difference() {
    let stage = Stage::new();
    write(&stage.path("site/app"), "old");
    let plan = Plan::new(&stage.path("build/"), &stage.path("site/app/")).unwrap();
    plan.stage().unwrap().publish().unwrap().finish().unwrap();
    assert_eq!(stage.served(), "new");
    assert_eq!(stage.site(), ["app"]);
}

#[test]
fn a_link_is_switched_and_the_old_release_stays() {
    for (text, releases) in [("releases/1", "site/releases"), ("1", "site")] {
        let stage = Stage::new();
        write(&stage.path("site").join(text), "old");
        symlink(text, stage.path("site/app")).unwrap();
        let live = stage.plan().unwrap().stage().unwrap().publish().unwrap();
        assert_eq!(stage.served(), "new");
        let leads = fs::read_link(stage.path("site/app")).unwrap();
        let name = leads.file_name().unwrap().to_str().unwrap();
        assert!(
            leads.is_relative() && name.starts_with("release-"),
            "{leads:?}"
        );
        assert_eq!(live.finish().unwrap(), Some(stage.path("site").join(text)));
        assert_eq!(
            names(&stage.path(releases))
                .iter()
                .filter(|it| *it == "1")
                .count(),
            1
        );
        // The same again.
        write(&stage.path("build"), "newer");
        stage
            .plan()
            .unwrap()
            .stage()
            .unwrap()
            .publish()
            .unwrap()
            .finish()
            .unwrap();
        assert_eq!(stage.served(), "newer");
    }
}

#[test]
fn what_is_reverted_is_as_it_was() {
    for make in [
        |_: &Stage| (),
        |stage: &Stage| write(&stage.path("site/app"), "old"),
        |stage: &Stage| {
            write(&stage.path("site/1"), "old");
            symlink("1", stage.path("site/app")).unwrap();
        },
    ] {
        let stage = Stage::new();
        make(&stage);
        let before = stage.site();
        let live = stage.plan().unwrap().stage().unwrap().publish().unwrap();
        assert_eq!(stage.served(), "new");
        live.revert().unwrap();
        assert_eq!(stage.site(), before);
        if !before.is_empty() {
            assert_eq!(stage.served(), "old");
        }
    }
}

#[test]
fn what_is_not_published_leaves_nothing() {
    let stage = Stage::new();
    write(&stage.path("site/app"), "old");
    let staged = stage.plan().unwrap().stage().unwrap();
    assert_eq!(stage.site().len(), 2);
    drop(staged);
    assert_eq!(stage.site(), ["app"]);
    assert_eq!(stage.served(), "old");
}

#[test]
fn a_failure_on_the_way_leaves_nothing() {
    let stage = Stage::new();
    write(&stage.path("site/app"), "old");
    let plan = stage.plan().unwrap();
    // Changed between the check and the copy.
    symlink("/etc/passwd", stage.path("build/assets/leak")).unwrap();
    let why = plan.stage().unwrap_err();
    assert!(why.contains("leak") && why.contains("/etc/passwd"), "{why}");
    assert_eq!(stage.site(), ["app"]);

    fs::remove_file(stage.path("build/assets/leak")).unwrap();
    let staged = stage.plan().unwrap().stage().unwrap();
    // The place disappears before the exchange.
    fs::remove_dir_all(stage.path("site/app")).unwrap();
    let why = staged.publish().unwrap_err();
    assert!(
        why.contains("cannot put") && why.contains("in place"),
        "{why}"
    );
    assert!(stage.site().is_empty(), "{:?}", stage.site());
}

#[test]
fn links_that_stay_inside_are_kept_as_they_are() {
    let stage = Stage::new();
    symlink("../index.html", stage.path("build/assets/index")).unwrap();
    symlink("assets/../assets", stage.path("build/static")).unwrap();
    stage.plan().unwrap().stage().unwrap().publish().unwrap();
    let index = stage.path("site/app/assets/index");
    assert_eq!(fs::read_link(&index).unwrap(), Path::new("../index.html"));
    assert_eq!(
        fs::read_to_string(stage.path("site/app/static/index")).unwrap(),
        "new"
    );

    for text in ["/etc/passwd", "../x", "assets/../../x"] {
        let link = stage.path("build/bad");
        symlink(text, &link).unwrap();
        let why = stage.plan().unwrap_err();
        assert!(why.contains("leads out") && why.contains(text), "{why}");
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn all_files_are_of_one_time() {
    let stage = Stage::new();
    for name in ["a.js.br", "z.js", "z.js.gz", "assets/b.css"] {
        fs::write(stage.path("build").join(name), "x").unwrap();
    }
    stage.plan().unwrap().stage().unwrap().publish().unwrap();
    let time = |name: &str| {
        let file = stage.path("site/app").join(name);
        fs::metadata(file).unwrap().modified().unwrap()
    };
    let of_index = time("index.html");
    for name in ["a.js.br", "z.js", "z.js.gz", "assets/b.css"] {
        assert_eq!(time(name), of_index, "{name}");
    }
}

#[test]
fn modes_are_kept_and_nothing_else_of_them() {
    let stage = Stage::new();
    let mode = |path: &str| fs::metadata(stage.path(path)).unwrap().permissions().mode() & 0o7777;
    let set = |path: &str, mode| {
        fs::set_permissions(stage.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("build", 0o755);
    set("build/assets", 0o750);
    set("build/index.html", 0o4644);
    stage.plan().unwrap().stage().unwrap().publish().unwrap();
    assert_eq!(mode("site/app"), 0o755);
    assert_eq!(mode("site/app/assets"), 0o750);
    assert_eq!(mode("site/app/index.html"), 0o644);
}

#[test]
fn what_cannot_be_is_said() {
    let stage = Stage::new();
    write(&stage.path("site/app"), "old");
    let (build, app) = (stage.path("build"), stage.path("site/app"));
    let table = [
        (stage.path("none"), app.clone(), "cannot read"),
        (build.join("index.html"), app.clone(), "is not a directory"),
        (
            build.clone(),
            build.join("index.html"),
            "is not a directory",
        ),
        (build.clone(), stage.path("none/app"), "cannot read"),
        (
            build.clone(),
            PathBuf::from("/"),
            "nothing can take the place",
        ),
        (app.clone(), app.clone(), "one within the other"),
        (app.join("assets"), app.clone(), "one within the other"),
        (stage.path("site"), app.clone(), "one within the other"),
        (build.clone(), build.join("app"), "one within the other"),
    ];
    for (from, root, said) in table {
        let why = Plan::new(&from, &root).unwrap_err();
        assert!(why.contains(said), "{from:?} {root:?}: {why}");
    }
    assert!(stage.plan().unwrap().lacks("main.html"));
    assert!(!stage.plan().unwrap().lacks("index.html"));
    assert_eq!(stage.served(), "old");
    assert_eq!(stage.site(), ["app"]);
}

/// A deploy that is killed at any point leaves at most one directory.
#[test]
fn what_a_deploy_that_was_killed_has_left_is_removed() {
    let stage = Stage::new();
    write(&stage.path("site/app"), "old");
    write(&stage.path("site/.app.deploy-4242-0"), "half");
    fs::create_dir(stage.path("site/.app.deploy-keys")).unwrap();
    fs::create_dir(stage.path("site/.other.deploy-4242-0")).unwrap();
    let link = format!(".app.link-{}", std::process::id());
    symlink("nowhere", stage.path("site").join(&link)).unwrap();
    let live = stage.plan().unwrap().stage().unwrap().publish().unwrap();
    live.finish().unwrap();
    let left = [".app.deploy-keys", &link, ".other.deploy-4242-0", "app"];
    assert_eq!(stage.site(), left);

    // The temporary link may also exist already, with the number of this
    // process.
    fs::rename(stage.path("site/app"), stage.path("site/first")).unwrap();
    symlink("first", stage.path("site/app")).unwrap();
    let live = stage.plan().unwrap().stage().unwrap().publish().unwrap();
    live.finish().unwrap();
    assert!(!stage.path("site").join(&link).exists());
}

#[test]
fn two_deploys_to_one_place_are_not_under_way_at_once() {
    let stage = Stage::new();
    // Both create it at first: neither removes the other's directory.
    let first = stage.plan().unwrap().stage().unwrap();
    let second = stage.plan().unwrap().stage().unwrap();
    assert_eq!(stage.site().len(), 2);
    let live = first.publish().unwrap();
    second.publish().unwrap_err();
    live.finish().unwrap();

    for is_link in [false, true] {
        if is_link {
            fs::rename(stage.path("site/app"), stage.path("site/first")).unwrap();
            symlink("first", stage.path("site/app")).unwrap();
        }
        let staged = stage.plan().unwrap().stage().unwrap();
        let refused = || {
            let why = stage.plan().unwrap().stage().unwrap_err();
            assert!(why.ends_with("site/app is under way"), "{why}");
        };
        refused();
        let live = staged.publish().unwrap();
        refused();
        live.finish().unwrap();
        // Then the lock is free.
        drop(stage.plan().unwrap().stage().unwrap());
    }
}
