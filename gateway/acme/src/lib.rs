//! Placeholder.
pub mod settings;
pub mod store;
