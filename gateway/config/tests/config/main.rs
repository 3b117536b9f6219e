//! The file model, as later stages and operators see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod arbitrary;
mod changes;
mod diagnostics;
mod full;
mod includes;
mod policy_secrets;
mod reference;
mod secrets;
mod watched;
