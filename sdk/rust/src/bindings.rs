//! The contract as Rust types, generated from `wit/` by wit-bindgen.
//!
//! The world imports all interfaces of the contract. A component imports only those
//! that its policy calls.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::restriction,
    reason = "generated; the texts are in wit/"
)]

wit_bindgen::generate!({
    path: "../../wit",
    inline: "package janua:sdk;
        world sdk {
            include janua:policy/policy-that-waits@0.1.0;
        }",
    world: "janua:sdk/sdk",
    generate_all,
    additional_derives: [PartialEq],
    pub_export_macro: true,
    default_bindings_module: "janua_sdk::bindings",
    export_macro_name: "export_component",
});
