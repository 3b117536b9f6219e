//! Looks for changes of files for which there are no events: on network file systems, whose
//! files others change; files that are mounted one by one, as container engines do; and
//! everything, if the system has no watches left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statfs, statx};

use crate::places::Places;

/// File systems that report no events of other machines, or of the host of a virtual machine
/// (`statfs(2)`): NFS, SMB (three kinds), 9P, FUSE, AFS (two kinds), Ceph, Coda, GFS2, Lustre,
/// OCFS2, VirtualBox.
const WITHOUT_EVENTS: [u64; 14] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x0102_1997,
    0x6573_5546,
    0x5346_414f,
    0x6b41_4653,
    0x00c3_6400,
    0x7375_7245,
    0x0116_1970,
    0x0bd0_0bd0,
    0x7461_636f,
    0x786f_4256,
];

/// Files that are looked at in intervals.
#[derive(Debug, Default)]
pub(crate) struct Poll(BTreeMap<PathBuf, State>);

/// What a change changes: device, inode, length, and time of the last modification in
/// nanoseconds; none for a file that does not exist.
type State = Option<(u64, u64, u64, i64, i64)>;

impl Poll {
    /// The paths for which there are no events. `unwatched` are the directories that could not
    /// be watched.
    pub(crate) fn needed(places: &Places, unwatched: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mut known = BTreeMap::new();
        let mut has_no_events = |directory: &Path| {
            *known
                .entry(directory.to_owned())
                .or_insert_with(|| unwatched.contains(directory) || is_without_events(directory))
        };
        let ways = places.ways().iter();
        ways.filter(|way| {
            let mut directories = way.entries.iter().filter_map(|entry| entry.parent());
            directories.any(&mut has_no_events)
                || way.entries.last().is_some_and(|file| is_mount(file))
        })
        .map(|way| way.path.clone())
        .collect()
    }

    /// Looks at these files from now on.
    pub(crate) fn follow(&mut self, paths: BTreeSet<PathBuf>) {
        self.0.retain(|path, _| paths.contains(path));
        for path in paths {
            self.0.entry(path).or_insert_with_key(|path| state(path));
        }
    }

    /// The files that have changed since they were last looked at.
    pub(crate) fn changed(&mut self) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for (path, known) in &mut self.0 {
            let now = state(path);
            if now != *known {
                *known = now;
                changed.push(path.clone());
            }
        }
        changed
    }

    /// How many files are looked at.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

fn state(path: &Path) -> State {
    let of = |found: Metadata| {
        let (seconds, nanoseconds) = (found.mtime(), found.mtime_nsec());
        (found.dev(), found.ino(), found.len(), seconds, nanoseconds)
    };
    fs::metadata(path).ok().map(of)
}

fn is_without_events(directory: &Path) -> bool {
    #[allow(
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the type of the magic number depends on the architecture"
    )]
    let kind = |found: rustix::fs::StatFs| found.f_type as u64 & 0xffff_ffff;
    statfs(directory).is_ok_and(|found| WITHOUT_EVENTS.contains(&kind(found)))
}

/// Whether another file is mounted over this one: its events are those of another directory.
fn is_mount(file: &Path) -> bool {
    let attributes = statx(CWD, file, AtFlags::empty(), StatxFlags::TYPE);
    attributes.is_ok_and(|found| {
        found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) && !file.is_dir()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use janua_config::{FileKind, WatchList};

    use super::*;

    #[test]
    fn a_change_is_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "a").unwrap();
        fs::write(path("other"), "other").unwrap();
        symlink("a", path("link")).unwrap();
        let mut poll = Poll::default();
        let all = ["a", "link", "missing"].map(path);
        poll.follow(all.clone().into());
        assert_eq!(poll.len(), 3);
        assert!(poll.changed().is_empty());

        fs::write(path("a"), "longer").unwrap();
        assert_eq!(poll.changed(), ["a", "link"].map(path));
        assert!(poll.changed().is_empty());
        fs::remove_file(path("link")).unwrap();
        symlink("other", path("link")).unwrap();
        fs::write(path("missing"), "").unwrap();
        // What is already looked at is not looked at anew.
        poll.follow(all.into());
        assert_eq!(poll.changed(), ["link", "missing"].map(path));
        poll.follow(BTreeSet::new());
        fs::remove_file(path("a")).unwrap();
        assert!(poll.changed().is_empty());
    }

    #[test]
    fn only_files_without_events_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        fs::create_dir(folder.join("below")).unwrap();
        fs::write(folder.join("below/file"), "").unwrap();
        symlink("below/file", folder.join("link")).unwrap();
        let mut list = WatchList::default();
        for name in ["link", "missing", "below/file"] {
            list.add(folder.join(name), FileKind::Reference);
        }
        let places = Places::of(&list);
        assert!(Poll::needed(&places, &BTreeSet::new()).is_empty());
        let unwatched = BTreeSet::from([folder.join("below")]);
        let expected = ["below/file", "link"].map(|name| folder.join(name));
        assert_eq!(Poll::needed(&places, &unwatched), expected.into());
        let unwatched = BTreeSet::from([folder.clone()]);
        let expected = ["link", "missing"].map(|name| folder.join(name));
        assert_eq!(Poll::needed(&places, &unwatched), expected.into());
    }
}
