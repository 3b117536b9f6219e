//! Where a secret comes from.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::content::{Content, Kind};
use crate::key::SHORTEST;

/// The longest file that is read, in bytes.
const LONGEST: usize = 4 * 1024 * 1024;
/// Where systemd puts credentials (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The places from which a secret is read, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What is there.
    pub kind: Kind,
    /// Where it is. The first one's key signs and seals; each checks and opens.
    pub places: Vec<Place>,
}

/// Where one file of a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A credential of systemd.
    Credential(String),
}

/// A secret that was read.
#[derive(Debug)]
pub struct Loaded {
    /// Its content.
    pub content: Content,
    /// What the operator should know, each with the index of its place.
    pub warnings: Vec<(usize, String)>,
}

/// Why a secret cannot be read. The message contains none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The index of the place.
    pub place: usize,
    /// What is wrong there.
    pub why: String,
}

impl Source {
    /// Reads the secret. Variables are looked up by `env`.
    ///
    /// # Errors
    /// [`LoadError`] for the first place that cannot be read, or has no secret of this kind.
    pub fn load(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, LoadError> {
        let mut files = Vec::new();
        let mut readable_by_all = Vec::new();
        for (place, from) in self.places.iter().enumerate() {
            let read = from.read(env).map_err(|why| LoadError { place, why })?;
            files.push(read.bytes);
            if read.is_readable_by_all {
                readable_by_all.push(place);
            }
        }
        let content = Content::read(self.kind, files).map_err(|(place, why)| LoadError {
            place,
            why: match self.places.get(place) {
                Some(from) => format!("{from}: {why}"),
                None => why.to_string(),
            },
        })?;
        let mut warnings: Vec<(usize, String)> = Vec::new();
        if content.is_confidential() {
            let warn = |place: usize| {
                let from = self.places.get(place)?;
                let why = format!("{from} can be read by every user: `chmod o-r` it");
                Some((place, why))
            };
            warnings.extend(readable_by_all.into_iter().filter_map(warn));
        }
        if self.kind == Kind::Raw {
            let of_places = self.places.iter().zip(&content.keys).enumerate();
            warnings.extend(of_places.filter_map(|(place, (from, key))| {
                let length = key.bytes().map(<[u8]>::len)?;
                let why = format!(
                    "{from} has {length} bytes: a key of fewer than {SHORTEST} neither signs nor seals"
                );
                (length < SHORTEST).then_some((place, why))
            }));
        }
        warnings.extend(
            content
                .skipped()
                .iter()
                .map(|why| (0, format!("not used: {why}"))),
        );
        Ok(Loaded { content, warnings })
    }
}

struct Bytes {
    bytes: Zeroizing<Vec<u8>>,
    is_readable_by_all: bool,
}

impl Place {
    fn read(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Bytes, String> {
        let failed = |error: io::Error| format!("{self} cannot be read: {error}");
        match self {
            Self::File(path) => read(path).map_err(failed),
            Self::Variable(name) => {
                let text = env(name).ok_or_else(|| format!("{self} is not set, or not UTF-8"))?;
                Ok(Bytes {
                    bytes: Zeroizing::new(text.into_bytes()),
                    is_readable_by_all: false,
                })
            }
            Self::Credential(name) => {
                let directory = env(CREDENTIALS).ok_or_else(|| {
                    format!("{self}: there is no ${CREDENTIALS}; write `LoadCredential={name}:…` in the unit of systemd")
                })?;
                read(&Path::new(&directory).join(name)).map_err(failed)
            }
        }
    }
}

fn read(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let facts = file.metadata()?;
    // All at once: a buffer that grows leaves copies behind.
    let expected = usize::try_from(facts.len()).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(LONGEST) + 64));
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST {
        return Err(io::Error::other(format!(
            "it is longer than {LONGEST} bytes"
        )));
    }
    Ok(Bytes {
        bytes,
        is_readable_by_all: facts.permissions().mode() & 0o004 != 0,
    })
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable `{name}`"),
            Self::Credential(name) => write!(f, "the credential `{name}`"),
        }
    }
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn load(places: Vec<Place>, directory: &Path) -> Result<Loaded, LoadError> {
        let directory = directory.to_str().unwrap().to_owned();
        let env = move |name: &str| match name {
            CREDENTIALS => Some(directory.clone()),
            "KEY" => Some("read from a variable\n".to_owned()),
            _ => None,
        };
        let kind = Kind::Raw;
        Source { kind, places }.load(&env)
    }

    #[test]
    fn secrets_are_read_from_files_variables_and_credentials() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "read from a file\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let places = vec![
            Place::File(path),
            Place::Variable("KEY".to_owned()),
            Place::Credential("key".to_owned()),
        ];
        let loaded = load(places, directory.path()).unwrap();
        let texts: Vec<_> = loaded.content.keys.iter().map(|key| key.bytes()).collect();
        assert_eq!(
            texts,
            [
                Some(&b"read from a file"[..]),
                Some(b"read from a variable"),
                Some(b"read from a file")
            ]
        );
        assert_eq!(loaded.warnings, []);
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("absent");
        let places = vec![Place::Variable("KEY".to_owned()), Place::File(absent)];
        let error = load(places, directory.path()).unwrap_err();
        assert_eq!(error.place, 1);
        assert!(
            error
                .why
                .ends_with("absent cannot be read: No such file or directory (os error 2)")
        );
        let error = load(vec![Place::Variable("NO".to_owned())], directory.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable `NO` is not set, or not UTF-8"
        );
        let source = Source {
            kind: Kind::Raw,
            places: vec![Place::Credential("key".to_owned())],
        };
        let error = source.load(&|_| None).unwrap_err();
        assert!(error.why.contains("LoadCredential=key:"), "{error}");
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "sixteen bytes or more").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let loaded = load(vec![Place::File(path)], directory.path()).unwrap();
        let [(0, warning)] = &loaded.warnings[..] else {
            panic!("{:?}", loaded.warnings);
        };
        assert!(warning.ends_with("can be read by every user: `chmod o-r` it"));
    }

    #[test]
    fn a_key_that_is_too_short_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        for (text, count) in [("fifteen bytes..", 1), ("sixteen bytes...", 0)] {
            let path = directory.path().join("key");
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let loaded = load(vec![Place::File(path)], directory.path()).unwrap();
            assert_eq!(loaded.warnings.len(), count, "{:?}", loaded.warnings);
        }
    }
}
