//! What still answers after a deploy has removed it.
//!
//! A page that was open before a deploy asks for the chunks of the old build,
//! whose names hold hashes of their content. Those that match the globs of
//! `retain_files` are kept in a [`Store`] while they are there, and answer from
//! it for a time after they have gone.
//!
//! The root is looked through when it is opened, every two seconds, and before
//! and after a deploy that says so. A pass over a root in which nothing changed
//! costs one `stat` a directory: only directories whose time has changed are
//! read. A file that is served before a pass has seen it is kept at once, so that
//! what somebody holds a page of is kept whatever the timing. Symbolic links to
//! directories are not walked into (they may lead in circles); what lies behind
//! them is kept when it is first served.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::directory::{Directory, Identity};
use crate::error::OpenError;
use crate::keeper::Bell;
use crate::options::{Options, Retain};
use crate::store::Store;
use crate::tree::{Branch, Tree};

/// More than any build has; a glob that matches more was meant otherwise.
const MAX_FILES: usize = 100_000;

/// Each so many passes all that is kept is compared with the root, also if no
/// directory has changed: for what lies behind links.
const THOROUGH: u64 = 30;

pub(crate) struct Retention {
    globs: GlobSet,
    branches: Vec<Branch>,
    /// In seconds.
    period: i64,
    hidden: bool,
    store: Store,
    state: Mutex<State>,
    /// Held for a whole pass, over the disk; `state` never is.
    pass: Mutex<Pass>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct State {
    kept: HashMap<Box<[u8]>, Kept, ahash::RandomState>,
    /// Served or missed, and to be compared with the root.
    asked: HashSet<Box<[u8]>>,
    /// Directories that the root was until now.
    replaced: Vec<Arc<Directory>>,
}

/// A file of the store.
#[derive(Clone, Copy)]
struct Kept {
    stamp: Stamp,
    /// True if a run before this one made it, perhaps as a copy: then the stamp
    /// is the copy's, and tells length and time alone.
    is_inherited: bool,
    /// Since when it is gone from the root, in seconds since 1970.
    gone: Option<i64>,
}

/// Which content it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    identity: Identity,
    length: u64,
    modified: (i64, i64),
}

#[derive(Default)]
struct Pass {
    tree: Tree,
    of: Option<Identity>,
    count: u64,
    /// Something could not be kept, and is tried again.
    failed: bool,
    warned_full: bool,
}

impl Retention {
    pub(crate) fn open(
        options: &Options,
        retain: &Retain,
        bell: Arc<Bell>,
    ) -> Result<Self, OpenError> {
        if retain.files.is_empty() {
            return Err(OpenError::NothingToRetain);
        }
        let mut globs = GlobSetBuilder::new();
        for glob in &retain.files {
            let built = GlobBuilder::new(glob.trim_start_matches('/'))
                .literal_separator(true)
                .build();
            globs.add(built.map_err(|error| OpenError::Glob {
                glob: glob.clone(),
                why: error.kind().to_string(),
            })?);
        }
        let globs = globs.build().map_err(|error| OpenError::Glob {
            glob: retain.files.join(", "),
            why: error.kind().to_string(),
        })?;
        let path = retain.store_of(&options.root);
        refuse_nesting(&path, &options.root)?;
        let store = Store::open(&path)?;
        let mut gone = store.read_gone();
        let list = store
            .list(MAX_FILES)
            .map_err(|error| OpenError::Store { store: path, error })?;
        let kept = list.into_iter().map(|(path, facts)| {
            let stamp = Stamp::of(&facts);
            let gone = gone.remove(&path);
            let kept = Kept {
                stamp,
                is_inherited: true,
                gone,
            };
            (path.into(), kept)
        });
        Ok(Self {
            branches: retain.files.iter().map(|glob| Branch::of(glob)).collect(),
            globs,
            period: i64::try_from(retain.period.as_secs()).unwrap_or(i64::MAX),
            hidden: options.hidden,
            store,
            state: Mutex::new(State {
                kept: kept.collect(),
                ..State::default()
            }),
            pass: Mutex::default(),
            bell,
        })
    }

    /// Where to find a file that is missing in the root: nowhere unless it
    /// matches, is kept, and its time is not over.
    pub(crate) fn find(&self, path: &[u8], now: i64) -> Option<&Directory> {
        if !self.matches(path) {
            return None;
        }
        let mut state = self.lock();
        let kept = state.kept.get(path)?;
        match kept.gone {
            Some(gone) if now.saturating_sub(gone) >= self.period => return None,
            Some(_) => {}
            None => {
                // The pass has not seen yet that it is gone.
                state.asked.insert(path.into());
                drop(state);
                self.bell.ring();
            }
        }
        Some(self.store.directory())
    }

    /// Keeps a file that was served, if no pass has met it yet.
    pub(crate) fn was_served(&self, path: &[u8]) {
        if !self.matches(path) {
            return;
        }
        let mut state = self.lock();
        if state.kept.contains_key(path) || state.kept.len() >= MAX_FILES {
            return;
        }
        state.asked.insert(path.into());
        drop(state);
        self.bell.ring();
    }

    /// Keeps what a directory has that is no longer the root.
    pub(crate) fn was_replaced(&self, directory: Arc<Directory>) {
        self.lock().replaced.push(directory);
        self.bell.ring();
    }

    /// Brings the store up to the root as it is now, in seconds since 1970.
    /// Blocks.
    pub(crate) fn pass(&self, root: Option<&Directory>, now: i64) {
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, replaced) = {
            let mut state = self.lock();
            let asked = std::mem::take(&mut state.asked);
            (asked, std::mem::take(&mut state.replaced))
        };
        for old in replaced {
            // Before the root itself, whose own files then take their place.
            let mut tree = Tree::default();
            self.read(&mut tree, &old, now);
            self.keep_all(&mut pass, &old, &tree);
        }
        let is_another = pass.of != root.map(Directory::identity);
        if is_another {
            pass.tree = Tree::default();
            pass.of = root.map(Directory::identity);
        }
        let mut is_changed = is_another || pass.failed || pass.count.is_multiple_of(THOROUGH);
        pass.count = pass.count.wrapping_add(1);
        pass.failed = false;
        if let Some(root) = root {
            let mut tree = std::mem::take(&mut pass.tree);
            is_changed |= self.read(&mut tree, root, now);
            if is_changed {
                self.keep_all(&mut pass, root, &tree);
            }
            pass.tree = tree;
            for path in &asked {
                self.keep(&mut pass, root, path);
            }
        }
        let mut is_other = false;
        if is_changed || !asked.is_empty() {
            let only = (!is_changed).then_some(&asked);
            is_other = self.compare(&pass.tree, root, only, now);
        }
        is_other |= self.expire(now);
        if is_other {
            self.save();
        }
    }

    /// How many files are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.lock().kept.len()
    }

    fn read(&self, tree: &mut Tree, directory: &Directory, now: i64) -> bool {
        let matches = |path: &[u8]| self.matches(path);
        tree.read(directory, &self.branches, self.hidden, &matches, now)
    }

    fn keep_all(&self, pass: &mut Pass, directory: &Directory, tree: &Tree) {
        for (path, stamp) in tree.files() {
            let is_kept = {
                let state = self.lock();
                let kept = state.kept.get(path);
                kept.is_some_and(|kept| kept.is(stamp))
            };
            if !is_kept {
                self.keep(pass, directory, path);
            }
        }
    }

    fn keep(&self, pass: &mut Pass, directory: &Directory, path: &[u8]) {
        let Ok((file, facts)) = directory.find_file(path) else {
            return;
        };
        let stamp = Stamp::of(&facts);
        {
            let state = self.lock();
            match state.kept.get(path) {
                Some(kept) if kept.is(&stamp) => return,
                None if state.kept.len() >= MAX_FILES => {
                    if !pass.warned_full {
                        pass.warned_full = true;
                        let store = self.store.path().display();
                        tracing::warn!(%store, most = MAX_FILES, "no more removed files are kept");
                    }
                    return;
                }
                _ => {}
            }
        }
        match self.store.keep(path, &file, &facts) {
            Ok(()) => {
                let kept = Kept {
                    stamp,
                    is_inherited: false,
                    gone: None,
                };
                self.lock().kept.insert(path.into(), kept);
            }
            Err(error) => {
                if !pass.failed {
                    let path = String::from_utf8_lossy(path);
                    let store = self.store.path().display();
                    tracing::warn!(%store, %path, %error, "a file cannot be kept for later");
                }
                pass.failed = true;
            }
        }
    }

    /// Notes what is gone and what is back, of all that is kept or of some; true
    /// if there was any.
    fn compare(
        &self,
        tree: &Tree,
        root: Option<&Directory>,
        only: Option<&HashSet<Box<[u8]>>>,
        now: i64,
    ) -> bool {
        let present: HashSet<&[u8], ahash::RandomState> =
            tree.files().map(|(path, _)| path).collect();
        let is_there = |path: &[u8]| {
            present.contains(path)
                || root.is_some_and(|root| root.facts(path).is_ok_and(|facts| facts.is_file()))
        };
        let paths: Vec<Box<[u8]>> = match only {
            Some(only) => only.iter().cloned().collect(),
            None => self.lock().kept.keys().cloned().collect(),
        };
        let mut is_other = false;
        for path in paths {
            let is_there = is_there(&path);
            if let Some(kept) = self.lock().kept.get_mut(&path)
                && kept.gone.is_none() != is_there
            {
                kept.gone = (!is_there).then_some(now);
                is_other = true;
            }
        }
        is_other
    }

    /// Removes what is gone for so long; true if there was any.
    fn expire(&self, now: i64) -> bool {
        let is_over = |kept: &Kept| {
            kept.gone
                .is_some_and(|gone| now.saturating_sub(gone) >= self.period)
        };
        let over: Vec<Box<[u8]>> = {
            let state = self.lock();
            let over = state.kept.iter().filter(|(_, kept)| is_over(kept));
            over.map(|(path, _)| path.clone()).collect()
        };
        for path in &over {
            self.lock().kept.remove(path);
            if let Err(error) = self.store.remove(path) {
                let path = String::from_utf8_lossy(path);
                let store = self.store.path().display();
                tracing::warn!(%store, %path, %error, "a file whose time is over cannot be removed");
            }
        }
        !over.is_empty()
    }

    fn save(&self) {
        let gone: Vec<(Box<[u8]>, i64)> = {
            let state = self.lock();
            let kept = state.kept.iter();
            kept.filter_map(|(path, kept)| Some((path.clone(), kept.gone?)))
                .collect()
        };
        let lines = gone.iter().map(|(path, gone)| (&**path, *gone));
        if let Err(error) = self.store.write_gone(lines) {
            let store = self.store.path().display();
            tracing::warn!(%store, %error, "cannot note since when files are gone");
        }
    }

    fn matches(&self, path: &[u8]) -> bool {
        self.globs.is_match(Path::new(OsStr::from_bytes(path)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// True if it is what the root has. Length and time alone are not asked where
    /// more is known: builds may give each file the same time.
    fn is(&self, stamp: &Stamp) -> bool {
        let own = &self.stamp;
        own == stamp
            || (self.is_inherited && (own.length, own.modified) == (stamp.length, stamp.modified))
    }
}

impl Stamp {
    pub(crate) fn of(facts: &Metadata) -> Self {
        Self {
            identity: Identity::of(facts),
            length: facts.len(),
            modified: (facts.mtime(), facts.mtime_nsec()),
        }
    }
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
