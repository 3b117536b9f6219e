//! Replaces a directory by another atomically.
//!
//! The new files are copied next to the old ones, on the same file system, and
//! flushed to the disk; then a single system call puts them in place, so that a
//! reader sees either all old or all new files. If the place is a directory,
//! the two are exchanged (`RENAME_EXCHANGE`); if it is a symbolic link, the
//! link is switched; if it does not exist, the new directory is moved there.

mod build;
mod claim;
mod mounts;
mod steps;
mod temporary;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::RenameFlags;

use self::build::{Size, copy};
use self::claim::Claim;
use self::steps::{parent, remove, rename, switch, sync};
use self::temporary::Temporary;

/// A planned release, checked as far as possible without changing anything.
#[derive(Debug)]
pub(crate) struct Plan {
    from: PathBuf,
    root: PathBuf,
    place: Place,
    /// The number of files to copy.
    pub(crate) files: u64,
    /// Their total size in bytes.
    pub(crate) bytes: u64,
}

/// What is in the place now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Nothing,
    Directory,
    /// A symbolic link, with its text.
    Link(PathBuf),
}

/// The new files, copied next to the place. Dropping this removes them.
#[derive(Debug)]
pub(crate) struct Staged {
    plan: Plan,
    new: Temporary,
    old: Claim,
}

/// The new files in their place.
#[derive(Debug)]
pub(crate) struct Live {
    root: PathBuf,
    was: Was,
    /// The claim on the old directory; `was` holds the claim on the new one.
    _old: Claim,
}

/// What was in the place before, and where it is now.
#[derive(Debug)]
enum Was {
    Nothing,
    Directory(Temporary),
    Link { text: PathBuf, release: Temporary },
}

impl Plan {
    /// Checks the new directory and the place where it is to go.
    ///
    /// # Errors
    /// Why it cannot go there, for the operator.
    pub(crate) fn new(from: &Path, root: &Path) -> Result<Self, String> {
        // Without a trailing slash, which would make the system follow a link.
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
        let real = root.canonicalize().ok();
        let overlaps = real
            .as_ref()
            .is_some_and(|real| real.starts_with(&from_real) || from_real.starts_with(real));
        if overlaps || parent.starts_with(&from_real) {
            return Err(format!(
                "{} and {shown} are one within the other",
                from.display()
            ));
        }
        if place == Place::Directory
            && let Some(mounted) = real.and_then(|real| mounts::within(&real))
        {
            return Err(format!(
                "{} is a mount point: it can neither be exchanged nor removed with {shown}; \
                 deploy to a directory without mounts, or make {shown} a link to one",
                mounted.display()
            ));
        }
        let size = Size::of(&from_real)?;
        Ok(Self {
            from: from_real,
            root,
            place,
            files: size.files,
            bytes: size.bytes,
        })
    }

    /// Whether the new files lack this name at the top level.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        !self.from.join(name).is_file()
    }

    /// What will happen to the place, as text.
    pub(crate) fn description(&self) -> String {
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

    /// Copies the files next to the place, and waits until they are on the
    /// disk. Removes what a killed deploy has left there.
    ///
    /// # Errors
    /// Why that failed, for the operator, for example because another deploy is
    /// in progress. Nothing is left behind.
    pub(crate) fn stage(self) -> Result<Staged, String> {
        let old = Claim::on(&self.root);
        if matches!(old, Claim::Theirs) {
            let root = self.root.display();
            return Err(format!("another deploy to {root} is under way"));
        }
        let beside = match &self.place {
            Place::Link(text) => self.target(text),
            Place::Nothing | Place::Directory => self.root.clone(),
        };
        claim::sweep(&beside);
        let new = Temporary::make(&beside)?;
        copy(&self.from, new.path(), SystemTime::now())?;
        let plan = self;
        Ok(Staged { plan, new, old })
    }

    /// The target of the link in the place.
    fn target(&self, text: &Path) -> PathBuf {
        parent(&self.root).join(text)
    }
}

impl Staged {
    /// Puts the new files in place, in one step.
    ///
    /// # Errors
    /// Why that failed, for the operator. Nothing has changed then.
    pub(crate) fn publish(self) -> Result<Live, String> {
        let Self { plan, mut new, old } = self;
        let root = plan.root.clone();
        let was = match plan.place.clone() {
            Place::Nothing => {
                rename(new.path(), &root, RenameFlags::NOREPLACE)?;
                new.keep();
                Was::Nothing
            }
            Place::Directory => {
                rename(new.path(), &root, RenameFlags::EXCHANGE)?;
                // From here on, the directory that a drop removes is the old
                // one.
                Was::Directory(new)
            }
            Place::Link(text) => {
                let release = new.settle(&plan.target(&text))?;
                let name = release.path().file_name().unwrap_or_default();
                switch(&root, &text.with_file_name(name))?;
                Was::Link { text, release }
            }
        };
        let mut live = Live {
            root,
            was,
            _old: old,
        };
        live.disarm();
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
    /// Prevents a drop from removing anything that is in use.
    fn disarm(&mut self) {
        match &mut self.was {
            Was::Nothing => {}
            Was::Directory(old) => old.keep(),
            Was::Link { release, .. } => release.keep(),
        }
    }

    /// Restores what was in the place before.
    ///
    /// # Errors
    /// Why that failed, for the operator: the new files are still in place.
    pub(crate) fn revert(self) -> Result<(), String> {
        match self.was {
            Was::Nothing => remove(&self.root),
            Was::Directory(old) => {
                rename(old.path(), &self.root, RenameFlags::EXCHANGE)?;
                remove(old.path())
            }
            Was::Link { text, release } => {
                switch(&self.root, &text)?;
                remove(release.path())
            }
        }
    }

    /// Removes the old directory. A directory that a link led to is kept and
    /// returned: it has its own path, and may be needed for a rollback.
    ///
    /// # Errors
    /// Why it could not be removed, for the operator. The new files are in
    /// place.
    pub(crate) fn finish(self) -> Result<Option<PathBuf>, String> {
        match self.was {
            Was::Nothing => Ok(None),
            Was::Directory(old) => remove(old.path()).map(|()| None),
            Was::Link { text, .. } => Ok(Some(parent(&self.root).join(text))),
        }
    }
}
