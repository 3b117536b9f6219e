//! A compiled component with its checksum, as it is stored on disk and as it comes from the
//! process that compiles.
//!
//! It begins with the SHA-256 of the rest, so that one that is incomplete or damaged is
//! noticed before it is executed.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::component::LoadError;
use crate::fingerprint::sha256;

/// The bytes have the checksum that they begin with.
pub(crate) struct Artefact(Vec<u8>);

/// The length of the checksum.
const SUM: usize = 32;

impl Artefact {
    /// Adds the checksum to the output of wasmtime's compiler.
    pub(crate) fn new(code: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(SUM + code.len());
        bytes.extend_from_slice(&sha256(code));
        bytes.extend_from_slice(code);
        Self(bytes)
    }

    /// `None` if the checksum does not match.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let (sum, code) = bytes.split_first_chunk::<SUM>()?;
        (sha256(code) == *sum).then_some(Self(bytes))
    }

    /// With the checksum.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes the code executable.
    pub(crate) fn load(&self, engine: &Engine) -> Result<Component, LoadError> {
        let code = self.0.get(SUM..).unwrap_or_default();
        deserialize(engine, code).map_err(|error| LoadError::Invalid(format!("{error:#}")))
    }
}

#[allow(
    unsafe_code,
    reason = "the only way to load compiled code; it comes from this program, and the checksum matches"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is the unchanged output of wasmtime's compiler: it was made by this
    // program, and comes from its own child through a pipe that nobody else has, or from a
    // directory that only this user can write to (checked when it was opened); and the
    // SHA-256 matches. Wasmtime itself checks version, settings and CPU features.
    unsafe { Component::deserialize(engine, code) }
}
