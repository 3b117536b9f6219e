//! Locks on directories, so that two deploys never work on the same one and
//! leftovers of a killed deploy can be recognised.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::mounts;
use super::steps::parent;

/// The lock of a deploy on a directory. The system releases it when the process
/// ends in any way.
#[derive(Debug)]
pub(super) enum Claim {
    /// Held by this deploy, for as long as this value exists.
    Ours(#[expect(dead_code, reason = "closing it is what it is for")] File),
    /// Held by another deploy.
    Theirs,
    /// The directory does not exist, or its file system has no locks.
    Unknown,
}

impl Claim {
    pub(super) fn on(directory: &Path) -> Self {
        let Ok(file) = File::open(directory) else {
            return Self::Unknown;
        };
        match file.try_lock() {
            Ok(()) => Self::Ours(file),
            Err(TryLockError::WouldBlock) => Self::Theirs,
            Err(TryLockError::Error(_)) => Self::Unknown,
        }
    }
}

/// The temporary name of a directory that will be moved to a place with this
/// name.
pub(super) fn hidden(name: &OsStr, attempt: u32) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".deploy-{}-{attempt}", std::process::id()));
    hidden
}

/// Removes what killed deploys to this place have left next to it. Directories
/// that cannot be removed do no harm.
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

/// Whether the name has exactly the form that [`hidden`] gives: others may have
/// the same prefix.
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
