//! Runs the configurations of `examples/` with as few changes as possible.

use std::fmt;
use std::path::{Path, PathBuf};

/// A configuration of `examples/` with other addresses and directories; the
/// rest of the file is used unchanged. Each replacement names a field and its
/// value in the file, and fails if they do not occur.
#[derive(Clone, Debug)]
pub struct Example {
    name: String,
    text: String,
}

impl Example {
    /// `examples/<name>/janua.toml`.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let path = folder().join(name).join("janua.toml");
        let text = std::fs::read_to_string(&path);
        Self {
            name: name.to_owned(),
            text: text.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        }
    }

    /// Replaces a listener's `address` by a free port of the loopback address.
    #[must_use]
    pub fn listener(self, written: &str) -> Self {
        self.replace(&["address"], written, "127.0.0.1:0")
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
    pub fn text(mut self, written: &str, value: &str) -> Self {
        let (written, value) = (format!("\"{written}\""), format!("\"{value}\""));
        assert!(
            self.text.contains(&written),
            "no {written} in {}",
            self.name
        );
        self.text = self.text.replace(&written, &value);
        self
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

    /// Replaces a string wherever it is the value of one of these fields.
    fn replace(mut self, fields: &[&str], written: &str, value: &str) -> Self {
        let quoted = format!("\"{written}\"");
        let mut pieces = self.text.split(&quoted);
        let mut text = pieces.next().unwrap_or_default().to_owned();
        let mut replaced = 0;
        for piece in pieces {
            if fields.iter().any(|field| is_value_of(field, &text)) {
                text.push_str(&format!("\"{value}\""));
                replaced += 1;
            } else {
                text.push_str(&quoted);
            }
            text.push_str(piece);
        }
        assert!(
            replaced > 0,
            "examples/{} has no {quoted} in {fields:?}",
            self.name
        );
        self.text = text;
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

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}
