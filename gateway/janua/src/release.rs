//! A directory takes the place of another in one step, or not at all.
//!
//! The new files are copied beside the old ones, on the same file system, and
//! written to the disk; then one system call puts them in place. Whoever looks
//! sees all of the old or all of the new. Where the place is a directory, the
//! two are exchanged (`RENAME_EXCHANGE`); where it is a symbolic link, the link
//! is switched; where there is nothing, the new directory is moved in.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Deeper than any build: a directory that holds itself by a mount.
const DEPTH: usize = 64;

/// What is to happen, checked as far as that goes without doing it.
#[derive(Debug)]
pub(crate) struct Plan {
    from: PathBuf,
    root: PathBuf,
    place: Place,
    /// Files that are copied.
    pub(crate) files: u64,
    /// Their size in bytes.
    pub(crate) bytes: u64,
}

/// What is in the place now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Nothing,
    Directory,
    /// A symbolic link, and what is written in it.
    Link(PathBuf),
}

/// The new files, beside the place. Dropped, they are gone again.
#[derive(Debug)]
pub(crate) struct Staged {
    plan: Plan,
    new: Temporary,
}

/// The new files in their place.
#[derive(Debug)]
pub(crate) struct Live {
    root: PathBuf,
    was: Was,
}

/// What was in the place, and where it is now.
#[derive(Debug)]
enum Was {
    Nothing,
    Directory(Temporary),
    Link { text: PathBuf, release: Temporary },
}

impl Plan {
    /// Looks at the directory and at its place-to-be.
    ///
    /// # Errors
    /// Why it cannot go there, in words.
    pub(crate) fn new(from: &Path, root: &Path) -> Result<Self, String> {
        // Without a trailing slash, behind which a link would be followed.
        let root: PathBuf = root.components().collect();
        let shown = root.display();
        let from_real = from
            .canonicalize()
            .map_err(|error| format!("cannot read {}: {error}", from.display()))?;
        if !from_real.is_dir() {
            return Err(format!("{} is not a directory", from.display()));
        }
        let (Some(parent), Some(_)) = (root.parent(), root.file_name()) else {
            return Err(format!("nothing can take the place of {shown}"));
        };
        let parent = parent
            .canonicalize()
            .map_err(|error| format!("cannot read {}: {error}", parent.display()))?;
        let place = match fs::symlink_metadata(&root) {
            Ok(found) if found.is_symlink() => {
                let text = fs::read_link(&root).map_err(|error| format!("{shown}: {error}"))?;
                if text.file_name().is_none() {
                    return Err(format!(
                        "{shown} is a link to {}: there is nothing beside that",
                        text.display()
                    ));
                }
                Place::Link(text)
            }
            Ok(found) if found.is_dir() => Place::Directory,
            Ok(_) => return Err(format!("{shown} is not a directory")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Place::Nothing,
            Err(error) => return Err(format!("cannot read {shown}: {error}")),
        };
        let overlaps = match root.canonicalize() {
            Ok(real) => real.starts_with(&from_real) || from_real.starts_with(&real),
            Err(_) => false,
        };
        if overlaps || parent.starts_with(&from_real) {
            return Err(format!(
                "{} and {shown} are one within the other",
                from.display()
            ));
        }
        let mut plan = Self {
            from: from_real.clone(),
            root,
            place,
            files: 0,
            bytes: 0,
        };
        plan.count(&from_real, 0)?;
        Ok(plan)
    }

    /// Whether the new files are without this one at their top.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        !self.from.join(name).is_file()
    }

    /// What will happen to the place, for a person.
    pub(crate) fn words(&self) -> String {
        let root = self.root.display();
        match &self.place {
            Place::Nothing => format!("{root} is new"),
            Place::Directory => format!("{root} is exchanged for it, and then removed"),
            Place::Link(text) => format!(
                "the link {root} is switched from {} to a new directory beside that",
                text.display()
            ),
        }
    }

    fn count(&mut self, directory: &Path, depth: usize) -> Result<(), String> {
        for entry in entries(directory)? {
            match entry.kind {
                Kind::Directory => self.count(&entry.path, deeper(&entry.path, depth)?)?,
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

    /// Copies the files beside the place, and waits until they are on the disk.
    ///
    /// # Errors
    /// Why that failed, in words. Nothing is left behind.
    pub(crate) fn stage(self) -> Result<Staged, String> {
        let beside = match &self.place {
            Place::Link(text) => self.target(text),
            Place::Nothing | Place::Directory => self.root.clone(),
        };
        let name = beside.file_name().unwrap_or_default();
        let new = Temporary::make(&beside, |attempt| {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".deploy-{}-{attempt}", std::process::id()));
            hidden
        })?;
        copy(&self.from, &new.0, 0, SystemTime::now())?;
        Ok(Staged { plan: self, new })
    }

    /// What the link in the place leads to.
    fn target(&self, text: &Path) -> PathBuf {
        parent(&self.root).join(text)
    }
}

impl Staged {
    /// Puts the new files in place, in one step.
    ///
    /// # Errors
    /// Why that failed, in words. Nothing has changed then.
    pub(crate) fn publish(self) -> Result<Live, String> {
        let Self { plan, mut new } = self;
        let root = plan.root.clone();
        let was = match plan.place.clone() {
            Place::Nothing => {
                rename(&new.0, &root, RenameFlags::NOREPLACE)?;
                new.keep();
                Was::Nothing
            }
            Place::Directory => {
                rename(&new.0, &root, RenameFlags::EXCHANGE)?;
                // What is dropped from here on is the old one.
                Was::Directory(new)
            }
            Place::Link(text) => {
                let release = new.settle(&plan.target(&text))?;
                let name = release.0.file_name().unwrap_or_default();
                switch(&root, &text.with_file_name(name))?;
                Was::Link { text, release }
            }
        };
        let mut live = Live { root, was };
        live.hold();
        match sync(parent(&live.root)) {
            Ok(()) => Ok(live),
            Err(why) => match live.revert() {
                Ok(()) => Err(why),
                Err(also) => Err(format!("{why}; and it stays so: {also}")),
            },
        }
    }
}

impl Live {
    /// From here on nothing that is in use is removed by a drop.
    fn hold(&mut self) {
        match &mut self.was {
            Was::Nothing => {}
            Was::Directory(old) => old.keep(),
            Was::Link { release, .. } => release.keep(),
        }
    }

    /// Puts back what was there before.
    ///
    /// # Errors
    /// Why that failed, in words: the new files are still in place.
    pub(crate) fn revert(self) -> Result<(), String> {
        match self.was {
            Was::Nothing => remove(&self.root),
            Was::Directory(old) => {
                rename(&old.0, &self.root, RenameFlags::EXCHANGE)?;
                remove(&old.0)
            }
            Was::Link { text, release } => {
                switch(&self.root, &text)?;
                remove(&release.0)
            }
        }
    }

    /// Removes the old directory. One that a link led to stays, and is named:
    /// it has a place of its own, and may be gone back to.
    ///
    /// # Errors
    /// Why it could not be removed, in words. The new files are in place.
    pub(crate) fn finish(self) -> Result<Option<PathBuf>, String> {
        match self.was {
            Was::Nothing => Ok(None),
            Was::Directory(old) => remove(&old.0).map(|()| None),
            Was::Link { text, .. } => Ok(Some(parent(&self.root).join(text))),
        }
    }
}

/// A directory that is removed when this is dropped, unless it is kept.
#[derive(Debug)]
struct Temporary(PathBuf, bool);

impl Temporary {
    /// A new directory beside `path`, under the first of the names that is free.
    fn make(path: &Path, name: impl Fn(u32) -> OsString) -> Result<Self, String> {
        let mut attempt = 0;
        loop {
            let new = path.with_file_name(name(attempt));
            match DirBuilder::new().mode(0o700).create(&new) {
                Ok(()) => return Ok(Self(new, true)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {
                    attempt += 1;
                }
                Err(error) => return Err(format!("cannot make {}: {error}", new.display())),
            }
        }
    }

    fn keep(&mut self) {
        self.1 = false;
    }

    /// Moves it to a lasting name beside `path`: a release is where a link
    /// leads for long.
    fn settle(mut self, path: &Path) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.unwrap_or_default().as_secs();
        let mut attempt = 0;
        loop {
            let name = match attempt {
                0 => format!("release-{seconds}"),
                attempt => format!("release-{seconds}-{attempt}"),
            };
            let settled = path.with_file_name(name);
            match renameat_with(CWD, &self.0, CWD, &settled, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    self.keep();
                    return Ok(Self(settled, true));
                }
                Err(rustix::io::Errno::EXIST) if attempt < 100 => attempt += 1,
                Err(error) => return Err(format!("cannot make {}: {error}", settled.display())),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.1 {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(&self.0);
        }
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
    /// With what is written in it.
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

/// Copies what is in a directory into one that is there, and waits for the
/// disk. All files get one time: a compressed sibling that were older than its
/// original would not be served.
fn copy(from: &Path, to: &Path, depth: usize, at: SystemTime) -> Result<(), String> {
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
                copy(&entry.path, &target, depth, at)?;
            }
            Kind::File(_) => {
                let mut source = File::open(&entry.path).map_err(failed)?;
                let mut copied = File::create_new(&target).map_err(failed)?;
                io::copy(&mut source, &mut copied).map_err(failed)?;
                let mode = source.metadata().map_err(failed)?.permissions().mode();
                // Its time is that of the deploy: two builds may have given one
                // time and length to two contents, and then one ETag.
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

/// Whether a link in a directory so many levels down leads to what is deployed
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

/// The directory that the place is in; [`Plan::new`] has seen that there is one.
fn parent(root: &Path) -> &Path {
    root.parent().unwrap_or(root)
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> Result<(), String> {
    renameat_with(CWD, from, CWD, to, flags).map_err(|error| match error {
        rustix::io::Errno::INVAL => format!(
            "the file system of {} cannot exchange directories: make it a symbolic link to one",
            to.display()
        ),
        error => format!("cannot put {} in place: {error}", to.display()),
    })
}

/// Has a link lead elsewhere, in one step.
fn switch(link: &Path, text: &Path) -> Result<(), String> {
    let mut name = OsString::from(".");
    name.push(link.file_name().unwrap_or_default());
    name.push(format!(".link-{}", std::process::id()));
    let new = link.with_file_name(name);
    symlink(text, &new)
        .and_then(|()| fs::rename(&new, link))
        .map_err(|error| {
            let _ = fs::remove_file(&new);
            format!("cannot switch the link {}: {error}", link.display())
        })
}

/// Waits until what a directory holds by name is on the disk.
fn sync(directory: &Path) -> Result<(), String> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| format!("cannot write {}: {error}", directory.display()))
}

fn remove(path: &Path) -> Result<(), String> {
    fs::remove_dir_all(path).map_err(|error| format!("cannot remove {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
