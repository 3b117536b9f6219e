//! Where components are compiled, and what is checked before code is generated.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wasmtime::Engine;

use crate::apart::Apart;
use crate::artefact::Artefact;
use crate::component::{LoadError, check_exports, check_import, check_preamble};
use crate::features::{self, ALLOWED};
use crate::structure::{Fault, Structure};

/// Where components are compiled.
#[derive(Debug, Default)]
pub enum Compiler {
    /// In this process, without limits of memory and time. For tests, and for components
    /// that are trusted.
    #[default]
    Here,
    /// In a process of its own, with limits.
    Apart(Apart),
}

impl Compiler {
    /// Checks and compiles a component.
    pub(crate) fn compile(&self, engine: &Engine, bytes: &[u8]) -> Result<Artefact, LoadError> {
        match self {
            Self::Here => {
                check(bytes)?;
                generate(engine, bytes)
            }
            Self::Apart(apart) => apart.compile(bytes),
        }
    }

    /// Whether a compilation may take the time of other work.
    pub(crate) fn set_urgent(&self, is_urgent: bool) {
        match self {
            Self::Here => {}
            Self::Apart(apart) => apart.set_urgent(is_urgent),
        }
    }

    /// Compilations that begin from now on end when this is set, if they can be ended.
    pub(crate) fn set_abandoned(&self, abandoned: Option<Arc<AtomicBool>>) {
        match self {
            Self::Here => {}
            Self::Apart(apart) => apart.set_abandoned(abandoned),
        }
    }

    /// Ends the compilations in progress, if they can be ended.
    pub(crate) fn stop(&self) {
        match self {
            Self::Here => {}
            Self::Apart(apart) => apart.stop(),
        }
    }
}

/// Checks what can be checked without generating code: the limits of the structure, and the
/// names of imports and exports.
pub(crate) fn check(bytes: &[u8]) -> Result<(), LoadError> {
    check_preamble(bytes)?;
    let structure = Structure::read(bytes, ALLOWED).map_err(|fault| match fault {
        Fault::Invalid(why) => features::invalid(bytes, why),
        excess @ Fault::Excess(_) => excess.refusal(),
    })?;
    check_exports(&structure.exports)?;
    structure
        .imports
        .iter()
        .try_for_each(|name| check_import(name))
}

/// Validates a component and generates its code.
pub(crate) fn generate(engine: &Engine, bytes: &[u8]) -> Result<Artefact, LoadError> {
    engine
        .precompile_component(bytes)
        .map(|code| Artefact::new(&code))
        .map_err(|error| features::invalid(bytes, format!("{error:#}")))
}
