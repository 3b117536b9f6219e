//! Generated bindings: one module for each supported minor version of the contract.
//! `convert` converts their types.

pub(crate) mod capabilities;
pub(crate) mod v0_1;
