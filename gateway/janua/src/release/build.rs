//! The build to deploy: checked first, then copied.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use super::steps::sync;

/// Deeper than any build; protects against a directory that is mounted within
/// itself.
const DEPTH: usize = 64;

/// The size of a build.
#[derive(Debug, Default)]
pub(super) struct Size {
    pub(super) files: u64,
    /// The size of all files together.
    pub(super) bytes: u64,
}

impl Size {
    /// Measures a directory, and refuses entries that cannot be deployed.
    pub(super) fn of(directory: &Path) -> Result<Self, String> {
        let mut size = Self::default();
        size.add(directory, 0)?;
        Ok(size)
    }

    fn add(&mut self, directory: &Path, depth: usize) -> Result<(), String> {
        for entry in entries(directory)? {
            match entry.kind {
                Kind::Directory => self.add(&entry.path, deeper(&entry.path, depth)?)?,
                Kind::File(bytes) => {
                    self.files += 1;
                    self.bytes += bytes;
                }
                Kind::Link(text) => stays_inside(&text, depth)
                    .then_some(())
                    .ok_or_else(|| leads_out(&entry.path, &text))?,
            }
        }
        Ok(())
    }
}

struct Entry {
    path: PathBuf,
    name: OsString,
    kind: Kind,
}

enum Kind {
    Directory,
    /// With its size.
    File(u64),
    /// With its text.
    Link(PathBuf),
}

fn entries(directory: &Path) -> Result<Vec<Entry>, String> {
    let failed = |error: io::Error| format!("cannot read {}: {error}", directory.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let found = entry.metadata().map_err(failed)?;
        let kind = if found.is_dir() {
            Kind::Directory
        } else if found.is_file() {
            Kind::File(found.len())
        } else if found.is_symlink() {
            Kind::Link(fs::read_link(&path).map_err(failed)?)
        } else {
            return Err(format!("{} is no file that can be served", path.display()));
        };
        let name = entry.file_name();
        entries.push(Entry { path, name, kind });
    }
    Ok(entries)
}

fn deeper(path: &Path, depth: usize) -> Result<usize, String> {
    if depth >= DEPTH {
        return Err(format!("{} is too deep", path.display()));
    }
    Ok(depth + 1)
}

/// Copies the content of a directory into an existing one, and waits until it
/// is on the disk. All files get the same time: a precompressed sibling that is
/// older than its original would not be served.
pub(super) fn copy(from: &Path, to: &Path, at: SystemTime) -> Result<(), String> {
    copy_level(from, to, 0, at)
}

fn copy_level(from: &Path, to: &Path, depth: usize, at: SystemTime) -> Result<(), String> {
    for entry in entries(from)? {
        let target = to.join(&entry.name);
        let failed = |error: io::Error| format!("cannot copy {}: {error}", entry.path.display());
        match &entry.kind {
            Kind::Directory => {
                let depth = deeper(&entry.path, depth)?;
                DirBuilder::new()
                    .mode(0o700)
                    .create(&target)
                    .map_err(failed)?;
                copy_level(&entry.path, &target, depth, at)?;
            }
            Kind::File(_) => {
                let mut source = File::open(&entry.path).map_err(failed)?;
                let mut copied = File::create_new(&target).map_err(failed)?;
                io::copy(&mut source, &mut copied).map_err(failed)?;
                let mode = source.metadata().map_err(failed)?.permissions().mode();
                // The time of the deploy replaces the file's own: two builds
                // may have files of the same time and length but different
                // content, and they would get one ETag.
                copied
                    .set_permissions(Permissions::from_mode(mode & 0o777))
                    .and_then(|()| copied.set_modified(at))
                    .and_then(|()| copied.sync_all())
                    .map_err(failed)?;
            }
            Kind::Link(text) if stays_inside(text, depth) => {
                symlink(text, &target).map_err(failed)?;
            }
            Kind::Link(text) => return Err(leads_out(&entry.path, text)),
        }
    }
    let failed = |error: io::Error| format!("cannot copy {}: {error}", from.display());
    let mode = fs::metadata(from).map_err(failed)?.permissions().mode();
    fs::set_permissions(to, Permissions::from_mode(mode & 0o777)).map_err(failed)?;
    sync(to)
}

/// Whether a link in a directory at this depth leads to a file that is deployed
/// with it.
fn stays_inside(text: &Path, depth: usize) -> bool {
    let mut level = depth;
    for component in text.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) => level += 1,
            Component::ParentDir => match level.checked_sub(1) {
                Some(up) => level = up,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn leads_out(path: &Path, text: &Path) -> String {
    format!(
        "the link {} leads out of what is deployed, to {}",
        path.display(),
        text.display()
    )
}
