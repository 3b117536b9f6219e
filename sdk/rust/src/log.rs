//! Diagnostics for the operator. Not repeated when a verdict is reused: what
//! must be said each time is [`crate::Verdict::note`].

use crate::bindings::janua::policy::log::Level;

/// For the author of the policy.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Worth knowing.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something is odd.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Something is wrong.
pub fn error(message: &str) {
    write(Level::Error, message);
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, message: &str) {
    crate::bindings::janua::policy::log::log(level, message);
}

/// Natively, as in a test, to standard error.
#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
