//! The keeper without an authority that answers.

mod clocks;
mod shown;
