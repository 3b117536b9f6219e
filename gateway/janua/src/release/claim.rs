//! Who is at a directory: two deploys never are, and what one that was killed has
//! left behind is nobody's.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::mounts;
use super::steps::parent;

/// A directory that this deploy works on. The system lets go of it when the
/// process ends, however it ends.
#[derive(Debug)]
pub(super) enum Claim {
    /// Nobody else's as long as this is there.
    Ours(#[expect(dead_code, reason = "closing it is what it is for")] File),
    /// Another deploy's.
    Theirs,
    /// It is not there, or its file system has no locks.
    Untold,
}

impl Claim {
    pub(super) fn on(directory: &Path) -> Self {
        let Ok(file) = File::open(directory) else {
            return Self::Untold;
        };
        match file.try_lock() {
            Ok(()) => Self::Ours(file),
            Err(TryLockError::WouldBlock) => Self::Theirs,
            Err(TryLockError::Error(_)) => Self::Untold,
        }
    }
}

/// The name of a directory on its way to a place of this name.
pub(super) fn hidden(name: &OsStr, attempt: u32) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".deploy-{}-{attempt}", std::process::id()));
    hidden
}

/// Removes what deploys to a place that were killed have left beside it. What
/// cannot be removed is in nobody's way.
pub(super) fn sweep(place: &Path) {
    let name = place.file_name().unwrap_or_default();
    for entry in fs::read_dir(parent(place)).into_iter().flatten().flatten() {
        let path = entry.path();
        if is_hidden(&entry.file_name(), name)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && mounts::within(&path).is_none()
            && let Claim::Ours(_) = Claim::on(&path)
        {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Whether it is a name as [`hidden`] gives, exactly: others may begin so.
fn is_hidden(hidden: &OsStr, name: &OsStr) -> bool {
    let numbers = hidden
        .as_bytes()
        .strip_prefix(b".")
        .and_then(|rest| rest.strip_prefix(name.as_bytes()))
        .and_then(|rest| rest.strip_prefix(b".deploy-"));
    let Some(dash) = numbers.and_then(|rest| rest.iter().position(|&byte| byte == b'-')) else {
        return false;
    };
    let (process, attempt) = numbers.unwrap_or_default().split_at(dash);
    let attempt = attempt.get(1..).unwrap_or_default();
    [process, attempt]
        .iter()
        .all(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_way() {
        let own = hidden(OsStr::new("app"), 3);
        assert!(is_hidden(&own, OsStr::new("app")));
        for (name, expected) in [
            (".app.deploy-1-0", true),
            (".app.deploy-12345-99", true),
            (".app.deploy-keys", false),
            (".app.deploy-1-", false),
            (".app.deploy--1", false),
            (".app.deploy-1-0-2", false),
            (".app.deploy-1-0.bak", false),
            (".app2.deploy-1-0", false),
            ("app.deploy-1-0", false),
            (".app", false),
        ] {
            assert_eq!(
                is_hidden(OsStr::new(name), OsStr::new("app")),
                expected,
                "{name}"
            );
        }
    }
}
