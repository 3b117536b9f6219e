//! Runs the configurations of `examples/` with as few changes as possible.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A configuration of `examples/` with other addresses and directories; the
/// rest of its files is used unchanged. Each replacement names a field and its
/// value in one of them, and fails if they do not occur.
#[derive(Clone, Debug)]
pub struct Example {
    name: String,
    text: String,
    /// The included files: their names in `sites`, and their text.
    included: Vec<(String, String)>,
}

impl Example {
    /// `examples/<name>/janua.toml`, and `sites/*.toml` beside it, which it may include.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let folder = folder().join(name);
        let read = |path: &Path| {
            let text = std::fs::read_to_string(path);
            text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let sites = std::fs::read_dir(folder.join(SITES)).into_iter().flatten();
        let sites = sites.map(|entry| entry.expect("it can be listed").path());
        Self {
            name: name.to_owned(),
            text: read(&folder.join("janua.toml")),
            included: sites
                .map(|path| {
                    let name = path.file_name().and_then(|name| name.to_str());
                    (name.expect("the name is text").to_owned(), read(&path))
                })
                .collect(),
        }
    }

    /// Without the included files except this one, as on a machine that has only that.
    #[must_use]
    pub fn only_included(mut self, file: &str) -> Self {
        self.included.retain(|(name, _)| name == file);
        assert_eq!(self.included.len(), 1, "{file} of {}", self.name);
        self
    }

    /// Writes the included files where a `janua.toml` in this directory finds them.
    pub fn write_included(&self, directory: &Path) {
        if self.included.is_empty() {
            return;
        }
        let sites = directory.join(SITES);
        std::fs::create_dir_all(&sites).expect("the directory can be made");
        for (name, text) in &self.included {
            std::fs::write(sites.join(name), text).expect("the file can be written");
        }
    }

    /// With the lines that are commented out. Their `#` has no space behind it, unlike that of
    /// a comment.
    #[must_use]
    pub fn uncommented(mut self) -> Self {
        let is_field = |line: &&str| {
            let after = line.strip_prefix('#');
            after.is_some_and(|after| !after.is_empty() && !after.starts_with(' '))
        };
        assert!(
            self.text.lines().any(|line| is_field(&line)),
            "examples/{} has no line that is commented out",
            self.name
        );
        let lines = self.text.lines().map(|line| match line {
            field if is_field(&field) => format!("{}\n", &field[1..]),
            other => format!("{other}\n"),
        });
        self.text = lines.collect();
        self
    }

    /// Replaces a listener's `address` by a free port of the loopback address.
    #[must_use]
    pub fn listener(self, written: &str) -> Self {
        self.replace(&["address"], written, "127.0.0.1:0")
    }

    /// Replaces a listener's `address` by this one.
    #[must_use]
    pub fn listener_at(self, written: &str, address: SocketAddr) -> Self {
        self.replace(&["address"], written, &address.to_string())
    }

    /// Orders certificates from the authority with this directory, whose HTTPS is verified by
    /// the certificates of a file.
    #[must_use]
    pub fn authority(self, directory: &str, roots: &Path) -> Self {
        self.add(
            "[acme]",
            &format!("directory = {directory:?}\nroots = {roots:?}"),
        )
    }

    /// Replaces the address of the gateway's own name server. This resolver knows who leads to
    /// it.
    #[must_use]
    pub fn name_server(self, written: &str, address: SocketAddr, resolver: SocketAddr) -> Self {
        let asked = format!("resolvers = [\"{resolver}\"]");
        self.replace(&["responder"], written, &address.to_string())
            .add("[acme.dns]", &asked)
    }

    /// Replaces the first of the trusted proxies by this network.
    #[must_use]
    pub fn trusted_proxy(self, written: &str, network: &str) -> Self {
        self.replace(&["trusted_proxies"], written, network)
    }

    /// Replaces the first endpoint of an upstream by this one.
    #[must_use]
    pub fn endpoint(self, written: &str, endpoint: &str) -> Self {
        self.replace(&["endpoints"], written, endpoint)
    }

    /// Replaces a string wherever it is, such as an endpoint that is not the first one.
    #[must_use]
    pub fn text(self, written: &str, value: &str) -> Self {
        let (written, value) = (format!("\"{written}\""), format!("\"{value}\""));
        self.edit(&written, |text| {
            (
                text.matches(&written).count(),
                text.replace(&written, &value),
            )
        })
    }

    /// Replaces a directory in all paths below it, such as `/etc/letsencrypt`.
    #[must_use]
    pub fn below(self, written: &str, path: &Path) -> Self {
        let path = path.to_str().expect("the path is text");
        let (written, value) = (format!("\"{written}/"), format!("\"{path}/"));
        self.edit(&written, |text| {
            (
                text.matches(&written).count(),
                text.replace(&written, &value),
            )
        })
    }

    /// Replaces the `root` of a target by this directory.
    #[must_use]
    pub fn directory(self, written: &str, path: &Path) -> Self {
        let path = path.to_str().expect("the path is text");
        self.replace(&["files", "root", "alias"], written, path)
    }

    /// Replaces a certificate and its key by these files.
    #[must_use]
    pub fn certificate(self, cert: (&str, &Path), key: (&str, &Path)) -> Self {
        let text = |path: &Path| path.to_str().expect("the path is text").to_owned();
        self.replace(&["cert"], cert.0, &text(cert.1))
            .replace(&["key"], key.0, &text(key.1))
    }

    /// Replaces the `url` of a webhook by this URL.
    #[must_use]
    pub fn webhook(self, written: &str, url: &str) -> Self {
        self.replace(&["url"], written, url)
    }

    /// Adds fields to a table.
    fn add(self, header: &str, fields: &str) -> Self {
        let line = format!("\n{header}\n");
        self.edit(header, |text| {
            let added = text.replace(&line, &format!("{line}{fields}\n"));
            (text.matches(&line).count(), added)
        })
    }

    /// Replaces a string wherever it is the value of one of these fields.
    fn replace(self, fields: &[&str], written: &str, value: &str) -> Self {
        let quoted = format!("\"{written}\"");
        let what = format!("{quoted} in {fields:?}");
        self.edit(&what, |text| {
            let mut pieces = text.split(&quoted);
            let mut edited = pieces.next().unwrap_or_default().to_owned();
            let mut replaced = 0;
            for piece in pieces {
                if fields.iter().any(|field| is_value_of(field, &edited)) {
                    edited.push_str(&format!("\"{value}\""));
                    replaced += 1;
                } else {
                    edited.push_str(&quoted);
                }
                edited.push_str(piece);
            }
            (replaced, edited)
        })
    }

    /// Edits all files. The function returns how often it found what it replaces, and the
    /// edited text.
    fn edit(mut self, what: &str, mut edit: impl FnMut(&str) -> (usize, String)) -> Self {
        let included = self.included.iter_mut().map(|(_, text)| text);
        let mut found = 0;
        for text in included.chain([&mut self.text]) {
            let (count, edited) = edit(text);
            found += count;
            *text = edited;
        }
        assert!(found > 0, "examples/{} has no {what}", self.name);
        self
    }
}

impl fmt::Display for Example {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Whether a string after this text is the value of a field, or the first in
/// its list.
fn is_value_of(field: &str, before: &str) -> bool {
    let before = before.trim_end().trim_end_matches('[').trim_end();
    let Some(before) = before.strip_suffix('=') else {
        return false;
    };
    let before = before.trim_end();
    let key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    before.rsplit(|c| !key(c)).next() == Some(field)
}

/// The directory of the included files.
const SITES: &str = "sites";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}
