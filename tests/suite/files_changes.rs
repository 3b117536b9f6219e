//! Files: how soon changes are visible, and what is retained after a deploy.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use janua_tests::{Gateway, assert_eventually};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::files::Disk;

/// The result of a lookup is valid for at most a second: after this time every
/// earlier result has expired.
const SOON: Duration = Duration::from_secs(5);

/// Waits until a path has this response.
async fn until(gateway: &Gateway, target: &str, status: u16, body: &str) {
    assert_eventually!(
        {
            let response = gateway.get(target).await;
            response.status == status && (status == 404 || response.text() == body)
        },
        "{target} is not {status} {body}"
    );
}

#[tokio::test]
async fn a_change_is_seen_soon() {
    let disk = Disk::with(&[("a.txt", "one")]);
    let gateway = disk.serve("files = \"{root}\"").await;
    let replace = |content: &str| {
        fs::write(disk.path("next"), content).unwrap();
        fs::rename(disk.path("next"), disk.below("a.txt")).unwrap();
    };
    // Requested all the time, so that its cache entry is never evicted.
    let steps: [(&dyn Fn(), u16, &str); 5] = [
        (&|| {}, 200, "one"),
        (&|| replace("two"), 200, "two"),
        (
            &|| fs::write(disk.below("a.txt"), "six").unwrap(),
            200,
            "six",
        ),
        (&|| fs::remove_file(disk.below("a.txt")).unwrap(), 404, ""),
        (&|| replace("ten"), 200, "ten"),
    ];
    let mut tags = Vec::new();
    for (change, status, body) in steps {
        change();
        until(&gateway, "/a.txt", status, body).await;
        tags.push(
            gateway
                .get("/a.txt")
                .await
                .header("etag")
                .map(str::to_owned),
        );
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 5, "each content has a tag of its own: {tags:?}");
}

/// A deploy that replaces the whole directory, by a link or by a rename: there
/// is no moment without files.
#[tokio::test]
async fn a_root_that_is_exchanged() {
    let disk = Disk::with(&[("index.html", "old"), ("gone.txt", "old")]);
    fs::create_dir(disk.path("next")).unwrap();
    fs::write(disk.path("next/index.html"), "new").unwrap();
    symlink("root", disk.path("current")).unwrap();
    let current = disk.path("current").display().to_string();
    let by_name = disk.serve("files = \"{root}\"").await;
    let by_link = disk.serve(&format!("files = \"{current}\"")).await;
    for gateway in [&by_name, &by_link] {
        assert_eq!(gateway.get("/").await.text(), "old");
        assert_eq!(gateway.get("/gone.txt").await.text(), "old");
    }

    let (root, next) = (disk.path("root"), disk.path("next"));
    renameat_with(CWD, &root, CWD, &next, RenameFlags::EXCHANGE).unwrap();
    for gateway in [&by_name, &by_link] {
        assert_eventually!({
            let response = gateway.get("/").await;
            assert_eq!(response.status, 200);
            response.text() == "new"
        });
        until(gateway, "/gone.txt", 404, "").await;
    }

    symlink("next", disk.path("switch")).unwrap();
    fs::rename(disk.path("switch"), disk.path("current")).unwrap();
    until(&by_link, "/", 200, "old").await;
    assert_eq!(by_name.get("/").await.text(), "new");
}

/// A root that is missing for a while does not end the gateway.
#[tokio::test]
async fn a_root_that_goes_and_comes_back() {
    let disk = Disk::with(&[("a.txt", "here")]);
    let gateway = disk.serve("files = \"{root}\"").await;
    assert_eq!(gateway.get("/a.txt").await.status, 200);
    fs::rename(disk.path("root"), disk.path("away")).unwrap();
    until(&gateway, "/a.txt", 404, "").await;
    fs::rename(disk.path("away"), disk.path("root")).unwrap();
    until(&gateway, "/a.txt", 200, "here").await;
}

/// A root that is missing at the start is an error.
#[tokio::test]
async fn a_root_that_was_never_there_is_refused() {
    let disk = Disk::with(&[("a.txt", "here")]);
    let gateway = disk.serve("files = \"{root}\"").await;
    for (files, words) in [
        ("files = \"{root}/none\"", "none"),
        ("files = \"{root}/a.txt\"", "a.txt"),
    ] {
        let refused = gateway.try_reload(disk.config("", files)).await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains(words) && refused.contains("janua.toml"),
            "{refused}"
        );
        assert_eq!(gateway.get("/a.txt").await.text(), "here");
    }
}

#[tokio::test]
async fn what_a_deploy_removed_still_answers_for_a_time() {
    let period = Duration::from_secs(6);
    let disk = Disk::with(&[
        ("index.html", "the index"),
        ("assets/asked-1a2b.js", "asked for"),
        ("assets/never-3c4d.js", "never asked for"),
        ("assets/deep/chunk-5e6f.js", "deep"),
        ("other.js", "not named"),
    ]);
    let gateway = disk
        .serve("files = { root = \"{root}\", retain = \"6s\", retain_files = [\"assets/**\"] }")
        .await;
    assert_eq!(
        gateway.get("/assets/asked-1a2b.js").await.text(),
        "asked for"
    );
    let whole = gateway.get("/other.js").await;
    assert_eq!(whole.status, 200);
    // Written after the start, served once, and removed before any pass.
    disk.write("assets/late-7a8b.js", "late");
    assert_eventually!(gateway.get("/assets/late-7a8b.js").await.status == 200);
    let late = disk.path("root.retained/files/assets/late-7a8b.js");
    assert_eventually!(late.exists());

    let removed = Instant::now();
    fs::remove_dir_all(disk.below("assets")).unwrap();
    fs::remove_file(disk.below("other.js")).unwrap();
    // Once this one is missing, the others would be too if they were not
    // retained.
    until(&gateway, "/other.js", 404, "").await;
    let kept = [
        ("/assets/asked-1a2b.js", "asked for"),
        ("/assets/never-3c4d.js", "never asked for"),
        ("/assets/deep/chunk-5e6f.js", "deep"),
        ("/assets/late-7a8b.js", "late"),
    ];
    for (target, body) in kept {
        let response = gateway.get(target).await;
        assert_eq!((response.status, response.text()), (200, body), "{target}");
        assert_eq!(
            response.header("content-type"),
            Some("text/javascript; charset=utf-8")
        );
    }
    for (target, _) in kept {
        until(&gateway, target, 404, "").await;
    }
    let took = removed.elapsed();
    assert!(took >= period, "{took:?}");
    assert_eq!(gateway.get("/").await.text(), "the index");
}

/// A deploy that replaces the directory: the assets of the old build are in no
/// served directory. The store gives no access to files that were not served.
#[tokio::test]
async fn chunks_outlive_an_exchanged_root() {
    let disk = Disk::with(&[("index.html", "old"), ("assets/old.js", "old chunk")]);
    fs::create_dir_all(disk.path("next/assets")).unwrap();
    fs::write(disk.path("next/index.html"), "new").unwrap();
    fs::write(disk.path("next/assets/new.js"), "new chunk").unwrap();
    let gateway = disk
        .serve("files = { root = \"{root}\", retain = \"1h\", retain_files = [\"assets/*.js\"] }")
        .await;
    assert_eq!(gateway.get("/assets/old.js").await.status, 200);
    let (root, next) = (disk.path("root"), disk.path("next"));
    renameat_with(CWD, &root, CWD, &next, RenameFlags::EXCHANGE).unwrap();
    fs::remove_dir_all(&next).unwrap();
    until(&gateway, "/", 200, "new").await;
    for (target, body) in [
        ("/assets/old.js", "old chunk"),
        ("/assets/new.js", "new chunk"),
    ] {
        let response = gateway.get(target).await;
        assert_eq!((response.status, response.text()), (200, body), "{target}");
    }
    for target in [
        "/../root.retained/assets/old.js",
        "/..%2froot.retained%2fassets%2fold.js",
    ] {
        assert!(
            matches!(gateway.get(target).await.status, 400 | 404),
            "{target}"
        );
    }
}

/// Releases whose root lies behind the link that is switched
/// (`current/public`), with old releases removed.
#[tokio::test]
async fn chunks_outlive_their_release() {
    let disk = Disk::new();
    for number in ["1", "2", "3"] {
        disk.write(&format!("{number}/public/index.html"), number);
        disk.write(&format!("{number}/public/assets/{number}.js"), number);
    }
    let switch = |number: &str| {
        symlink(number, disk.below("next")).unwrap();
        fs::rename(disk.below("next"), disk.below("current")).unwrap();
    };
    switch("1");
    let lines = "files = { root = \"{root}/current/public\", retain = \"1h\", \
                 retain_files = [\"assets/**\"] }";
    let gateway = disk.serve(lines).await;
    for number in ["1", "2", "3"] {
        switch(number);
        until(&gateway, "/", 200, number).await;
        let kept = format!("current.public.retained/files/assets/{number}.js");
        assert_eventually!(disk.below(&kept).exists());
    }
    for number in ["1", "2"] {
        fs::remove_dir_all(disk.below(number)).unwrap();
    }
    tokio::time::sleep(SOON).await;
    let again = disk.serve(lines).await;
    for gateway in [&gateway, &again] {
        for number in ["1", "2", "3"] {
            let response = gateway.get(&format!("/assets/{number}.js")).await;
            assert_eq!((response.status, response.text()), (200, number));
        }
    }
}
