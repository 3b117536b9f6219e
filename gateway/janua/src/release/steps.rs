//! File system operations, each with an error message for the operator.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// The parent directory of the place; `Plan::new` has checked that there is
/// one.
pub(super) fn parent(root: &Path) -> &Path {
    root.parent().unwrap_or(root)
}

pub(super) fn rename(from: &Path, to: &Path, flags: RenameFlags) -> Result<(), String> {
    renameat_with(CWD, from, CWD, to, flags).map_err(|error| match error {
        rustix::io::Errno::INVAL => format!(
            "the file system of {} cannot exchange directories: make it a symbolic link to one",
            to.display()
        ),
        error => format!("cannot put {} in place: {error}", to.display()),
    })
}

/// Changes the target of a link atomically.
pub(super) fn switch(link: &Path, text: &Path) -> Result<(), String> {
    let mut name = OsString::from(".");
    name.push(link.file_name().unwrap_or_default());
    name.push(format!(".link-{}", std::process::id()));
    let new = link.with_file_name(name);
    // A killed process with the same id may have left it.
    let _ = fs::remove_file(&new);
    symlink(text, &new)
        .and_then(|()| fs::rename(&new, link))
        .map_err(|error| {
            let _ = fs::remove_file(&new);
            format!("cannot switch the link {}: {error}", link.display())
        })
}

/// Waits until the entries of a directory are on the disk.
pub(super) fn sync(directory: &Path) -> Result<(), String> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| format!("cannot write {}: {error}", directory.display()))
}

pub(super) fn remove(path: &Path) -> Result<(), String> {
    fs::remove_dir_all(path).map_err(|error| format!("cannot remove {}: {error}", path.display()))
}
