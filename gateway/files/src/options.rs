//! The configured rules of one root.

use std::path::PathBuf;
use std::time::Duration;

use janua_http::accept_encoding::Coding;

/// What is served below a directory, and how. A reload compares these to find
/// roots that have not changed, and keeps those.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// The directory. It may be a symbolic link, which is always followed.
    pub root: PathBuf,
    /// Names of index files for a directory; the first that exists is served.
    pub index: Vec<String>,
    /// Whether a directory without an index is answered with a list of its
    /// entries.
    pub listing: bool,
    /// The precompressed siblings to look for (`x.br`, `x.gz`, `x.zst`), in
    /// order of preference among those that a client prefers equally.
    pub precompressed: Vec<Coding>,
    /// How symbolic links below the root are treated.
    pub symlinks: Symlinks,
    /// Whether names that begin with a dot are served. `/.well-known/` always
    /// is.
    pub hidden: bool,
    /// Which files are retained after their removal; `None` retains none.
    pub retain: Option<Retain>,
}

impl Options {
    /// A root with the index `index.html` and default rules otherwise.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            index: vec!["index.html".to_owned()],
            listing: false,
            precompressed: Vec::new(),
            symlinks: Symlinks::Inside,
            hidden: false,
            retain: None,
        }
    }
}

/// How symbolic links below the root are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Symlinks {
    /// Followed as long as each step stays below the root. A link with an
    /// absolute target leads out, even if the target lies below the root.
    #[default]
    Inside,
    /// A path that contains a link counts as missing.
    Refuse,
    /// Followed wherever they lead.
    Follow,
}

/// Which files are still served after a deploy has removed them, and for how
/// long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Retain {
    /// How long, counted from when the file was first found to be missing.
    pub period: Duration,
    /// Globs of paths below the root, such as `assets/**`; `*` does not match a
    /// slash. At least one is needed.
    pub files: Vec<String>,
    /// The gateway's own directory for retained files. `None` is
    /// `<root>.retained` next to the root, or next to the last symbolic link in
    /// the root's path. On the same file system it takes no additional space
    /// until the files are removed from the root.
    pub store: Option<PathBuf>,
}
