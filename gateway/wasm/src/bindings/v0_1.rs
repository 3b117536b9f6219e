//! The bindings of `janua:policy@0.1`. Inputs are borrowed strings, which saves an
//! allocation for each.

#![allow(missing_docs, unreachable_pub, reason = "generated")]
#![allow(clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "janua:policy/policy",
    imports: { default: trappable },
    ownership: Borrowing { duplicate_if_necessary: false },
});
