//! What coding costs.

fn main() {}
