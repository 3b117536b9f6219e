//! Shared by the tests of files: a served directory, a secret next to it, and a
//! gateway with one route.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use janua_tests::{Gateway, Response, Settings};
use tempfile::TempDir;

/// The content that no response may ever contain.
pub(crate) const SECRET: &str = "the-secret-outside-of-the-root";

/// A directory `root`, a file `secret.txt` beside it.
pub(crate) struct Disk(TempDir);

impl Disk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::write(folder.path().join("secret.txt"), SECRET).unwrap();
        Self(folder)
    }

    /// With these files below the root.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let disk = Self::new();
        for (name, content) in files {
            disk.write(name, content);
        }
        disk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A path below the root.
    pub(crate) fn below(&self, name: &str) -> PathBuf {
        self.path("root").join(name)
    }

    /// Writes a file below the root, with an age of an hour: the tags of
    /// recently changed files are weak.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.below(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        set_age(&path, 3600);
    }

    /// A gateway with one route whose target are the files; `{root}` in the
    /// lines is replaced by the root.
    pub(crate) async fn serve(&self, lines: &str) -> Gateway {
        self.serve_with(Settings::new(), "", lines).await
    }

    /// The same with other settings, and with tables before the listener.
    pub(crate) async fn serve_with(
        &self,
        settings: Settings,
        tables: &str,
        lines: &str,
    ) -> Gateway {
        settings.start(self.config(tables, lines)).await
    }

    /// Its configuration.
    pub(crate) fn config(&self, tables: &str, lines: &str) -> String {
        let root = self.path("root").display().to_string();
        format!(
            "{tables}
[listeners.public]
address = \"127.0.0.1:0\"

[[sites]]
hosts = [\"*\"]

[[sites.routes]]
{}
",
            lines.replace("{root}", &root)
        )
    }
}

pub(crate) fn set_age(path: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    File::open(path).unwrap().set_modified(time).unwrap();
}

/// The named fields of a response, in this order; absent ones are "".
pub(crate) fn values<'a, const N: usize>(response: &'a Response, names: [&str; N]) -> [&'a str; N] {
    names.map(|name| response.header(name).unwrap_or_default())
}
