//! Who may have written to the directory, its parents and its files.

use std::fs::{self, Permissions, create_dir_all, metadata, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

fn mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Why this directory is not used; none if it is.
fn refusal(path: &Path) -> Option<String> {
    Directory::open(path).err()
}

fn is_refused(path: &Path, words: &str) {
    let why = refusal(path).unwrap_or_default();
    assert!(why.contains(words), "{}: {why:?}", path.display());
}

#[test]
fn it_is_created_with_its_parents() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    assert_eq!(refusal(&dir), None);
    for created in [&dir, &parent.path().join("a")] {
        assert_eq!(metadata(created).unwrap().mode() & 0o7777, 0o700);
    }
}

#[test]
fn only_mode_0700_is_used() {
    let dir = tempfile::tempdir().unwrap();
    for (bits, is_used) in [
        (0o700, true),
        (0o755, false),
        (0o777, false),
        (0o1777, false),
    ] {
        mode(dir.path(), bits);
        assert_eq!(refusal(dir.path()).is_none(), is_used, "{bits:o}");
    }
}

#[test]
fn no_parent_can_be_written_by_others() {
    let parent = tempfile::tempdir().unwrap();
    let middle = parent.path().join("middle");
    let dir = middle.join("inner/cache");
    create_dir_all(&dir).unwrap();
    mode(&dir, 0o700);
    for bits in [0o700, 0o755, 0o711, 0o1777] {
        mode(&middle, bits);
        assert_eq!(refusal(&dir), None, "{bits:o}");
    }
    for bits in [0o777, 0o775, 0o757, 0o2775] {
        mode(&middle, bits);
        is_refused(&dir, &format!("middle is {bits:04o}"));
        is_refused(&dir, "chmod go-w");
    }
}

#[test]
fn no_part_is_a_symbolic_link() {
    let parent = tempfile::tempdir().unwrap();
    let real = parent.path().join("real");
    assert_eq!(refusal(&real.join("cache")), None);
    symlink(&real, parent.path().join("link")).unwrap();
    is_refused(&parent.path().join("link/cache"), "link is a symbolic link");
    symlink(real.join("cache"), parent.path().join("last")).unwrap();
    is_refused(&parent.path().join("last"), "last is a symbolic link");
    symlink(parent.path().join("nowhere"), parent.path().join("dead")).unwrap();
    is_refused(&parent.path().join("dead"), "dead is a symbolic link");
    fs::write(parent.path().join("file"), b"").unwrap();
    is_refused(
        &parent.path().join("file"),
        "file is a symbolic link or a file",
    );
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let (middle, dir) = (
        parent.path().join("middle"),
        parent.path().join("middle/dir"),
    );
    create_dir_all(&dir).unwrap();
    mode(&dir, 0o700);
    std::os::unix::fs::chown(&dir, Some(7), None).unwrap();
    is_refused(&dir, "it belongs to user 7");
    std::os::unix::fs::chown(&dir, Some(0), None).unwrap();
    std::os::unix::fs::chown(&middle, Some(7), None).unwrap();
    is_refused(&dir, "middle belongs to user 7");
}

#[test]
fn files_that_somebody_else_may_have_written_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let dir = Directory::open(&parent.path().join("cache")).unwrap();
    assert_eq!(dir.read("none", 9), Ok(None));
    dir.write("file", b"content").unwrap();
    dir.write("file", b"content").unwrap();
    assert_eq!(
        fs::read_dir(parent.path().join("cache")).unwrap().count(),
        1
    );
    let path = dir.path("file");
    assert_eq!(metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(dir.read("file", 7), Ok(Some(b"content".to_vec())));
    let refused = |name: &str, words: &str| {
        let why = dir.read(name, 7).unwrap_err();
        assert!(why.contains(words), "{name}: {why}");
    };
    for bits in [0o620, 0o602, 0o666] {
        mode(&path, bits);
        refused("file", "others can write to it");
    }
    mode(&path, 0o600);
    assert!(
        dir.read("file", 6)
            .unwrap_err()
            .contains("more than 6 bytes")
    );
    symlink(&path, dir.path("link")).unwrap();
    refused("link", "symbolic link");
    fs::create_dir(dir.path("folder")).unwrap();
    refused("folder", "not a file");
    rustix::fs::mkfifoat(&dir.handle, "pipe", Mode::RUSR | Mode::WUSR).unwrap();
    refused("pipe", "not a file");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(7), None).unwrap();
        refused("file", "belongs to user 7");
    }
}

/// What is opened stays the directory that was checked.
#[test]
fn an_exchanged_directory_is_not_entered() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("cache");
    let dir = Directory::open(&path).unwrap();
    dir.write("file", b"mine").unwrap();
    fs::rename(&path, parent.path().join("moved")).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("file"), b"theirs").unwrap();
    assert_eq!(dir.read("file", 9), Ok(Some(b"mine".to_vec())));
    dir.write("file", b"new").unwrap();
    assert_eq!(fs::read(path.join("file")).unwrap(), b"theirs");
}
