//! Compiled components on disk, so that they need not be compiled at each start.
//!
//! The directory must have mode 0700 and belong to the effective user, because it
//! contains machine code that will be executed. Otherwise it is not used, with a
//! warning. The name of a file is a SHA-256 over the component, the version of wasmtime,
//! the engine's settings and the CPU features, so an outdated file is never used. A
//! file is written under a temporary name, synced and renamed. It has the checksum of an
//! [`Artefact`]: an incomplete or damaged file is compiled again.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::artefact::Artefact;
use crate::component::LoadError;
use crate::fingerprint::{Fingerprint, hex};

#[derive(Debug)]
pub(crate) struct CompileCache {
    dir: PathBuf,
    /// A hash of all that compiled code depends on, apart from the component.
    settings: [u8; 32],
}

impl CompileCache {
    /// Opens the directory and creates it if necessary. `None`, with a warning, if other
    /// users could write to it.
    pub(crate) fn open(dir: &Path, engine: &Engine) -> Option<Self> {
        match check(dir) {
            Ok(()) => Some(Self {
                dir: dir.to_owned(),
                settings: settings(engine),
            }),
            Err(why) => {
                tracing::warn!(
                    directory = %dir.display(),
                    "the compile cache is not used, components are compiled at each start: {why}"
                );
                None
            }
        }
    }

    /// Loads the compiled component from disk, or has it compiled and stores it there.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        bytes: &[u8],
        compile: impl FnOnce() -> Result<Artefact, LoadError>,
    ) -> Result<Component, LoadError> {
        let name = Fingerprint::new()
            .field(bytes)
            .field(&self.settings)
            .finish();
        let path = self.dir.join(format!("{}.cwasm", hex(&name)));
        if let Some(found) = read(engine, &path) {
            return Ok(found);
        }
        let artefact = compile()?;
        let component = artefact.load(engine)?;
        if let Err(error) = write(&path, artefact.bytes()) {
            tracing::warn!(file = %path.display(), "a compiled component could not be stored: {error:#}");
        }
        Ok(component)
    }
}

/// Checks that the directory may be used, and creates it if it does not exist. The
/// error says why not.
fn check(dir: &Path) -> Result<(), String> {
    let meta = match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(|error| format!("it cannot be created: {error}"))?;
            fs::symlink_metadata(dir)
        }
        found => found,
    }
    .map_err(|error| error.to_string())?;
    if !meta.is_dir() {
        return Err("it is not a directory".to_owned());
    }
    let user = rustix::process::geteuid().as_raw();
    if meta.uid() != user {
        return Err(format!(
            "it belongs to user {} and the gateway runs as {user}",
            meta.uid()
        ));
    }
    let mode = meta.mode() & 0o777;
    if mode != 0o700 {
        return Err(format!("its mode is {mode:04o} and must be 0700"));
    }
    Ok(())
}

fn read(engine: &Engine, path: &Path) -> Option<Component> {
    let file = match fs::read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(file = %path.display(), "a compiled component cannot be read: {error}");
            return None;
        }
    };
    let Some(artefact) = Artefact::from_bytes(file) else {
        tracing::warn!(file = %path.display(), "a compiled component is damaged and is compiled again");
        return None;
    };
    match artefact.load(engine) {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!(file = %path.display(), "a compiled component cannot be used and is compiled again: {error}");
            None
        }
    }
}

fn write(path: &Path, artefact: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let result = (|| {
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(artefact)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn settings(engine: &Engine) -> [u8; 32] {
    /// Passes the bytes of a `Hash` to a SHA-256.
    struct Feed(Sha256);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut feed = Feed(Sha256::new());
    // Covers wasmtime's version, the settings and the CPU features.
    engine.precompile_compatibility_hash().hash(&mut feed);
    feed.0.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn engine() -> Engine {
        crate::engine::engine().unwrap()
    }

    /// The smallest component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn compile(engine: &Engine) -> Result<Artefact, LoadError> {
        crate::compiler::generate(engine, EMPTY)
    }

    fn only_file(dir: &Path) -> PathBuf {
        let files: Vec<_> = fs::read_dir(dir).unwrap().collect();
        assert_eq!(files.len(), 1);
        files[0].as_ref().unwrap().path()
    }

    #[test]
    fn creates_its_directory_with_mode_0700() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/b");
        assert!(CompileCache::open(&dir, &engine()).is_some());
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_directory_that_others_can_write_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, used) in [
            (0o700, true),
            (0o755, false),
            (0o777, false),
            (0o770, false),
        ] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                CompileCache::open(dir.path(), &engine()).is_some(),
                used,
                "{mode:o}"
            );
        }
    }

    #[test]
    fn a_symlink_or_file_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("target");
        CompileCache::open(&target, &engine()).unwrap();
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(CompileCache::open(&link, &engine()).is_none());
    }

    #[test]
    fn a_damaged_file_is_compiled_again() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("cache");
        let engine = engine();
        let cache = CompileCache::open(&dir, &engine).unwrap();
        cache
            .component(&engine, EMPTY, || compile(&engine))
            .unwrap();
        let path = only_file(&dir);
        let good = fs::read(&path).unwrap();
        assert!(read(&engine, &path).is_some(), "it is found again");

        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for bad in [Vec::new(), good[..good.len() / 2].to_vec(), flipped] {
            fs::write(&path, &bad).unwrap();
            assert!(read(&engine, &path).is_none());
            cache
                .component(&engine, EMPTY, || compile(&engine))
                .unwrap();
            assert_eq!(fs::read(&path).unwrap(), good, "and is written again");
        }
    }
}
