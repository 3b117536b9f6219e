//! Which features of WebAssembly a component may use.
//!
//! Each feature is code of the compiler and the runtime that a component can reach. So those
//! are off that no supported language needs: Rust (`wasm32-wasip2`), C and Go make WebAssembly
//! 2.0, and so do QuickJS and CPython, which are C. The compiler of the engine and the
//! pass over the structure get the same set.

use wasmparser::{Validator, WasmFeatures};

use crate::component::LoadError;
use crate::structure::Structure;

/// WebAssembly 2.0, which includes SIMD, and components. In addition:
/// - sums in constants (`extended-const`): JavaScript and Python have them, whose libraries
///   are linked when they are instantiated
/// - several memories in one module (`multi-memory`): wasmtime generates such modules between
///   two components of a composition, as in JavaScript, and panics without this feature
///
/// References to objects of the host (`gc-types`) are not allowed.
pub(crate) const ALLOWED: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::MULTI_MEMORY)
    .difference(WasmFeatures::GC_TYPES);

/// All others.
pub(crate) const REFUSED: WasmFeatures = WasmFeatures::all().difference(ALLOWED);

/// The error for a component that is not valid with the features that it may use. It names
/// those that are missing, if that is the reason; else it is `why`.
pub(crate) fn invalid(bytes: &[u8], why: String) -> LoadError {
    // The validator follows nested types by recursion.
    let is_bounded = Structure::read(bytes, WasmFeatures::all()).is_ok();
    match is_bounded.then(|| missing(bytes)) {
        Some(missing) if !missing.is_empty() => LoadError::Features(missing),
        _ => LoadError::Invalid(why),
    }
}

/// The features that are off and without which the component is not valid; none if it is not
/// valid with all of them either.
fn missing(bytes: &[u8]) -> Vec<String> {
    let is_valid = |features| {
        let mut validator = Validator::new_with_features(features);
        validator.validate_all(bytes).is_ok()
    };
    if !is_valid(WasmFeatures::all()) {
        return Vec::new();
    }
    REFUSED
        .iter_names()
        .filter(|(_, feature)| !is_valid(WasmFeatures::all().difference(*feature)))
        .map(|(name, _)| name.to_ascii_lowercase().replace('_', "-"))
        .collect()
}
