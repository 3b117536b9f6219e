//! Files: methods other than `GET`, and unreadable files.

use std::os::unix::fs::PermissionsExt as _;

use janua_tests::{Framing, Request};

use crate::files::{Disk, values};

const ROUTE: &str = "files = \"{root}\"";

#[tokio::test]
async fn head_says_what_get_says() {
    let disk = Disk::with(&[("a.txt", "some text"), ("empty.txt", ""), ("d/x", "x")]);
    let gateway = disk
        .serve("files = { root = \"{root}\", listing = true }")
        .await;
    let names = [
        "content-type",
        "content-length",
        "etag",
        "last-modified",
        "accept-ranges",
        "location",
    ];
    for target in ["/a.txt", "/empty.txt", "/d", "/d/", "/none"] {
        let mut wire = gateway.connect().await;
        let get = wire.exchange(&Request::get(target)).await;
        let head = wire.exchange(&Request::new("HEAD", target)).await;
        assert_eq!(
            (head.status, head.framing),
            (get.status, Framing::None),
            "{target}"
        );
        let length = get.body.len().to_string();
        assert_eq!(
            get.header("content-length"),
            Some(length.as_str()),
            "{target}"
        );
        // A 404 contains the request's id, which differs.
        if get.status != 404 {
            assert_eq!(values(&head, names), values(&get, names), "{target}");
        }
    }
    let file = gateway.get("/a.txt").await;
    assert_eq!(file.header("accept-ranges"), Some("bytes"));
    assert!(file.header("last-modified").unwrap().ends_with(" GMT"));
    assert!(file.header("etag").unwrap().starts_with('"'));
}

#[tokio::test]
async fn other_methods_are_405_and_the_connection_goes_on() {
    let disk = Disk::with(&[("a.txt", "here")]);
    let gateway = disk.serve(ROUTE).await;
    let mut wire = gateway.connect().await;
    for request in [
        Request::new("DELETE", "/a.txt"),
        Request::new("OPTIONS", "/a.txt"),
        Request::post("/a.txt", "x".repeat(3000)),
        Request::new("PUT", "/a.txt").chunked(&[b"one", b"GET / HTTP/1.1"], &[]),
        Request::post("/none.txt", "not even there"),
        Request::new("PROPFIND", "/"),
    ] {
        let response = wire.exchange(&request).await;
        assert_eq!(response.status, 405, "{request:?}");
        assert_eq!(response.header("allow"), Some("GET, HEAD"), "{request:?}");
        if response.header("connection") == Some("close") {
            // The connection may be closed if the end of the body was not
            // certain.
            assert!(request.to_bytes().windows(7).any(|part| part == b"chunked"));
            assert!(wire.is_closed().await);
            wire = gateway.connect().await;
        }
        let after = wire.exchange(&Request::get("/a.txt")).await;
        assert_eq!((after.status, after.text()), (200, "here"), "{request:?}");
    }
}

#[tokio::test]
async fn an_unreadable_file_is_403() {
    let disk = Disk::with(&[("private.txt", "private")]);
    let none = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(disk.below("private.txt"), none).unwrap();
    // A superuser can read such files, but not this file, which the kernel
    // refuses to open.
    let sys = "/sys/bus/clockevents";
    let (root, target) = match std::fs::read(disk.below("private.txt")) {
        Err(_) => ("{root}", "/private.txt"),
        Ok(_) if std::fs::read(format!("{sys}/drivers_probe")).is_err() => (sys, "/drivers_probe"),
        Ok(_) => return,
    };
    let gateway = disk.serve(&format!("files = \"{root}\"")).await;
    let response = gateway.get(target).await;
    assert_eq!(response.status, 403);
    assert!(!response.text().contains("private"));
    let line = gateway.log_line(target).await;
    assert_eq!(line["status"], 403);
}
