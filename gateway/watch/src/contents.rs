//! What files contain, as digests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use janua_config::{FileKind, LONGEST_LIST, Pattern, Sources, WatchList};
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

/// How much of a file is read at once, in bytes.
const PIECE: usize = 64 * 1024;

/// The contents of the files of a [`WatchList`] at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents(BTreeMap<PathBuf, Content>);

/// The content of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Missing,
    /// It cannot be read for this reason, or is a directory or a device.
    Unreadable(io::ErrorKind),
    /// Its SHA-256.
    Digest([u8; 32]),
    /// The names of the files that match a pattern.
    Names(BTreeSet<String>),
}

impl Contents {
    /// Reads all files.
    pub fn read(list: &WatchList) -> Self {
        let files = list.files.iter();
        let files = files.map(|(path, kind)| (path.clone(), Content::of_file(path, *kind)));
        let patterns = list.patterns.iter().map(|pattern| {
            let path = pattern.directory.join(&pattern.name);
            (path, Content::of_pattern(pattern))
        });
        Self(files.chain(patterns).collect())
    }

    /// What files contained when these sources were read.
    #[must_use]
    pub fn with_sources(mut self, sources: &Sources) -> Self {
        for (_, source) in sources.iter() {
            // What is read from a pipe cannot be compared.
            if let Some(content @ (Content::Digest(_) | Content::Missing)) =
                self.0.get_mut(&source.path)
            {
                *content = Content::Digest(Sha256::digest(source.text.as_bytes()).into());
            }
        }
        self
    }

    /// Without the files that are not in the list.
    #[must_use]
    pub fn only(mut self, list: &WatchList) -> Self {
        let patterns = list.patterns.iter();
        let patterns: Vec<PathBuf> = patterns.map(|it| it.directory.join(&it.name)).collect();
        self.0
            .retain(|path, _| list.files.contains_key(path) || patterns.contains(path));
        self
    }

    /// The paths whose content is another one in `now`.
    pub fn changed<'a>(&self, now: &'a Self) -> Vec<&'a Path> {
        let is_other = |(path, content): &(&PathBuf, &Content)| self.0.get(*path) != Some(*content);
        let others = now.0.iter().filter(is_other);
        others.map(|(path, _)| path.as_path()).collect()
    }

    /// Whether there is no such file.
    pub fn is_missing(&self, path: &Path) -> bool {
        matches!(self.0.get(path), Some(Content::Missing))
    }
}

impl Content {
    fn of_file(path: &Path, kind: FileKind) -> Self {
        let most = match kind {
            // Whoever writes a list is not trusted with the time of this thread. A longer file is
            // refused, whatever the rest of it is.
            FileKind::EndpointList => LONGEST_LIST + 1,
            FileKind::Configuration
            | FileKind::Certificate
            | FileKind::Component
            | FileKind::Reference => u64::MAX,
        };
        digest(path, most).map_or_else(|error| Self::of_error(&error), Self::Digest)
    }

    fn of_pattern(pattern: &Pattern) -> Self {
        match names(pattern) {
            Ok(names) => Self::Names(names),
            Err(error) => Self::of_error(&error),
        }
    }

    fn of_error(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            kind => Self::Unreadable(kind),
        }
    }
}

/// The digest of a file, or of its beginning if it has more than `most` bytes.
fn digest(path: &Path, most: u64) -> io::Result<[u8; 32]> {
    // A pipe or a device could block, or never end; and opening a device may do something.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    // It may have been replaced in between.
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut file = file.take(most);
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(digest.finalize().into()),
            Ok(length) => digest.update(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn names(pattern: &Pattern) -> io::Result<BTreeSet<String>> {
    let directory = match pattern.directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => &pattern.directory,
    };
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(directory)? {
        if let Ok(name) = entry?.file_name().into_string()
            && pattern.matches(&name)
        {
            names.insert(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use janua_config::FileKind;

    use super::*;

    #[test]
    fn only_another_content_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut list = WatchList::default();
        for name in ["same", "touched", "edited", "removed", "made", "never"] {
            list.add(path(name), FileKind::Reference);
            if !["made", "never"].contains(&name) {
                fs::write(path(name), "before").unwrap();
            }
        }
        list.patterns.push(Pattern {
            directory: folder.path().to_owned(),
            name: "*.toml".to_owned(),
        });
        let before = Contents::read(&list);
        assert!(before.changed(&Contents::read(&list)).is_empty());

        fs::write(path("touched"), "before").unwrap();
        fs::write(path("edited"), "after!").unwrap();
        fs::remove_file(path("removed")).unwrap();
        fs::write(path("made"), "").unwrap();
        fs::write(path("a.toml"), "").unwrap();
        fs::write(path(".a.toml"), "").unwrap();
        let after = Contents::read(&list);
        let changed = before.changed(&after);
        let expected = ["*.toml", "edited", "made", "removed"].map(path);
        assert_eq!(changed, expected);
        assert!(after.is_missing(&path("removed")) && after.is_missing(&path("never")));
        assert!(!after.is_missing(&path("made")));
    }

    #[test]
    fn what_cannot_be_read_is_not_missing() {
        let folder = tempfile::tempdir().unwrap();
        let mut list = WatchList::default();
        list.add(folder.path(), FileKind::Reference);
        let contents = Contents::read(&list);
        assert!(!contents.is_missing(folder.path()));
    }

    #[test]
    fn of_a_list_only_as_much_is_read_as_a_list_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut list = WatchList::default();
        list.add(path("list"), FileKind::EndpointList);
        list.add(path("other"), FileKind::Reference);
        let most = usize::try_from(LONGEST_LIST).unwrap();
        let write = |last: &str| {
            let text = " ".repeat(most + 1) + last;
            fs::write(path("list"), &text).unwrap();
            fs::write(path("other"), &text).unwrap();
        };
        write("a");
        let before = Contents::read(&list);
        write("b");
        let after = Contents::read(&list);
        assert_eq!(before.changed(&after), [path("other")]);
        // A file without blocks, which would take hours to be read.
        let file = OpenOptions::new().write(true).open(path("list")).unwrap();
        file.set_len(1 << 40).unwrap();
        assert!(after.changed(&Contents::read(&list)).is_empty());
    }

    #[test]
    fn what_was_loaded_counts_and_not_what_is_there_now() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("janua.toml");
        fs::write(&main, "new").unwrap();
        let sources = Sources::single(&main, "old");
        let list = WatchList::of_sources(&sources);
        let now = Contents::read(&list);
        let loaded = now.clone().with_sources(&sources);
        assert_eq!(loaded.changed(&now), [main.as_path()]);
        let current = Sources::single(&main, "new");
        assert_eq!(now.clone().with_sources(&current), now);
    }
}
