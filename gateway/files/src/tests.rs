//! Whole looks against real directories.

mod fixture;
mod freshness;
mod hostile;
mod retention;
mod served;
