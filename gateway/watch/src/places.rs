//! Where a change of a path can happen.
//!
//! `/etc/janua/tls.crt` may be a link to `..data/tls.crt`, and `..data` a link to a directory,
//! which Kubernetes replaces by another: the file changes, but nothing happens in its own
//! directory. So each path is followed link by link, and each link is watched like a file, in
//! the directory that holds it. Directories are watched, because a file that is replaced by a
//! rename is another file.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use janua_config::{Pattern, WatchList};

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// Everywhere that a change of some paths can happen. All paths are absolute and without links
/// in their directories, like those of the system's events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// The files and links whose change matters.
    entries: BTreeSet<PathBuf>,
    /// The directories that hold them.
    directories: BTreeSet<PathBuf>,
    /// By directory: names that match one of these matter.
    patterns: BTreeMap<PathBuf, Vec<Pattern>>,
    /// The way of each path of the list.
    ways: Vec<Way>,
}

/// The way from a path to its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    /// The path as it is in the list.
    pub(crate) path: PathBuf,
    /// The links on the way, and at last the file itself, or the first part that does not
    /// exist.
    pub(crate) entries: Vec<PathBuf>,
}

impl Places {
    /// Follows all paths of a list.
    pub(crate) fn of(list: &WatchList) -> Self {
        let mut places = Self::default();
        for path in list.files.keys() {
            places.ways.extend(Way::of(path));
        }
        for pattern in &list.patterns {
            let Some(mut way) = Way::of(&pattern.directory) else {
                continue;
            };
            // The directory itself is watched, if it exists.
            if let Some(directory) = way.entries.last().filter(|last| last.is_dir()).cloned() {
                way.entries.push(directory.join(&pattern.name));
                let patterns = places.patterns.entry(directory).or_default();
                patterns.push(pattern.clone());
            }
            places.ways.push(way);
        }
        let entries = places.ways.iter().flat_map(|way| &way.entries);
        places.entries = entries.cloned().collect();
        let parents = places.entries.iter().filter_map(|entry| entry.parent());
        places.directories = parents.map(Path::to_owned).collect();
        places
    }

    /// The directories in which something can happen.
    pub(crate) fn directories(&self) -> &BTreeSet<PathBuf> {
        &self.directories
    }

    /// The way of each path.
    pub(crate) fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// Whether something that happened to `path` matters. A watched directory that is itself
    /// moved or removed does.
    pub(crate) fn concern(&self, path: &Path) -> bool {
        self.entries.contains(path) || self.directories.contains(path) || self.is_match(path)
    }

    fn is_match(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        let patterns = path.parent().and_then(|parent| self.patterns.get(parent));
        match (name, patterns) {
            (Some(name), Some(patterns)) => patterns.iter().any(|pattern| pattern.matches(name)),
            _ => false,
        }
    }
}

impl Way {
    /// None if the working directory is gone.
    fn of(path: &Path) -> Option<Self> {
        let absolute = match path.as_os_str().is_empty() {
            true => std::env::current_dir().ok()?,
            false => std::path::absolute(path).ok()?,
        };
        let mut entries = Vec::new();
        let mut at = PathBuf::from("/");
        let mut rest: Vec<OsString> = parts(&absolute);
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            let entry = at.join(&part);
            match fs::symlink_metadata(&entry) {
                Ok(found) if found.is_symlink() && links < MOST_LINKS => {
                    links += 1;
                    let target = fs::read_link(&entry).unwrap_or_default();
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    rest.extend(parts(&target));
                    entries.push(entry);
                }
                Ok(found) if found.is_dir() && !rest.is_empty() => at = entry,
                // The end: the file, or what keeps the path from being one.
                _ => {
                    entries.push(entry);
                    break;
                }
            }
        }
        Some(Self {
            path: path.to_owned(),
            entries,
        })
    }
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    parts
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use janua_config::FileKind;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(name)
        }

        fn file(&self, name: &str) {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            fs::write(self.path(name), name).unwrap();
        }

        fn places(&self, name: &str) -> Places {
            let mut list = WatchList::default();
            list.add(self.path(name), FileKind::Reference);
            Places::of(&list)
        }

        /// The entries on the way of a path, relative to this folder.
        fn entries(&self, name: &str) -> Vec<String> {
            let places = self.places(name);
            let entries = places.ways()[0].entries.iter();
            entries
                .map(|entry| {
                    let relative = entry.strip_prefix(self.path("")).unwrap();
                    relative.to_str().unwrap().to_owned()
                })
                .collect()
        }
    }

    #[test]
    fn every_link_on_the_way_is_watched() {
        let folder = Folder::new();
        // As Kubernetes mounts a secret.
        folder.file("mount/..2026_01/tls.crt");
        symlink("..2026_01", folder.path("mount/..data")).unwrap();
        symlink("..data/tls.crt", folder.path("mount/tls.crt")).unwrap();
        // As certbot has it, below another link.
        folder.file("archive/site/cert7.pem");
        fs::create_dir_all(folder.path("live/site")).unwrap();
        symlink(
            "../../archive/site/cert7.pem",
            folder.path("live/site/cert.pem"),
        )
        .unwrap();
        symlink(folder.path("live"), folder.path("current")).unwrap();
        symlink("loop", folder.path("loop")).unwrap();
        symlink("nowhere/file", folder.path("dangling")).unwrap();
        folder.file("plain");
        for (path, expected) in [
            ("plain", ["plain"].as_slice()),
            (
                "mount/tls.crt",
                &["mount/tls.crt", "mount/..data", "mount/..2026_01/tls.crt"],
            ),
            (
                "current/site/cert.pem",
                &["current", "live/site/cert.pem", "archive/site/cert7.pem"],
            ),
            ("mount/../plain", &["plain"]),
            // The first part that is not there.
            ("missing", &["missing"]),
            ("missing/below/file", &["missing"]),
            ("dangling", &["dangling", "nowhere"]),
            ("plain/below", &["plain"]),
        ] {
            assert_eq!(folder.entries(path), expected, "{path}");
        }
        assert_eq!(folder.entries("loop").len(), MOST_LINKS + 1);
    }

    #[test]
    fn other_files_of_a_directory_do_not_matter() {
        let folder = Folder::new();
        folder.file("a/one");
        let places = folder.places("a/one");
        assert!(places.concern(&folder.path("a/one")));
        assert!(!places.concern(&folder.path("a/two")));
        // The directory itself may be moved.
        assert!(places.concern(&folder.path("a")));
        assert!(!places.concern(&folder.path("")));
        assert_eq!(places.directories(), &BTreeSet::from([folder.path("a")]));
    }

    #[test]
    fn a_pattern_watches_its_directory() {
        let folder = Folder::new();
        fs::create_dir(folder.path("real")).unwrap();
        symlink("real", folder.path("sites")).unwrap();
        let mut list = WatchList::default();
        for directory in ["sites", "later"] {
            list.patterns.push(Pattern {
                directory: folder.path(directory),
                name: "*.toml".to_owned(),
            });
        }
        let places = Places::of(&list);
        for (path, concerns) in [
            ("real/a.toml", true),
            ("real/a.txt", false),
            ("real/.a.toml", false),
            ("sites", true),
            ("later", true),
            ("other", false),
            ("a.toml", false),
        ] {
            assert_eq!(places.concern(&folder.path(path)), concerns, "{path}");
        }
    }
}
