//! The rules of one root, as the configuration has them.

use std::path::PathBuf;
use std::time::Duration;

use janua_http::accept_encoding::Coding;

/// What is served below a directory, and how. Two roots with the same options
/// are the same root: a reload that changes nothing keeps it by comparing these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// The directory. It may be a symbolic link; that one is always followed.
    pub root: PathBuf,
    /// Names that answer for a directory, the first that is there.
    pub index: Vec<String>,
    /// True: a directory without an index answers a page of what is in it.
    pub listing: bool,
    /// The siblings to look for (`x.br`, `x.gz`, `x.zst`), in the order of
    /// preference between those that a client wants equally.
    pub precompressed: Vec<Coding>,
    /// What becomes of symbolic links below the root.
    pub symlinks: Symlinks,
    /// True: also names that begin with a dot. `/.well-known/` is always served.
    pub hidden: bool,
    /// What is kept after it has disappeared.
    pub retain: Option<Retain>,
}

impl Options {
    /// A root with an `index.html` and nothing else.
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

/// What becomes of symbolic links below the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Symlinks {
    /// Followed as long as each step stays below the root. A link whose target
    /// is an absolute path leads out, wherever it comes back in.
    #[default]
    Inside,
    /// A path with a link in it is missing.
    Refuse,
    /// Followed wherever they lead.
    Follow,
}

/// Which files still answer after a deploy has removed them, and how long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Retain {
    /// From the time that a file was first seen to be gone.
    pub period: Duration,
    /// Globs of paths below the root, such as `assets/**`; `*` does not match a
    /// slash. At least one.
    pub files: Vec<String>,
    /// The gateway's own directory for them; `None` is `<root>.retained`, beside
    /// the root, or beside the last link on the way to it. On the same file system it costs no space until the deploy.
    pub store: Option<PathBuf>,
}
