//! Where the store of a root is.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::options::Retain;

/// Where what is retained of a root is kept.
///
/// # Errors
/// It would be in the root, or the root in it.
pub(crate) fn of(retain: &Retain, root: &Path) -> Result<PathBuf, OpenError> {
    let place = retain.store.clone().unwrap_or_else(|| beside(root));
    refuse_nesting(&place, root)?;
    Ok(place)
}

/// `<root>.retained`. Where the way to the root leads through a link
/// (`current/public` of releases that are switched), a store beside the root
/// would be part of one release and go with it: then it is beside the link.
fn beside(root: &Path) -> PathBuf {
    // `dist/` and `dist` have the same store.
    let root = root.components().as_path();
    let is_link = |path: &&Path| fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink());
    // The last one: those before it are rarely switched, and lead to where the
    // gateway's user may not write.
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

/// A store below the root would be served and kept in itself; a root below the
/// store would be removed with it.
fn refuse_nesting(store: &Path, root: &Path) -> Result<(), OpenError> {
    // The store may not be there yet: what is there of its path decides.
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
