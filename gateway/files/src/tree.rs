//! The last seen state of those parts of a root that may be retained, by
//! directory.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{Dir, FileType};

use crate::directory::{Directory, Identity, Object};
use crate::name::is_name;
use crate::retention::Stamp;

/// As for files, in seconds: a directory that changed more recently may change
/// again with the same time.
const SETTLING: i64 = 2;
/// A root with more directories is not a build, and is not scanned completely.
const MAX_DIRECTORIES: usize = 100_000;

/// Identifies the state of a directory by its change time (`ctime`), which the
/// system sets. The modification time is not reliable: `rsync -a` and `tar` set
/// it to that of the build, which may be the same for all builds.
type Stamped = (Identity, (i64, i64));

/// The directories that may contain files matching one glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// The fixed directory at the start of the glob; empty for the root.
    path: Vec<u8>,
    /// How many levels below it to scan; `None` for all.
    depth: Option<usize>,
}

/// The directories and files that were found.
#[derive(Default)]
pub(crate) struct Tree {
    directories: HashMap<Box<[u8]>, Seen, ahash::RandomState>,
}

struct Seen {
    stamp: Stamped,
    is_settled: bool,
    files: Vec<(Box<[u8]>, Stamp)>,
    directories: Vec<Box<[u8]>>,
}

impl Branch {
    pub(crate) fn of(glob: &str) -> Self {
        let glob = glob.trim_start_matches('/');
        let segments: Vec<&str> = glob.split('/').collect();
        let named = segments
            .iter()
            .take(segments.len().saturating_sub(1))
            .take_while(|segment| !segment.contains(['*', '?', '[', ']', '{', '}', '\\']))
            .count();
        let path = segments.iter().take(named).copied().collect::<Vec<_>>();
        // Braces may contain slashes, so the depth is unknown.
        let is_bounded = !glob.contains("**") && !glob.contains('{');
        Self {
            path: path.join("/").into_bytes(),
            depth: is_bounded.then(|| segments.len().saturating_sub(named + 1)),
        }
    }
}

impl Tree {
    /// The files that match.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&[u8], &Stamp)> {
        let files = self.directories.values().flat_map(|seen| &seen.files);
        files.map(|(path, stamp)| (&**path, stamp))
    }

    /// Scans again; true if any directory has changed.
    pub(crate) fn read(
        &mut self,
        root: &Directory,
        branches: &[Branch],
        hidden: bool,
        matches: &dyn Fn(&[u8]) -> bool,
        now: i64,
    ) -> bool {
        let mut before = std::mem::take(&mut self.directories);
        let mut is_changed = false;
        let mut left: Vec<(Box<[u8]>, Option<usize>)> = branches
            .iter()
            .map(|branch| (branch.path.clone().into(), branch.depth))
            .collect();
        while let Some((path, depth)) = left.pop() {
            if self.directories.contains_key(&path) {
                continue;
            }
            if self.directories.len() >= MAX_DIRECTORIES {
                break;
            }
            let seen = match before.remove(&path) {
                Some(seen) if seen.is_still(root, &path) => seen,
                _ => {
                    is_changed = true;
                    match Seen::read(root, &path, hidden, matches, now) {
                        Some(seen) => seen,
                        None => continue,
                    }
                }
            };
            if depth != Some(0) {
                let below = depth.map(|depth| depth - 1);
                left.extend(seen.directories.iter().map(|path| (path.clone(), below)));
            }
            self.directories.insert(path, seen);
        }
        // Directories that were not found again count as a change.
        is_changed || !before.is_empty()
    }
}

impl Seen {
    fn is_still(&self, root: &Directory, path: &[u8]) -> bool {
        self.is_settled
            && root
                .facts(path)
                .is_ok_and(|facts| stamp(&facts) == self.stamp)
    }

    fn read(
        root: &Directory,
        path: &[u8],
        hidden: bool,
        matches: &dyn Fn(&[u8]) -> bool,
        now: i64,
    ) -> Option<Self> {
        let Ok(Object::Directory(opened)) = root.find(path) else {
            return None;
        };
        let facts = opened.metadata().ok()?;
        let mut seen = Self {
            stamp: stamp(&facts),
            is_settled: now.saturating_sub(facts.ctime().max(facts.mtime())) > SETTLING,
            files: Vec::new(),
            directories: Vec::new(),
        };
        for entry in Dir::read_from(opened.as_fd()).ok()?.flatten() {
            let name = entry.file_name().to_bytes();
            let dots = hidden || (path.is_empty() && name == b".well-known");
            if !is_name(name, dots) {
                continue;
            }
            let child = if path.is_empty() {
                name.to_vec()
            } else {
                [path, b"/", name].concat()
            };
            seen.add(root, &opened, &entry, child, matches);
        }
        Some(seen)
    }

    fn add(
        &mut self,
        root: &Directory,
        opened: &File,
        entry: &rustix::fs::DirEntry,
        child: Vec<u8>,
        matches: &dyn Fn(&[u8]) -> bool,
    ) {
        let kind = match entry.file_type() {
            // Some file systems do not report the type.
            FileType::Unknown => {
                let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
                match rustix::fs::statat(opened.as_fd(), entry.file_name(), flags) {
                    Ok(facts) => FileType::from_raw_mode(facts.st_mode),
                    Err(_) => return,
                }
            }
            kind => kind,
        };
        match kind {
            FileType::Directory => self.directories.push(child.into()),
            FileType::RegularFile | FileType::Symlink if matches(&child) => {
                // The rule for symbolic links applies.
                if let Ok(facts) = root.facts(&child)
                    && facts.is_file()
                {
                    self.files.push((child.into(), Stamp::of(&facts)));
                }
            }
            _ => {}
        }
    }
}

fn stamp(facts: &Metadata) -> Stamped {
    (Identity::of(facts), (facts.ctime(), facts.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches() {
        for (glob, path, depth) in [
            ("assets/**", "assets", None),
            ("/assets/**", "assets", None),
            ("assets/*", "assets", Some(0)),
            ("assets/*/x.js", "assets", Some(1)),
            ("assets/js/*.js", "assets/js", Some(0)),
            ("**/*.js", "", None),
            ("*.js", "", Some(0)),
            ("main.js", "", Some(0)),
            ("a/main.js", "a", Some(0)),
            ("{a,b/c}/*.js", "", None),
        ] {
            let expected = Branch {
                path: path.into(),
                depth,
            };
            assert_eq!(Branch::of(glob), expected, "{glob}");
        }
    }
}
