//! The contract as Rust types, made from `wit/` by wit-bindgen.
//!
//! One world for every policy: it imports all that the contract offers, and
//! what a policy does not call does not end up among the imports of its
//! component.
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
            include janua:policy/policy@0.1.0;
            import janua:policy/signatures@0.1.0;
            import janua:policy/key-value@0.1.0;
            import janua:policy/outbound@0.1.0;
        }",
    world: "janua:sdk/sdk",
    generate_all,
    additional_derives: [PartialEq],
    pub_export_macro: true,
    default_bindings_module: "janua_sdk::bindings",
    export_macro_name: "export_component",
});
