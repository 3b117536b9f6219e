//! Compiled components on disk, so that they need not be compiled at each start.
//!
//! The directory has machine code that will be executed, so nobody else may be able to write
//! to it (`directory`); otherwise it is not used, with a warning. The name of a file is a
//! SHA-256 over the component, the version of wasmtime, the engine's settings, the CPU
//! features and the limits of structure, so an outdated file is never used. A file has the
//! checksum of an [`Artefact`]: an incomplete or damaged file is compiled again.

mod directory;

use std::hash::{Hash, Hasher};
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::apart::MAX_ARTEFACT;
use crate::artefact::Artefact;
use crate::component::LoadError;
use crate::fingerprint::{Fingerprint, hex};
use crate::structure::LIMITS;
use directory::Directory;

#[derive(Debug)]
pub(crate) struct CompileCache {
    directory: Directory,
    /// A hash of all that compiled code depends on, apart from the component.
    settings: [u8; 32],
}

impl CompileCache {
    /// Opens the directory and creates it if necessary. `None`, with a warning, if other
    /// users could write to it.
    pub(crate) fn open(path: &Path, engine: &Engine) -> Option<Self> {
        match Directory::open(path) {
            Ok(directory) => Some(Self {
                directory,
                settings: settings(engine),
            }),
            Err(why) => {
                tracing::warn!(
                    directory = %path.display(),
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
        let name = format!("{}.cwasm", hex(&name));
        if let Some(found) = self.read(engine, &name) {
            return Ok(found);
        }
        let artefact = compile()?;
        let component = artefact.load(engine)?;
        if let Err(error) = self.directory.write(&name, artefact.bytes()) {
            let file = self.directory.path(&name);
            tracing::warn!(file = %file.display(), "a compiled component could not be stored: {error}");
        }
        Ok(component)
    }

    fn read(&self, engine: &Engine, name: &str) -> Option<Component> {
        let warn = |why: &str| {
            let file = self.directory.path(name);
            tracing::warn!(file = %file.display(), "a compiled component {why}, and is compiled again");
        };
        let content = match self.directory.read(name, MAX_ARTEFACT) {
            Ok(content) => content?,
            Err(why) => {
                warn(&format!("cannot be used: {why}"));
                return None;
            }
        };
        let Some(artefact) = Artefact::from_bytes(content) else {
            warn("is damaged");
            return None;
        };
        let loaded = artefact.load(engine);
        loaded
            .map_err(|error| warn(&format!("cannot be used: {error}")))
            .ok()
    }
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
    LIMITS.hash(&mut feed);
    feed.0.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

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
    fn a_damaged_file_is_compiled_again() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("cache");
        let engine = engine();
        let cache = CompileCache::open(&dir, &engine).unwrap();
        let load = || {
            let mut compiled = false;
            let loaded = cache.component(&engine, EMPTY, || {
                compiled = true;
                compile(&engine)
            });
            loaded.unwrap();
            compiled
        };
        assert!(load(), "for the first time");
        assert!(!load(), "it is found again");
        let path = only_file(&dir);
        let good = fs::read(&path).unwrap();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for bad in [Vec::new(), good[..good.len() / 2].to_vec(), flipped] {
            fs::write(&path, &bad).unwrap();
            assert!(load());
            assert_eq!(fs::read(&path).unwrap(), good, "and is written again");
        }
        // What a symbolic link leads to is neither used nor changed.
        let elsewhere = parent.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(load());
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }
}
