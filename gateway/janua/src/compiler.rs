//! Which program compiles components: this one, started once more.

use janua_wasm::{Apart, Compiler};

/// The running program, even after its file was replaced or removed by an upgrade.
const SELF: &str = "/proc/self/exe";

/// The compiler for components, whoever made them.
pub(crate) fn compiler() -> Compiler {
    // The program of the unit tests has no commands.
    match cfg!(test) {
        true => Compiler::Here,
        false => Compiler::Apart(Apart::new(SELF, &["compile-component"])),
    }
}
