//! Log messages for the operator. They are not repeated when a verdict is reused; a
//! [`crate::Verdict::annotate`] is.

use crate::bindings::janua::policy::log::Level;

/// Logs a message for the author of the policy.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Logs an informational message.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Logs a warning.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Logs an error.
pub fn error(message: &str) {
    write(Level::Error, message);
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, message: &str) {
    crate::bindings::janua::policy::log::log(level, message);
}

/// Writes to standard error in native tests.
#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
