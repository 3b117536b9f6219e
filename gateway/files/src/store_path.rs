//! Determines the path of a root's store of retained files.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::options::Retain;

/// The path of the store.
///
/// # Errors
/// If the store would lie in the root, or the root in the store.
pub(crate) fn of(retain: &Retain, root: &Path) -> Result<PathBuf, OpenError> {
    let place = retain.store.clone().unwrap_or_else(|| beside(root));
    refuse_nesting(&place, root)?;
    Ok(place)
}

/// `<root>.retained`. If the path of the root contains a symbolic link that
/// switches releases (`current/public`), a store next to the root would belong
/// to one release and be removed with it: the store is then next to the link.
fn beside(root: &Path) -> PathBuf {
    // `dist/` and `dist` must have the same store.
    let root = root.components().as_path();
    let is_link = |path: &&Path| fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink());
    // The last link is used: earlier ones are rarely switched, and are often in
    // directories where the gateway's user may not write.
    let link = root.ancestors().skip(1).find(is_link);
    let mut name: OsString = link.unwrap_or(root).into();
    let below = link.and_then(|link| root.strip_prefix(link).ok());
    for part in below.into_iter().flatten() {
        name.push(".");
        name.push(part);
    }
    name.push(".retained");
    name.into()
}

/// A store below the root would be served and retained itself; a root below the
/// store would be removed with it.
fn refuse_nesting(store: &Path, root: &Path) -> Result<(), OpenError> {
    // The store may not exist yet: the part of its path that exists is
    // compared.
    let existing = |path: &Path| {
        let mut rest = Vec::new();
        for ancestor in path.ancestors() {
            let ancestor = if ancestor.as_os_str().is_empty() {
                Path::new(".")
            } else {
                ancestor
            };
            if let Ok(mut full) = ancestor.canonicalize() {
                full.extend(rest.iter().rev());
                return full;
            }
            rest.extend(ancestor.file_name().map(OsStr::to_owned));
        }
        path.to_owned()
    };
    let (store_path, root_path) = (existing(store), existing(root));
    if store_path.starts_with(&root_path) || root_path.starts_with(&store_path) {
        return Err(OpenError::StoreInRoot {
            store: store.to_owned(),
            root: root.to_owned(),
        });
    }
    Ok(())
}
