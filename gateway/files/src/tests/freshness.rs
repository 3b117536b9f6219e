//! No response is based on a lookup older than the interval.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags};

use super::fixture::{Site, age, block_on, directory};
use crate::Lookup;

#[test]
fn a_file_overwritten_in_place() {
    let mut site = Site::new(|_| {});
    site.write("index.html", "one");
    assert_eq!(site.text("/"), "one");
    site.write("index.html", "two");
    assert_eq!(site.text("/"), "one", "within the interval");
    site.later();
    assert_eq!(site.text("/"), "two");
}

#[test]
fn files_appear_and_disappear() {
    let mut site = Site::new(|_| {});
    site.write("a", "one");
    assert_eq!(site.text("/a"), "one");
    assert!(site.is_missing("/b"));
    site.write("new", "two");
    fs::rename(site.path("new"), site.path("a")).unwrap();
    site.write("b", "b");
    site.later();
    assert_eq!(site.text("/a"), "two");
    assert_eq!(site.text("/b"), "b");
    fs::remove_file(site.path("a")).unwrap();
    site.later();
    assert!(site.is_missing("/a"));
}

#[test]
fn an_unchanged_file_is_kept() {
    let mut site = Site::new(|_| {});
    site.write("a", "one");
    age(&site.path("a"), 3600);
    // Setting the time is as recent a change as a write.
    std::thread::park_timeout(std::time::Duration::from_millis(3100));
    let one = site.open("/a");
    site.later();
    assert!(Arc::ptr_eq(&one, &site.open("/a")));
}

#[test]
fn a_root_that_is_a_link_is_switched() {
    let held = directory();
    fs::remove_dir(held.path().join("dist")).unwrap();
    for build in ["one", "two"] {
        fs::create_dir(held.path().join(build)).unwrap();
        fs::write(held.path().join(build).join("index.html"), build).unwrap();
    }
    symlink("one", held.path().join("dist")).unwrap();
    let mut site = Site::over(held, |_| {});
    assert_eq!(site.text("/"), "one");
    symlink("two", site.directory.path().join("next")).unwrap();
    fs::rename(
        site.directory.path().join("next"),
        site.path("").parent().unwrap().join("dist"),
    )
    .unwrap();
    assert_eq!(site.text("/"), "one", "within the interval");
    site.later();
    assert_eq!(site.text("/"), "two");
}

#[test]
fn a_root_that_is_exchanged_at_once() {
    let mut site = Site::new(|_| {});
    site.write("index.html", "one");
    site.write("other", "one");
    assert_eq!(site.text("/"), "one");
    assert_eq!(site.text("/other"), "one");
    let next = site.directory.path().join("next");
    fs::create_dir(&next).unwrap();
    fs::write(next.join("index.html"), "two").unwrap();
    let dist = site.directory.path().join("dist");
    rustix::fs::renameat_with(CWD, &next, CWD, &dist, RenameFlags::EXCHANGE).unwrap();
    site.now += 500;
    // A lookup of another path notices the change, and then no older result is
    // used.
    assert!(site.is_missing("/unheard-of"));
    assert_eq!(site.text("/"), "two");
    assert!(site.is_missing("/other"));
}

#[test]
fn a_refresh_does_not_wait_for_the_interval() {
    let site = Site::new(|_| {});
    site.write("index.html", "one");
    assert_eq!(site.text("/"), "one");
    site.write("index.html", "two");
    block_on(site.files.refresh(&site.root)).unwrap();
    assert_eq!(site.text("/"), "two");
    assert_eq!(site.files.entries(), 1);
}

#[test]
fn a_root_that_vanishes_comes_back() {
    let mut site = Site::new(|_| {});
    site.write("a", "one");
    assert_eq!(site.text("/a"), "one");
    fs::rename(site.path(""), site.directory.path().join("away")).unwrap();
    site.later();
    assert!(site.is_missing("/a"));
    fs::create_dir(site.path("")).unwrap();
    site.write("a", "two");
    site.later();
    assert_eq!(site.text("/a"), "two");
}

#[test]
fn concurrent_requests_share_one_lookup() {
    let site = Site::new(|_| {});
    site.write("a", "a");
    let accepted = janua_http::accept_encoding::Accepted::IDENTITY;
    block_on(async {
        let find = || site.files.find(&site.root, b"/a", &accepted, 1);
        let (one, two, three) = tokio::join!(find(), find(), find());
        let (Lookup::File(one), Lookup::File(two), Lookup::File(three)) = (one, two, three) else {
            panic!("not found");
        };
        assert!(Arc::ptr_eq(&one, &two) && Arc::ptr_eq(&two, &three));
    });
}

/// The request that began a lookup may go away.
#[test]
fn a_lookup_continues_when_its_first_request_goes_away() {
    let site = Site::new(|_| {});
    site.write("a", "a");
    let accepted = janua_http::accept_encoding::Accepted::IDENTITY;
    block_on(async {
        let mut first = Box::pin(site.files.find(&site.root, b"/a", &accepted, 1));
        std::future::poll_fn(|context| {
            let _ = first.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
        drop(first);
        let second = site.files.find(&site.root, b"/a", &accepted, 1).await;
        assert!(matches!(second, Lookup::File(_)));
    });
}
