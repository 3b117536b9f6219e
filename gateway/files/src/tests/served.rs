//! The result of looking up a path.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use janua_http::accept_encoding::{Accepted, Coding};

use super::fixture::{Site, age, block_on, directory, limits, options};
use crate::{Body, Files, Limits, Lookup, OpenError, Symlinks, Variant};

#[test]
fn a_file_and_its_head() {
    let site = Site::new(|_| {});
    site.write("a b/caf\u{e9}.html", "<p>hello");
    age(&site.path("a b/caf\u{e9}.html"), 3600);
    let opened = site.open("/a%20b/caf%C3%A9.html");
    assert!(matches!(&opened.body, Body::Memory(content) if content == "<p>hello"));
    assert_eq!(opened.length, 8);
    assert_eq!(opened.content_type, "text/html; charset=utf-8");
    assert!(opened.last_modified.ends_with(b" GMT"));
    assert!(opened.modified > 1_600_000_000);
    assert!(opened.etag.starts_with(b"\"") && opened.etag.ends_with(b"-8\""));
    assert!(!opened.varies && !opened.retained && opened.coding.is_none());
    site.write("empty.txt", "");
    assert_eq!(site.open("/empty.txt").length, 0);
}

#[test]
fn a_large_file_stays_on_disk() {
    let site = Site::new(|_| {});
    let content = vec![7; 200_000];
    site.write("large.bin", &content);
    let young = site.open("/large.bin");
    assert!(matches!(young.body, Body::File(_)));
    assert_eq!(young.content().unwrap(), content);
    assert!(young.etag.starts_with(b"W/\""), "{:?}", young.etag);
    site.write("old.bin", &content);
    age(&site.path("old.bin"), 3600);
    let old = site.open("/old.bin");
    assert!(
        old.etag.starts_with(b"\"") && old.etag.ends_with(b"-30d40\""),
        "{:?}",
        old.etag
    );
}

/// A build may give all files the same modification time.
#[test]
fn a_tag_tells_contents_of_one_time_and_length_apart() {
    let mut site = Site::new(|_| {});
    site.write("index.html", "main-1.js");
    age(&site.path("index.html"), 86_400);
    let time = fs::metadata(site.path("index.html"))
        .unwrap()
        .modified()
        .unwrap();
    let one = site.open("/");
    site.write("index.html", "main-2.js");
    fs::File::open(site.path("index.html"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    site.later();
    let other = site.open("/");
    assert_eq!((one.modified, one.length), (other.modified, other.length));
    assert_eq!(other.content().unwrap(), "main-2.js");
    assert_ne!(one.etag, other.etag);
}

#[test]
fn directories() {
    let site = Site::new(|options| options.index = vec!["index.htm".into(), "index.html".into()]);
    site.write("index.html", "root");
    site.write("docs/index.html", "html");
    site.write("docs/index.htm", "htm");
    site.write("empty/x", "x");
    fs::create_dir(site.path("empty/index.html")).unwrap();
    assert_eq!(site.text("/"), "root");
    assert_eq!(site.text("/docs/"), "htm");
    assert!(matches!(site.find("/docs"), Lookup::Redirect));
    assert!(site.is_missing("/empty/"));
    assert!(site.is_missing("/index.html/"));
    assert!(site.is_missing("/none/"));
    assert!(site.is_missing("/none"));
}

#[test]
fn what_may_not_be_read_is_denied() {
    // On a thread without superuser rights, which the threads it starts
    // inherit.
    let checked = std::thread::spawn(|| {
        let site = Site::new(|_| {});
        site.write("private", "x");
        site.write("closed/a", "x");
        site.write("unlisted/index.html", "index");
        let modes = [
            ("private", 0o000),
            ("closed", 0o600),
            ("unlisted", 0o311),
            ("", 0o755),
            ("..", 0o755),
        ];
        for (path, mode) in modes {
            fs::set_permissions(site.path(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        if rustix::process::geteuid().is_root() {
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65_534)).unwrap();
        }
        assert!(matches!(site.find("/closed"), Lookup::Redirect));
        for path in ["/private", "/closed/", "/closed/a", "/closed/b"] {
            assert!(matches!(site.find(path), Lookup::Denied), "{path}");
        }
        // A directory that cannot be listed may contain files that can be read.
        assert!(matches!(site.find("/unlisted"), Lookup::Redirect));
        assert_eq!(site.text("/unlisted/"), "index");
        assert!(site.is_missing("/unlisted/other"));
        site
    });
    // Removed by the user who created them.
    drop(checked.join().unwrap());
}

#[test]
fn siblings() {
    let site = Site::new(|options| {
        options.precompressed = vec![Coding::Brotli, Coding::Zstd, Coding::Gzip];
    });
    site.write("app.js", "plain");
    site.write("app.js.br", "b");
    site.write("app.js.gz", "gz");
    site.write("index.html", "index");
    site.write("index.html.gz", "gz");
    site.write("alone.js.gz", "gz");
    site.write("old.js", "edited");
    site.write("old.js.gz", "before");
    age(&site.path("old.js.gz"), 60);
    fs::create_dir(site.path("index.html.br")).unwrap();
    for (path, accepts, content, coding) in [
        ("/app.js", "", "plain", None),
        ("/app.js", "gzip, br, zstd", "b", Some(Coding::Brotli)),
        ("/app.js", "gzip, br;q=0.5", "gz", Some(Coding::Gzip)),
        ("/app.js", "zstd, gzip;q=0.1", "gz", Some(Coding::Gzip)),
        ("/app.js", "zstd", "plain", None),
        ("/app.js", "br;q=0, gzip;q=0", "plain", None),
        ("/", "br, gzip", "gz", Some(Coding::Gzip)),
        ("/old.js", "gzip", "edited", None),
    ] {
        let Lookup::File(opened) = site.find_for(path, accepts) else {
            panic!("{path}");
        };
        assert_eq!(opened.content().unwrap(), content, "{path} {accepts}");
        assert_eq!(opened.coding, coding, "{path} {accepts}");
        assert!(opened.varies);
        let kind: &[u8] = if path == "/" {
            b"text/html"
        } else {
            b"text/javascript"
        };
        assert!(opened.content_type.starts_with(kind), "{path}");
    }
    assert!(matches!(
        site.find_for("/alone.js", "gzip"),
        Lookup::Missing
    ));
}

#[test]
fn listing() {
    let site = Site::new(|options| options.listing = true);
    site.write("files/<b>&\".txt", "x");
    site.write("files/z/x", "x");
    site.write("files/a.txt", vec![b'x'; 2048]);
    site.write("files/.hidden", "x");
    site.write("files/javascript:alert(1)", "x");
    fs::write(
        site.path("files")
            .join(std::ffi::OsStr::from_bytes(b"\xff\n")),
        "x",
    )
    .unwrap();
    let Lookup::Listing(page) = site.find("/files/") else {
        panic!("no listing");
    };
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(
        page.contains("href=\"./%3Cb%3E%26%22.txt\">&lt;b&gt;&amp;&quot;.txt</a>"),
        "{page}"
    );
    assert!(
        page.contains("href=\"./javascript%3Aalert%281%29\""),
        "{page}"
    );
    assert!(page.contains("href=\"./%FF%0A\""), "{page}");
    assert!(page.contains("2.0 KiB"), "{page}");
    assert!(
        !page.contains("hidden") && !page.contains("<script"),
        "{page}"
    );
    let (z, a) = (page.find("./z/").unwrap(), page.find("./a.txt").unwrap());
    assert!(z < a, "directories first");
    // The file that the listing links to is served.
    assert_eq!(site.text("/files/%3Cb%3E%26%22.txt"), "x");
    assert_eq!(site.text(b"/files/%FF%0A"), "x");
    let Lookup::Listing(top) = site.find("/") else {
        panic!("no listing");
    };
    assert!(!top.windows(3).any(|bytes| bytes == b"../"));
}

#[test]
fn hits_answer_without_the_pool() {
    let site = Site::new(|_| {});
    site.write("a", "a");
    let accepted = Accepted::IDENTITY;
    let now = |path: &str, at| {
        site.files
            .find_now(&site.root, path.as_bytes(), &accepted, at)
    };
    assert!(now("/a", 1).is_none());
    site.text("/a");
    assert!(site.is_missing("/none"));
    assert!(matches!(now("/a", 1), Some(Lookup::File(_))));
    assert!(matches!(now("/none", 1), Some(Lookup::Missing)));
    assert!(matches!(now("/a", 1000), Some(Lookup::File(_))));
    assert!(now("/a", 1001).is_none());
    // A refused path takes no place in the cache.
    let held = site.files.entries();
    assert!(site.is_missing("/../a"));
    assert_eq!(site.files.entries(), held);
}

#[test]
fn the_cache_is_bounded() {
    let held = directory();
    let files = Files::new(Limits {
        memory: 4 << 20,
        open_files: 64,
        ..limits()
    });
    let root = files.open(&options(&held)).unwrap();
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    for number in 0..400 {
        let large = held.path().join(format!("dist/large-{number}"));
        fs::File::create(large).unwrap().set_len(100_000).unwrap();
        let path = format!("/large-{number}");
        block_on(files.find(&root, path.as_bytes(), &Accepted::IDENTITY, 1));
        for missing in 0..20 {
            let path = format!("/none-{number}-{missing}");
            block_on(files.find(&root, path.as_bytes(), &Accepted::IDENTITY, 1));
        }
    }
    assert!(files.weight() <= 4 << 20);
    // Other tests of this process open files too.
    assert!(open() < before + 200, "{before} {}", open());
    drop(root);
    // The last lookup still held it open while it ran.
    let until = Instant::now() + Duration::from_secs(10);
    while files.entries() > 0 {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}

#[test]
fn a_full_queue_is_busy() {
    let held = directory();
    let files = Files::new(Limits {
        threads: 1,
        queue: 1,
        ..limits()
    });
    let root = files.open(&options(&held)).unwrap();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let (started, is_running) = std::sync::mpsc::channel();
    let running = files.pool().run(move || {
        started.send(()).unwrap();
        wait.recv().unwrap();
    });
    is_running.recv().unwrap();
    let queued = files.pool().run(|| ());
    let found = block_on(files.find(&root, b"/a", &Accepted::IDENTITY, 1));
    assert!(matches!(found, Lookup::Busy));
    release.send(()).unwrap();
    block_on(running).unwrap();
    block_on(queued).unwrap();
    let found = block_on(files.find(&root, b"/a", &Accepted::IDENTITY, 1));
    assert!(matches!(found, Lookup::Missing));
}

#[test]
fn variants_are_kept_by_file_and_coding() {
    let site = Site::new(|_| {});
    site.write("a.js", "content");
    let opened = site.open("/a.js");
    assert!(site.files.variant_now(&opened, Coding::Gzip).is_none());
    let small = Bytes::from_static(b"small");
    site.files
        .keep_variant(&opened, Coding::Gzip, Variant::Made(small));
    site.files
        .keep_variant(&opened, Coding::Zstd, Variant::Pointless);
    assert!(matches!(
        site.files.variant_now(&opened, Coding::Gzip),
        Some(Variant::Made(body)) if body == "small"
    ));
    assert!(matches!(
        site.files.variant_now(&opened, Coding::Zstd),
        Some(Variant::Pointless)
    ));
    assert!(site.files.variant_now(&opened, Coding::Brotli).is_none());
}

#[test]
fn each_opening_error_is_reported() {
    let held = directory();
    let files = Files::new(limits());
    let mut none = options(&held);
    none.root = held.path().join("none");
    let error = files.open(&none).unwrap_err();
    assert!(matches!(error, OpenError::Root { .. }));
    assert!(error.to_string().contains("none: No such file"), "{error}");
    let mut file = options(&held);
    file.root = held.path().join("secret");
    assert!(
        files
            .open(&file)
            .unwrap_err()
            .to_string()
            .contains("Not a directory")
    );
    for name in ["", "..", ".", "a/b", "/index.html", "a\\b"] {
        let mut index = options(&held);
        index.index = vec![name.to_owned()];
        assert!(
            matches!(files.open(&index), Err(OpenError::Index(_))),
            "{name}"
        );
    }
    let mut link = options(&held);
    link.symlinks = Symlinks::Refuse;
    link.root = held.path().join("current");
    std::os::unix::fs::symlink("dist", &link.root).unwrap();
    // The root itself may be a link, whatever the rule.
    files.open(&link).unwrap();
}
