//! Files that a deploy removed, and when they expire.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fixture::{Site, age, directory, limits, options};
use crate::opened::unix_now;
use crate::retention::Retention;
use crate::{Files, Limits, Lookup, OpenError, Options, Retain};

const PERIOD: i64 = 3600;

fn retaining(options: &mut Options) {
    options.retain = Some(Retain {
        period: Duration::from_secs(PERIOD.unsigned_abs()),
        files: vec!["assets/**".to_owned(), "*.chunk.js".to_owned()],
        store: None,
    });
}

fn retention(site: &Site) -> &Retention {
    site.root.0.retention.as_ref().unwrap()
}

fn kept(site: &Site) -> PathBuf {
    site.directory.path().join("dist.retained/files")
}

/// Writes the files of one build.
fn build(site: &Site, hash: &str) {
    site.write("index.html", format!("main-{hash}.js"));
    site.write(&format!("assets/main-{hash}.js"), hash);
    site.write(&format!("assets/img/logo-{hash}.svg"), hash);
    site.write(&format!("{hash}.chunk.js"), hash);
    site.write(&format!("other-{hash}.js"), hash);
}

/// Removes files as `rsync --delete` does.
fn unbuild(site: &Site, hash: &str) {
    for path in [
        "assets/main-X.js",
        "assets/img/logo-X.svg",
        "X.chunk.js",
        "other-X.js",
    ] {
        fs::remove_file(site.path(&path.replace('X', hash))).unwrap();
    }
}

#[test]
fn old_assets_answer_until_their_time_is_over() {
    let mut site = Site::new(retaining);
    build(&site, "one");
    let now = unix_now();
    site.root.0.retain(now);
    assert_eq!(retention(&site).kept(), 3);
    let links = fs::metadata(site.path("assets/main-one.js"))
        .unwrap()
        .nlink();
    assert_eq!(links, 2, "a link, not a copy");
    build(&site, "two");
    unbuild(&site, "one");
    site.later();
    for path in [
        "/assets/main-one.js",
        "/assets/img/logo-one.svg",
        "/one.chunk.js",
    ] {
        assert_eq!(site.text(path), "one", "{path}");
        assert!(site.open(path).retained, "{path}");
    }
    assert!(!site.open("/assets/main-two.js").retained);
    // A file that no glob matches is not retained.
    assert!(site.is_missing("/other-one.js"));
    assert_eq!(site.text("/"), "main-two.js");
    site.root.0.retain(now + 10);
    site.root.0.retain(now + 10 + PERIOD);
    site.later();
    assert_eq!(site.text("/assets/main-one.js"), "one");
    site.root.0.retain(now + 11 + PERIOD);
    site.later();
    assert!(site.is_missing("/assets/main-one.js"));
    assert_eq!(site.text("/assets/main-two.js"), "two");
    assert!(!kept(&site).join("assets/main-one.js").exists());
    assert!(kept(&site).join("assets/main-two.js").exists());
}

#[test]
fn a_restart_forgets_neither_files_nor_times() {
    let site = Site::new(retaining);
    build(&site, "one");
    let now = unix_now();
    site.root.0.retain(now - 100);
    unbuild(&site, "one");
    site.root.0.retain(now - 50);
    let mut site = Site::over(Arc::clone(&site.directory), retaining);
    assert_eq!(site.text("/assets/main-one.js"), "one");
    site.root.0.retain(now - 50 + PERIOD);
    site.later();
    assert_eq!(site.text("/assets/main-one.js"), "one");
    site.root.0.retain(now - 49 + PERIOD);
    site.later();
    assert!(site.is_missing("/assets/main-one.js"));
    // A file that disappeared while the gateway was down is counted from when
    // its absence is noticed, and so is every file if the list of times is
    // unreadable.
    build(&site, "two");
    site.root.0.retain(now);
    unbuild(&site, "two");
    site.root.0.retain(now);
    let gone = site.directory.path().join("dist.retained/gone");
    assert!(
        fs::read_to_string(&gone)
            .unwrap()
            .contains(" assets/main-two.js\n")
    );
    fs::write(&gone, b"what\n\xff\n12\nx y z\n99999999999999999999 a\n").unwrap();
    let mut site = Site::over(Arc::clone(&site.directory), retaining);
    site.root.0.retain(now + 100);
    site.root.0.retain(now + 100 + PERIOD);
    assert_eq!(site.text("/assets/main-two.js"), "two");
    site.root.0.retain(now + 101 + PERIOD);
    site.later();
    assert!(site.is_missing("/assets/main-two.js"));
}

#[test]
fn a_file_that_returns_is_no_longer_missing() {
    let mut site = Site::new(retaining);
    build(&site, "one");
    let now = unix_now();
    site.root.0.retain(now);
    unbuild(&site, "one");
    site.root.0.retain(now + 1);
    build(&site, "one");
    site.root.0.retain(now + 2);
    site.root.0.retain(now + 2 + 2 * PERIOD);
    unbuild(&site, "one");
    site.later();
    assert_eq!(site.text("/assets/main-one.js"), "one");
}

#[test]
fn the_newest_content_of_a_name_is_kept() {
    let mut site = Site::new(retaining);
    let now = unix_now();
    site.write("assets/a.js", "one");
    site.root.0.retain(now);
    site.write("next", "two, longer");
    fs::rename(site.path("next"), site.path("assets/a.js")).unwrap();
    site.root.0.retain(now);
    // With the same length and time, as in a reproducible build.
    let time = fs::metadata(site.path("assets/a.js"))
        .unwrap()
        .modified()
        .unwrap();
    site.write("next", "TWO, LONGER");
    fs::File::open(site.path("next"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    fs::rename(site.path("next"), site.path("assets/a.js")).unwrap();
    site.root.0.retain(now);
    fs::remove_file(site.path("assets/a.js")).unwrap();
    site.later();
    assert_eq!(site.text("/assets/a.js"), "TWO, LONGER");
}

/// `rsync -a` and `tar` set the times of directories to those of the build,
/// which may be the same for all builds.
#[test]
fn a_directory_whose_time_is_set_back_is_read_again() {
    let mut site = Site::new(retaining);
    site.write("assets/one.js", "one");
    let assets = site.path("assets");
    age(&assets, 1_000_000);
    let now = unix_now() + 10;
    site.root.0.retain(now);
    site.write("assets/two.js", "two");
    fs::remove_file(site.path("assets/one.js")).unwrap();
    let time = fs::metadata(&assets).unwrap().modified().unwrap();
    age(&assets, 1_000_000);
    assert_ne!(fs::metadata(&assets).unwrap().modified().unwrap(), time);
    site.root.0.retain(now + 1);
    assert_eq!(retention(&site).kept(), 2);
    assert_eq!(site.text("/assets/one.js"), "one");
    site.root.0.retain(now + 2 + PERIOD);
    site.later();
    assert!(site.is_missing("/assets/one.js"));
    fs::remove_file(site.path("assets/two.js")).unwrap();
    site.later();
    assert_eq!(site.text("/assets/two.js"), "two");
}

/// `current/public`, where `current` is switched from release to release and old
/// releases are removed.
#[test]
fn retained_files_do_not_belong_to_a_release() {
    let held = directory();
    let release = |number: &str| {
        let public = held.path().join(number).join("public");
        fs::create_dir_all(public.join("assets")).unwrap();
        fs::write(public.join(format!("assets/{number}.js")), number).unwrap();
    };
    let switch = |number: &str| {
        symlink(number, held.path().join("next")).unwrap();
        fs::rename(held.path().join("next"), held.path().join("current")).unwrap();
    };
    let over = |held: &Arc<tempfile::TempDir>| {
        let root = held.path().join("current/public");
        Site::over(Arc::clone(held), |options| {
            retaining(options);
            options.root = root;
        })
    };
    for number in ["1", "2", "3"] {
        release(number);
    }
    switch("1");
    let mut site = over(&held);
    for next in ["2", "3"] {
        site.root.0.retain(unix_now());
        switch(next);
        site.later();
    }
    site.root.0.retain(unix_now());
    for old in ["1", "2"] {
        fs::remove_dir_all(held.path().join(old)).unwrap();
    }
    for number in ["1", "2", "3"] {
        assert_eq!(site.text(format!("/assets/{number}.js")), number);
    }
    let again = over(&held);
    assert_eq!(again.text("/assets/1.js"), "1");
    assert!(held.path().join("current.public.retained/README").exists());
}

/// The directory itself is replaced before a pass has seen its last files.
#[test]
fn a_root_that_is_exchanged_leaves_its_assets() {
    let mut site = Site::new(retaining);
    build(&site, "one");
    assert_eq!(site.text("/"), "main-one.js");
    let away = site.directory.path().join("away");
    fs::rename(site.path("").parent().unwrap().join("dist"), &away).unwrap();
    fs::create_dir(site.directory.path().join("dist")).unwrap();
    build(&site, "two");
    site.later();
    // This lookup notices the replacement.
    assert_eq!(site.text("/"), "main-two.js");
    site.root.0.retain(unix_now());
    fs::remove_dir_all(away).unwrap();
    site.later();
    assert_eq!(site.text("/assets/main-one.js"), "one");
    assert_eq!(site.text("/assets/main-two.js"), "two");
}

#[test]
fn a_root_that_is_missing_for_a_while_loses_nothing() {
    let mut site = Site::new(retaining);
    build(&site, "one");
    let now = unix_now();
    site.root.0.retain(now);
    fs::remove_dir_all(site.path("")).unwrap();
    site.root.0.retain(now + 1);
    site.later();
    assert_eq!(site.text("/assets/main-one.js"), "one");
    assert!(site.is_missing("/"));
    build(&site, "two");
    site.root.0.retain(now + 2);
    site.later();
    assert_eq!(site.text("/assets/main-one.js"), "one");
    assert_eq!(site.text("/assets/main-two.js"), "two");
}

/// Before any pass, and while the background thread is running.
#[test]
fn a_served_file_is_retained_at_once() {
    let held = directory();
    let files = Files::new(Limits {
        retention_interval: Some(Duration::from_secs(3600)),
        ..limits()
    });
    let mut options = options(&held);
    retaining(&mut options);
    let mut site = Site {
        root: files.open(&options).unwrap(),
        files,
        now: 1,
        directory: held,
    };
    // Opening a root triggers a pass.
    site.write("probe", "x");
    site.write("assets/a.js", "a");
    assert_eq!(site.text("/assets/a.js"), "a");
    let until = Instant::now() + Duration::from_secs(10);
    while !kept(&site).join("assets/a.js").exists() {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
    fs::remove_file(site.path("assets/a.js")).unwrap();
    site.later();
    assert_eq!(site.text("/assets/a.js"), "a");
}

#[test]
fn passes_run_periodically() {
    let held = directory();
    let files = Files::new(Limits {
        retention_interval: Some(Duration::from_millis(10)),
        ..limits()
    });
    let mut options = options(&held);
    retaining(&mut options);
    let _root = files.open(&options).unwrap();
    fs::create_dir(held.path().join("dist/assets")).unwrap();
    fs::write(held.path().join("dist/assets/late.js"), "late").unwrap();
    let kept = held.path().join("dist.retained/files/assets/late.js");
    let until = Instant::now() + Duration::from_secs(10);
    while !kept.exists() {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}

/// Files that do not match are not served from the store, whoever put them
/// there; nor are links.
#[test]
fn the_store_serves_nothing_else() {
    let site = Site::new(retaining);
    site.write("assets/a.js", "a");
    site.root.0.retain(unix_now());
    fs::write(kept(&site).join("private"), "private").unwrap();
    fs::write(kept(&site).join("assets/planted.js"), "planted").unwrap();
    symlink("../../../secret", kept(&site).join("assets/link.js")).unwrap();
    for path in [
        "/private",
        "/assets/planted.js",
        "/assets/link.js",
        "/assets/",
        "/README",
        "/gone",
    ] {
        assert!(site.is_missing(path), "{path}");
    }
    let again = Site::over(Arc::clone(&site.directory), retaining);
    for path in ["/private", "/assets/link.js"] {
        assert!(again.is_missing(path), "{path}");
    }
}

#[test]
fn links_are_kept_by_the_rules_for_links() {
    let mut site = Site::new(retaining);
    site.write("pool/a.js", "a");
    fs::create_dir(site.path("assets")).unwrap();
    symlink("../pool/a.js", site.path("assets/a.js")).unwrap();
    symlink("../../secret", site.path("assets/secret.js")).unwrap();
    symlink("..", site.path("assets/up")).unwrap();
    site.root.0.retain(unix_now());
    assert_eq!(retention(&site).kept(), 1);
    fs::remove_dir_all(site.path("assets")).unwrap();
    site.later();
    assert_eq!(site.text("/assets/a.js"), "a");
    assert!(site.is_missing("/assets/secret.js"));
}

#[test]
fn retained_files_do_not_hide_a_denied_or_replaced_file() {
    let mut site = Site::new(retaining);
    site.write("assets/a", "a");
    site.root.0.retain(unix_now());
    fs::remove_file(site.path("assets/a")).unwrap();
    site.write("assets/a/index.html", "now a directory");
    site.later();
    assert!(matches!(site.find("/assets/a"), Lookup::Redirect));
    assert_eq!(site.text("/assets/a/"), "now a directory");
}

#[test]
fn each_retention_error_is_reported() {
    let held = directory();
    let files = Files::new(limits());
    let open = |globs: &[&str], store: Option<&str>| {
        let mut options = options(&held);
        options.retain = Some(Retain {
            period: Duration::from_secs(60),
            files: globs.iter().map(|&glob| glob.to_owned()).collect(),
            store: store.map(|store| held.path().join(store)),
        });
        files.open(&options)
    };
    assert!(matches!(open(&[], None), Err(OpenError::NothingToRetain)));
    let error = open(&["a["], None).unwrap_err();
    assert!(matches!(error, OpenError::Glob { .. }), "{error}");
    for store in ["dist/kept", "dist", "", "dist/a/b/c"] {
        let error = open(&["**"], Some(store)).unwrap_err();
        assert!(
            matches!(error, OpenError::StoreInRoot { .. }),
            "{store}: {error}"
        );
    }
    assert!(!held.path().join("dist/a").exists());
    let error = open(&["**"], Some("distant")).unwrap_err();
    assert!(matches!(error, OpenError::StoreTaken(_)), "{error}");
    let error = open(&["**"], Some("secret")).unwrap_err();
    assert!(error.to_string().contains("set `retain_in`"), "{error}");
    open(&["**"], Some("fresh/deep")).unwrap();
    open(&["**"], Some("fresh/deep")).unwrap();
}
