//! Generated bindings, a module per accepted minor version of the contract.
//! The hand-written half is `convert`.

pub(crate) mod v0_1;
