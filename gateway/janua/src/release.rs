//! A directory takes the place of another in one step, or not at all.
//!
//! The new files are copied beside the old ones, on the same file system, and
//! written to the disk; then one system call puts them in place. Whoever looks
//! sees all of the old or all of the new. Where the place is a directory, the
//! two are exchanged (`RENAME_EXCHANGE`); where it is a symbolic link, the link
//! is switched; where there is nothing, the new directory is moved in.

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
    old: Claim,
}

/// The new files in their place.
#[derive(Debug)]
pub(crate) struct Live {
    root: PathBuf,
    was: Was,
    /// On what is live no longer; `was` has that on what is.
    _old: Claim,
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

    /// Copies the files beside the place, and waits until they are on the disk.
    /// What a deploy that was killed has left there is removed.
    ///
    /// # Errors
    /// Why that failed, in words, be it that another deploy is under way. Nothing
    /// is left behind.
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
                // What is dropped from here on is the old one.
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
                rename(old.path(), &self.root, RenameFlags::EXCHANGE)?;
                remove(old.path())
            }
            Was::Link { text, release } => {
                switch(&self.root, &text)?;
                remove(release.path())
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
            Was::Directory(old) => remove(old.path()).map(|()| None),
            Was::Link { text, .. } => Ok(Some(parent(&self.root).join(text))),
        }
    }
}
