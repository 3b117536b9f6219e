//! Files: nothing outside the root is served, and nothing blocks.

use std::os::unix::fs::symlink;
use std::time::Duration;

use janua_tests::{Gateway, ReadError, Settings, Wire, is_over_http2};

use crate::files::{Disk, SECRET};

/// Sends a request with these bytes as its target. Returns the status, none if
/// the connection was closed without one, and all bytes received.
async fn ask(gateway: &Gateway, target: &[u8]) -> (Option<u16>, Vec<u8>) {
    let mut wire: Wire = gateway.connect().await;
    wire.set_patience(Duration::from_secs(5));
    let request = [
        b"GET ",
        target,
        b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ];
    let _ = wire.try_send(request.concat()).await;
    let all = match wire.take_rest().await {
        Ok(all) => all,
        Err(ReadError::TimedOut) => panic!("{:?} hangs", String::from_utf8_lossy(target)),
        Err(_) => Vec::new(),
    };
    let status = all
        .get(9..12)
        .and_then(|status| std::str::from_utf8(status).ok());
    (status.and_then(|status| status.parse().ok()), all)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn disk() -> Disk {
    let disk = Disk::with(&[
        ("in.txt", "inside"),
        ("sub/deep/in.txt", "deep inside"),
        (".env", SECRET),
        (".git/config", SECRET),
        ("sub/.htpasswd", SECRET),
        (".well-known/security.txt", "well known"),
        (".well-known/.hidden", SECRET),
        // Names that would change if they were decoded twice.
        ("%2e%2e", "an odd name"),
    ]);
    symlink(disk.path("secret.txt"), disk.below("absolute.txt")).unwrap();
    symlink("../secret.txt", disk.below("relative.txt")).unwrap();
    symlink("..", disk.below("up")).unwrap();
    symlink("/", disk.below("sub/all")).unwrap();
    symlink("../in.txt", disk.below("sub/link.txt")).unwrap();
    symlink("sub", disk.below("other")).unwrap();
    symlink("loop", disk.below("loop")).unwrap();
    disk
}

#[tokio::test]
async fn no_path_leads_out_of_the_root() {
    // A target with a space, which no client of HTTP/2 sends: see `http2_heads`.
    if is_over_http2() {
        return;
    }
    let disk = disk();
    let strict = disk.config("", "files = \"{root}\"");
    let lenient = strict.replace("hosts = ", "hidden_dots = \"keep\"\nhosts = ");
    let gateways = [Gateway::start(strict).await, Gateway::start(lenient).await];
    let climbing: &[&[u8]] = &[
        b"/../secret.txt",
        b"/sub/../../secret.txt",
        b"/sub/deep/../../../secret.txt",
        b"/./../secret.txt",
        b"/%2e%2e/secret.txt",
        b"/%2E%2E/secret.txt",
        b"/.%2e/secret.txt",
        b"/%2e./secret.txt",
        b"/%2e%2e%2fsecret.txt",
        b"/..%2fsecret.txt",
        b"/..%2Fsecret.txt",
        b"/sub%2f..%2f..%2fsecret.txt",
        b"/%2fetc%2fpasswd",
        b"/%2Fetc/passwd",
        b"//etc/passwd",
        b"/%252e%252e/secret.txt",
        b"/%252e%252e%252fsecret.txt",
        b"/..%252fsecret.txt",
        b"/%25252e%25252e%25252fsecret.txt",
        b"/..\\secret.txt",
        b"/..%5csecret.txt",
        b"/..%5Csecret.txt",
        b"/sub\\..\\..\\secret.txt",
        b"/%2e%2e%5csecret.txt",
        // Overlong encodings and other forms of UTF-8 and UTF-16.
        b"/%c0%ae%c0%ae/secret.txt",
        b"/%c0%ae%c0%ae%c0%afsecret.txt",
        b"/..%c0%afsecret.txt",
        b"/..%c1%9csecret.txt",
        b"/%e0%80%ae%e0%80%ae/secret.txt",
        b"/%u002e%u002e/secret.txt",
        b"/\xc0\xae\xc0\xae/secret.txt",
        b"/\xef\xbc\x8e\xef\xbc\x8e/secret.txt",
        b"/..;/secret.txt",
        b"/..;a=b/secret.txt",
        b"/.../secret.txt",
        b"/....//secret.txt",
        b"/..../secret.txt",
        b"/..%00/secret.txt",
        b"/../secret.txt%00",
        b"/../secret.txt%00.html",
        b"/%00/../../secret.txt",
        b"/..\0/secret.txt",
        b"/..%0d%0a/secret.txt",
        b"/..%09/secret.txt",
        b"/ ../secret.txt",
        b"../secret.txt",
        b"secret.txt",
        b"file:///etc/passwd",
        b"http://a/../secret.txt",
        b"http://a/%2e%2e/secret.txt",
        b"http://a/..%2fsecret.txt",
        b"http://a//../secret.txt",
        b"/sub//..//..//secret.txt",
        b"/sub/./.././../secret.txt",
        b"/../root/in.txt",
        b"/in.txt/../../secret.txt",
        b"/absolute.txt",
        b"/relative.txt",
        b"/up/secret.txt",
        b"/up/",
        b"/up",
        b"/sub/all/etc/passwd",
        b"/loop",
        b"/loop/x",
        b"/.env",
        b"/%2eenv",
        b"/.git/config",
        b"/sub/.htpasswd",
        b"/.well-known/.hidden",
        b"/sub/../.env",
    ];
    for (gateway, target) in gateways
        .iter()
        .flat_map(|gateway| climbing.iter().map(move |target| (gateway, target)))
    {
        let (status, all) = ask(gateway, target).await;
        let shown = String::from_utf8_lossy(target);
        assert!(
            !holds(&all, SECRET) && !holds(&all, "root:"),
            "{shown} leads out"
        );
        assert!(
            matches!(status, Some(400 | 403 | 404 | 505)),
            "{shown}: {status:?}"
        );
    }
    // A name longer than any file's, and more segments than a path can have.
    for target in [
        format!("/{}", "a".repeat(300)),
        "/a".repeat(3000),
        "/..".repeat(2000),
    ] {
        let (status, _) = ask(&gateways[0], target.as_bytes()).await;
        assert!(matches!(status, Some(400 | 404 | 431)), "{status:?}");
    }
}

/// Unusual paths that stay inside are served.
#[tokio::test]
async fn what_stays_inside_is_served() {
    let disk = disk();
    let gateway = disk.serve("files = \"{root}\"").await;
    let inside: &[(&[u8], &str)] = &[
        (b"//in.txt", "inside"),
        (b"/./in.txt", "inside"),
        (b"/sub/../in.txt", "inside"),
        (b"/%69n.txt", "inside"),
        (b"/sub/%2e%2e/in.txt", "inside"),
        (b"http://a/in.txt", "inside"),
        (b"/sub/link.txt", "inside"),
        (b"/other/deep/in.txt", "deep inside"),
        (b"/.well-known/security.txt", "well known"),
        (b"/%2ewell-known/security.txt", "well known"),
        (b"/%252e%252e", "an odd name"),
    ];
    for (target, body) in inside {
        let (status, all) = ask(&gateway, target).await;
        let shown = String::from_utf8_lossy(target);
        assert_eq!(status, Some(200), "{shown}");
        assert!(holds(&all, body), "{shown}");
    }
}

#[tokio::test]
async fn links_and_hidden_names_by_choice() {
    let disk = disk();
    for (options, target, status) in [
        ("symlinks = \"refuse\"", "/sub/link.txt", 404),
        ("symlinks = \"refuse\"", "/other/deep/in.txt", 404),
        ("symlinks = \"refuse\"", "/in.txt", 200),
        ("symlinks = \"inside\"", "/relative.txt", 404),
        ("symlinks = \"follow\"", "/relative.txt", 200),
        ("symlinks = \"follow\"", "/up/secret.txt", 200),
        // Links are followed, but a path still cannot leave the root.
        ("symlinks = \"follow\"", "/..%2fsecret.txt", 400),
        ("hidden = false", "/.env", 404),
        ("hidden = true", "/.env", 200),
        ("hidden = true", "/.git/config", 200),
        ("hidden = true", "/..%2f.env", 400),
    ] {
        let gateway = disk
            .serve(&format!("files = {{ root = \"{{root}}\", {options} }}"))
            .await;
        let (got, all) = ask(&gateway, target.as_bytes()).await;
        assert_eq!(got, Some(status), "{options} {target}");
        assert!(status == 200 || !holds(&all, SECRET), "{options} {target}");
    }
}

/// The root itself may be a link, which is how deploys switch releases.
#[tokio::test]
async fn the_root_may_be_a_link() {
    let disk = disk();
    symlink(disk.path("root"), disk.path("current")).unwrap();
    let current = disk.path("current");
    let gateway = disk
        .serve(&format!("files = \"{}\"", current.display()))
        .await;
    assert_eq!(gateway.get("/in.txt").await.text(), "inside");
    assert_eq!(gateway.get("/relative.txt").await.status, 404);
}

/// Opening a pipe would wait for a writer: it is not a regular file, and is not
/// opened so.
#[tokio::test]
async fn special_files_are_missing_at_once() {
    let disk = disk();
    let fifo = std::process::Command::new("mkfifo")
        .arg(disk.below("fifo.txt"))
        .status();
    assert!(fifo.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(disk.below("socket.txt")).unwrap();
    let gateway = disk
        .serve_with(
            Settings::new().workers(1),
            "",
            "files = { root = \"{root}\", listing = true }",
        )
        .await;
    for _ in 0..40 {
        for target in ["/fifo.txt", "/socket.txt"] {
            let (status, _) = ask(&gateway, target.as_bytes()).await;
            assert_eq!(status, Some(404), "{target}");
        }
    }
    assert_eq!(gateway.get("/in.txt").await.status, 200);
}
