//! Tests of complete lookups in real directories.

mod fixture;
mod freshness;
mod hostile;
mod retention;
mod served;
