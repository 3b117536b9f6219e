//! What a component may call, beyond the log: one file for each interface of the contract.
//! A component that imports none of them pays for none.

mod borrower;
mod datasets;
mod resources;
mod seal;
mod signatures;

use wasmtime::component::Linker;

pub(crate) use self::borrower::{Borrowed, Borrower};
pub(crate) use self::resources::{Resources, Tie, Used};
use crate::state::HostState;

/// Links the interfaces of the contract's capabilities.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    signatures::add_to_linker(linker)?;
    seal::add_to_linker(linker)?;
    datasets::add_to_linker(linker)
}
