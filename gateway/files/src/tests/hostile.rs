//! Attempts to read files outside of the root.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::fixture::{SECRET, Site, directory};
use crate::directory::{Directory, Object, OpenFailure};
use crate::{Lookup, Symlinks};

fn with_links(symlinks: Symlinks) -> Site {
    let site = Site::new(|options| options.symlinks = symlinks);
    site.write("a/inside", "inside");
    let outside = site.directory.path();
    for (link, target) in [
        ("relative", "../secret".into()),
        ("absolute", outside.join("secret")),
        ("up", "..".into()),
        ("a/deep", "../../secret".into()),
        ("a/sideways", "../../distant".into()),
        ("proc", "/proc/self/root".into()),
        ("cwd", "/proc/self/cwd".into()),
        ("fd", "/proc/self/fd/0".into()),
        ("loop", "loop".into()),
        ("dangling", "nowhere".into()),
        // These stay below the root.
        ("within", "a/inside".into()),
        ("a/back", "../a/inside".into()),
        ("folder", "a".into()),
        // Leaves the root and returns to it.
        ("around", "../dist/a/inside".into()),
        ("absolutely", site.path("a/inside")),
    ] as [(&str, std::path::PathBuf); 15]
    {
        symlink(target, site.path(link)).unwrap();
    }
    site
}

/// No spelling of a path leaves the root, whatever the rule for links.
#[test]
fn no_path_climbs() {
    for symlinks in [Symlinks::Inside, Symlinks::Refuse, Symlinks::Follow] {
        for hidden in [false, true] {
            let site = Site::new(|options| {
                options.symlinks = symlinks;
                options.hidden = hidden;
                options.listing = true;
            });
            site.write("a/b", "b");
            let absolute = site.directory.path().join("secret");
            let absolute = absolute.display().to_string();
            for path in [
                "/../secret",
                "/a/../../secret",
                "/a/b/../../../secret",
                "/..",
                "/../",
                "/a/../..",
                "/./../secret",
                "//secret",
                "//../secret",
                "/%2e%2e/secret",
                "/%2e%2e%2fsecret",
                "/%2E%2E%2Fsecret",
                "/..%2fsecret",
                "/..%2Fsecret",
                "/..%5csecret",
                "/..%5Csecret",
                "/..\\secret",
                "/a\\..\\..\\secret",
                "/a%5c..%5c..%5csecret",
                "/%252e%252e/secret",
                "/%252e%252e%252fsecret",
                "/..%252fsecret",
                "/..%c0%afsecret",
                "/%c0%ae%c0%ae/secret",
                "/%c0%ae%c0%ae%c0%afsecret",
                "/%e0%80%ae%e0%80%ae/secret",
                "/%uff0e%uff0e/secret",
                "/..;/secret",
                "/.;/../secret",
                "/..%00/secret",
                "/..%00/../secret",
                "/a%00/../../secret",
                "/../secret%00.css",
                "/a/b/",
                "/a/b/c",
                "/a/b/..",
                "/a/b/.",
                "/%2fetc%2fpasswd",
                "/file:///etc/passwd",
                "/~root/secret",
                "/../distant/secret",
                "/.../secret",
                "/....//secret",
                "/%",
                "/%2",
                "/%2e%2",
                "",
                "secret",
                "../secret",
                "\0",
                &format!("/{absolute}"),
                &absolute,
                &format!("/{}", absolute.replace('/', "%2F")),
                &format!("/{}secret", "../".repeat(50)),
                &format!("/{}secret", "a/../".repeat(900)),
                &format!("/{}", "a".repeat(300)),
                &format!("/{}", "a/".repeat(3000)),
            ] {
                let found = site.find(path);
                assert!(matches!(found, Lookup::Missing), "{path}: {found:?}");
            }
            assert_eq!(site.text("/a/b"), "b");
        }
    }
}

#[test]
fn links_inside() {
    let site = with_links(Symlinks::Inside);
    for path in ["/within", "/a/back", "/folder/inside"] {
        assert_eq!(site.text(path), "inside", "{path}");
    }
    assert!(matches!(site.find("/folder"), Lookup::Redirect));
    for path in [
        "/relative",
        "/absolute",
        "/up",
        "/up/",
        "/up/secret",
        "/up/dist/a/inside",
        "/a/deep",
        "/a/sideways/secret",
        "/a/sideways/",
        "/proc/etc/passwd",
        "/proc/",
        "/cwd/Cargo.toml",
        "/fd",
        "/loop",
        "/loop/",
        "/dangling",
        "/around",
        "/absolutely",
    ] {
        let found = site.find(path);
        assert!(matches!(found, Lookup::Missing), "{path}: {found:?}");
    }
}

#[test]
fn links_refused() {
    let site = with_links(Symlinks::Refuse);
    assert_eq!(site.text("/a/inside"), "inside");
    for path in [
        "/within",
        "/a/back",
        "/folder/inside",
        "/folder",
        "/folder/",
        "/up/",
        "/relative",
    ] {
        assert!(site.is_missing(path), "{path}");
    }
}

#[test]
fn links_followed_by_choice() {
    let site = with_links(Symlinks::Follow);
    for path in ["/relative", "/absolute", "/a/deep", "/a/sideways/secret"] {
        assert_eq!(site.text(path), SECRET, "{path}");
    }
    assert_eq!(site.text("/around"), "inside");
    assert!(site.is_missing("/loop"));
}

/// Indexes, siblings and listings obey the rule for links too.
#[test]
fn links_beside_and_below() {
    let site = Site::new(|options| {
        options.listing = true;
        options.precompressed = vec![janua_http::accept_encoding::Coding::Gzip];
    });
    site.write("a/x", "x");
    site.write("page.js", "plain");
    symlink("../../secret", site.path("a/index.html")).unwrap();
    symlink("../secret", site.path("page.js.gz")).unwrap();
    let Lookup::Listing(page) = site.find("/a/") else {
        panic!("no listing");
    };
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(
        page.contains("./x") && !page.contains("index.html"),
        "{page}"
    );
    let Lookup::File(opened) = site.find_for("/page.js", "gzip") else {
        panic!("no file");
    };
    assert_eq!(opened.content().unwrap(), "plain");
}

#[test]
fn dot_files() {
    let site = Site::new(|_| {});
    site.write(".env", SECRET);
    site.write(".git/config", SECRET);
    site.write("a/.htpasswd", SECRET);
    site.write(".well-known/security.txt", "contact");
    site.write(".well-known/.hidden", SECRET);
    site.write("a/.well-known/x", SECRET);
    for path in [
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/.git/",
        "/.git",
        "/a/.htpasswd",
        "/.well-known/.hidden",
        "/a/.well-known/x",
    ] {
        assert!(site.is_missing(path), "{path}");
    }
    assert_eq!(site.text("/.well-known/security.txt"), "contact");
    let site = Site::over(Arc::clone(&site.directory), |options| options.hidden = true);
    assert_eq!(site.text("/.env"), SECRET);
}

#[test]
fn special_files_are_missing_and_do_not_block() {
    let site = Site::new(|_| {});
    let status = std::process::Command::new("mkfifo")
        .arg(site.path("pipe"))
        .status()
        .unwrap();
    assert!(status.success());
    let _socket = UnixListener::bind(site.path("socket")).unwrap();
    // Opening a pipe without a writer would block forever.
    for path in ["/pipe", "/socket", "/pipe/", "/socket/"] {
        assert!(site.is_missing(path), "{path}");
    }
    let site = Site::over(Arc::clone(&site.directory), |options| {
        options.symlinks = Symlinks::Follow;
    });
    symlink("/dev/null", site.path("device")).unwrap();
    assert!(site.is_missing("/device"));
}

/// A symbolic link is switched continually between a target inside and one
/// outside.
#[test]
fn a_race_never_leads_out() {
    let site = Site::new(|_| {});
    site.write("real/secret", "harmless");
    symlink("real", site.path("link")).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let switching = {
        let (is_over, link, other) = (Arc::clone(&is_over), site.path("link"), site.path("other"));
        std::thread::spawn(move || {
            let mut switched = 0;
            while !is_over.load(Ordering::Relaxed) {
                for target in ["../distant", "real"] {
                    symlink(target, &other).unwrap();
                    fs::rename(&other, &link).unwrap();
                }
                // The same with a directory that is moved.
                let moved = link.with_file_name("moved");
                fs::rename(link.with_file_name("real"), &moved).unwrap();
                fs::rename(&moved, link.with_file_name("real")).unwrap();
                switched += 1;
            }
            switched
        })
    };
    let directory = Directory::open(&site.path(""), Symlinks::Inside).unwrap();
    let walking = Directory::open_walking(&site.path("")).unwrap();
    let (mut served, mut refused) = (0, 0);
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until || served == 0 || refused == 0 {
        for directory in [&directory, &walking] {
            match directory.find(b"link/secret") {
                Ok(Object::File(file, _)) => {
                    let text = std::io::read_to_string(file).unwrap();
                    assert_eq!(text, "harmless");
                    served += 1;
                }
                Ok(Object::Directory(_)) => panic!("no directory has this name"),
                Err(_) => refused += 1,
            }
        }
        assert!(
            Instant::now() < until + Duration::from_secs(20),
            "{served} {refused}"
        );
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(switching.join().unwrap() > 10);
}

/// As on a kernel without `openat2`.
#[test]
fn walking_follows_nothing() {
    let held = directory();
    let root = held.path().join("dist");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/b/c"), "c").unwrap();
    symlink("a", root.join("link")).unwrap();
    symlink("../secret", root.join("out")).unwrap();
    symlink("c", root.join("a/b/last")).unwrap();
    let walking = Directory::open_walking(&root).unwrap();
    assert!(matches!(walking.find(b"a/b/c"), Ok(Object::File(..))));
    assert!(matches!(walking.find(b"a/b"), Ok(Object::Directory(_))));
    assert!(matches!(walking.find(b""), Ok(Object::Directory(_))));
    for path in ["link/b/c", "out", "a/b/last", "a/b/c/d", "none", "link"] {
        assert!(
            matches!(walking.find(path.as_bytes()), Err(OpenFailure::Missing)),
            "{path}"
        );
    }
}
