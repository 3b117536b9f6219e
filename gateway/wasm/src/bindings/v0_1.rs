//! `janua:policy@0.1`.
//!
//! The types come from `bindgen!`; the four hooks are called by hand
//! (`instance`), with borrowed strings, to save an allocation for each input.

#![allow(missing_docs, unreachable_pub, reason = "generated")]
#![allow(clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "janua:policy/policy",
    imports: { default: trappable },
    ownership: Borrowing { duplicate_if_necessary: false },
});
