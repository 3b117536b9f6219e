//! The shared cache: what may be kept, for how long, and where it is kept.
//!
//! - [`rules`]: RFC 9111 as pure functions of heads and times.

pub mod rules;
